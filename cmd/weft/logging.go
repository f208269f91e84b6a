package main

import (
	"context"
	"log/slog"
	"sync/atomic"

	golog "github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p/gologshim"
	"go.uber.org/zap/zapcore"
)

// openLog sets up the log on stderr. Libraries that keep a logger of their own
// (libp2p by slog, its DHT and pubsub by zap) are led into it, so that stderr
// has one format; they are heard from error up, or from warn up at level debug.
func (a *app) openLog() {
	a.level = new(slog.LevelVar)
	a.level.Set(parseLevel(a.values.Text("log_level")))
	opts := &slog.HandlerOptions{Level: a.level}
	var h slog.Handler = slog.NewTextHandler(a.stderr, opts)
	if a.values.Text("log_format") == "json" {
		h = slog.NewJSONHandler(a.stderr, opts)
	}
	a.log = slog.New(h)
	lib := libraryHandler{h, a.level, &a.closing}
	gologshim.SetDefaultHandler(lib)
	golog.SetPrimaryCore(zapCore{h: lib})
}

// libraryHandler holds back what libraries say to themselves.
type libraryHandler struct {
	slog.Handler
	level   *slog.LevelVar
	closing *atomic.Bool // while we close, their listeners' ends are no errors
}

func (l libraryHandler) Enabled(_ context.Context, level slog.Level) bool {
	least := slog.LevelError
	if l.level.Level() <= slog.LevelDebug {
		least = slog.LevelWarn
	}
	return level >= least && !l.closing.Load()
}

func (l libraryHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	l.Handler = l.Handler.WithAttrs(attrs)
	return l
}

func (l libraryHandler) WithGroup(name string) slog.Handler {
	l.Handler = l.Handler.WithGroup(name)
	return l
}

// zapCore writes zap's entries to a slog handler.
type zapCore struct {
	h      slog.Handler
	fields []zapcore.Field
}

func (z zapCore) Enabled(l zapcore.Level) bool {
	return z.h.Enabled(context.Background(), slogLevel(l))
}

func (z zapCore) With(fields []zapcore.Field) zapcore.Core {
	return zapCore{z.h, append(z.fields[:len(z.fields):len(z.fields)], fields...)}
}

func (z zapCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if z.Enabled(e.Level) {
		return ce.AddCore(e, z)
	}
	return ce
}

func (z zapCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	values := zapcore.NewMapObjectEncoder()
	for _, f := range append(z.fields[:len(z.fields):len(z.fields)], fields...) {
		f.AddTo(values)
	}
	r := slog.NewRecord(e.Time, slogLevel(e.Level), e.Message, 0)
	r.AddAttrs(slog.String("logger", e.LoggerName))
	for k, v := range values.Fields {
		r.AddAttrs(slog.Any(k, v))
	}
	return z.h.Handle(context.Background(), r)
}

func (z zapCore) Sync() error { return nil }

// slogLevel maps zap's levels (debug -1, info 0, warn 1, error 2) to slog's,
// which lie four apart.
func slogLevel(l zapcore.Level) slog.Level { return slog.Level(min(l, zapcore.ErrorLevel)) * 4 }
