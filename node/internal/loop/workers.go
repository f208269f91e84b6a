package loop

import (
	"context"
	"hash/maphash"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/weftnet/weft/protocols/core"
)

// maxChecks bounds the checks that wait; further ones are dropped and counted, and
// the protocols that asked time out. Chosen for a check of every kind from 1,000
// peers at once; the protocols bound what one peer can ask for.
const maxChecks = 4096

// Workers run the checks that are too long for the loop. Those on behalf of one peer
// are done and answered in the order in which they were asked for.
type Workers struct {
	checks  []chan core.Verify // of each worker; a peer's go to one of them
	seed    maphash.Seed       // so that nobody can choose whom to share one with
	answer  func(core.Event)
	dropped atomic.Uint64
}

// NewWorkers makes workers that hand each answer to answer, which may wait.
func NewWorkers(answer func(core.Event)) *Workers {
	w := &Workers{checks: make([]chan core.Verify, runtime.GOMAXPROCS(0)), seed: maphash.MakeSeed(), answer: answer}
	for i := range w.checks {
		w.checks[i] = make(chan core.Verify, maxChecks/len(w.checks)+1)
	}
	return w
}

// Run works on all processors until ctx ends.
func (w *Workers) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, checks := range w.checks {
		all.Go(func() { w.work(ctx, checks) })
	}
	all.Wait()
}

func (w *Workers) work(ctx context.Context, checks <-chan core.Verify) {
	for {
		select {
		case <-ctx.Done():
			return
		case v := <-checks:
			w.answer(core.Verified{Peer: v.Peer, Answer: v.Check()})
		}
	}
}

// Do queues a check and never waits.
func (w *Workers) Do(v core.Verify) {
	select {
	case w.checks[maphash.String(w.seed, string(v.Peer))%uint64(len(w.checks))] <- v:
	default:
		w.dropped.Add(1)
	}
}

// Dropped counts the checks for which there was no room.
func (w *Workers) Dropped() uint64 { return w.dropped.Load() }

// Queued is the number of checks that wait.
func (w *Workers) Queued() (n int) {
	for _, checks := range w.checks {
		n += len(checks)
	}
	return n
}
