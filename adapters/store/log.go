package store

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// logger hands Pebble's log to slog: what it did at debug level, what is wrong
// at error level.
type logger struct{ log *slog.Logger }

func (l logger) Infof(format string, args ...any) {
	l.log.Debug("pebble: " + fmt.Sprintf(format, args...))
}

func (l logger) Errorf(format string, args ...any) {
	l.log.Error("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf is called when going on would lose data, and must not return. In a call
// of ours (a write that the disk refuses) contain turns the panic into an error;
// in Pebble's own goroutines it ends the process, as it must.
func (l logger) Fatalf(format string, args ...any) {
	err := fatal{fmt.Errorf(format, args...)}
	l.Errorf("%v", err)
	panic(err)
}

type fatal struct{ error }

// contain ends a panic of Fatalf and makes it both the call's error and the
// store's state from now on.
func contain(state *atomic.Pointer[error], result *error) {
	switch r := recover().(type) {
	case nil:
	case fatal:
		err := fmt.Errorf("%w: %w: see to the disk, then restart", ErrFailed, r.error)
		state.Store(&err)
		*result = err
	default:
		panic(r)
	}
}

// complainEvery bounds the log lines about background work: on a full disk Pebble
// tries again without a pause.
const complainEvery = time.Minute

// watch logs what fails in the background and lets the next call meet it: by
// default Pebble would end the process over a damaged file.
func watch(log *slog.Logger) *pebble.EventListener {
	var last atomic.Int64 // Unix ns
	complain := func(what string, err error) {
		now := time.Now().UnixNano()
		if before := last.Load(); now-before > int64(complainEvery) && last.CompareAndSwap(before, now) {
			log.Error(what, "err", err)
		}
	}
	return &pebble.EventListener{
		BackgroundError: func(err error) { complain("store: background work failed", err) },
		DataCorruption:  func(i pebble.DataCorruptionInfo) { complain("store: a file is damaged", i.Details) },
	}
}
