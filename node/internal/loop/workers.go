package loop

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/weftnet/weft/protocols/core"
)

// maxChecks bounds the checks that wait; further ones are dropped and counted, and
// the protocols that asked time out. Chosen for a check of every kind from 1,000
// peers at once; the protocols bound what one peer can ask for.
const maxChecks = 4096

// Workers run the checks that are too long for the loop.
type Workers struct {
	checks  chan core.Verify
	answer  func(core.Event)
	dropped atomic.Uint64
}

// NewWorkers makes workers that hand each answer to answer, which may wait.
func NewWorkers(answer func(core.Event)) *Workers {
	return &Workers{checks: make(chan core.Verify, maxChecks), answer: answer}
}

// Run works on all processors until ctx ends.
func (w *Workers) Run(ctx context.Context) {
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() { w.work(ctx) })
	}
	all.Wait()
}

func (w *Workers) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case v := <-w.checks:
			w.answer(core.Verified{Peer: v.Peer, Answer: v.Check()})
		}
	}
}

// Do queues a check and never waits.
func (w *Workers) Do(v core.Verify) {
	select {
	case w.checks <- v:
	default:
		w.dropped.Add(1)
	}
}

// Dropped counts the checks for which there was no room.
func (w *Workers) Dropped() uint64 { return w.dropped.Load() }

// Queued is the number of checks that wait.
func (w *Workers) Queued() int { return len(w.checks) }
