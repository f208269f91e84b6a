package gossipsub

import (
	"context"
	"iter"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/core"
)

// reconcileEach is how often the peers of a topic are compared with pubsub's list:
// chosen because nothing but a lost stream makes them differ.
const reconcileEach = 30 * time.Second

// run brings the timer and the calls of others onto the process loop until ctx ends.
// Nobody else posts there, so that posting never blocks for good.
func (e *engine) run(ctx context.Context) {
	defer close(e.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	reconcile := time.NewTicker(reconcileEach)
	defer reconcile.Stop()
	for {
		if at := e.next.Load(); at != 0 {
			timer.Reset(time.Until(time.Unix(0, at)))
		} else {
			timer.Reset(time.Hour)
		}
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-timer.C:
			e.post(ctx, e.tick)
		case f := <-e.calls:
			e.post(ctx, f)
		case m := <-e.lost:
			e.post(ctx, func() { e.drop(m) })
		case <-reconcile.C:
			e.reconcile(ctx)
		}
	}
}

// post runs f on pubsub's process loop: a batch without messages asks its scheduler
// there what to send. The loop ends with ctx, and posting takes one place of its queue,
// which is free when this is called: only a second post after the end would wait for
// ever.
func (e *engine) post(ctx context.Context, f func()) {
	if ctx.Err() != nil {
		return
	}
	done := make(chan struct{})
	call := loopCall(func() { f(); close(done) })
	err := e.p.ps.PublishBatch(&pubsub.MessageBatch{}, func(o *pubsub.BatchPublishOptions) error { o.Strategy = call; return nil })
	if err != nil {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// loopCall is an RPCScheduler that sends nothing.
type loopCall func()

// AddRPC implements RPCScheduler.
func (loopCall) AddRPC(peer.ID, string, *pubsub.RPC) {}

// All implements RPCScheduler.
func (f loopCall) All() iter.Seq2[peer.ID, *pubsub.RPC] {
	f()
	return func(func(peer.ID, *pubsub.RPC) bool) {}
}

// call runs f on the process loop and waits until it has run, or pubsub is closed.
func (e *engine) call(f func()) {
	done := make(chan struct{})
	select {
	case e.calls <- func() { f(); close(done) }:
	case <-e.ended:
		return
	}
	select {
	case <-done:
	case <-e.ended:
	}
}

// wait returns when run has ended; its context has.
func (e *engine) wait() {
	if e != nil {
		<-e.ended
	}
}

func (e *engine) tick() {
	now := time.Now()
	for _, t := range e.topics {
		if at := t.machine.Deadline(); !at.IsZero() && !now.Before(at) {
			t.machine.Tick(now, &e.out)
			e.act(t, nil)
		}
	}
	e.arm()
}

// arm sets the timer to the earliest deadline.
func (e *engine) arm() {
	var at time.Time
	for _, t := range e.topics {
		at = core.Earliest(at, t.machine.Deadline())
	}
	next := int64(0)
	if !at.IsZero() {
		next = at.UnixNano()
	}
	if before := e.next.Swap(next); next != 0 && (before == 0 || next < before) {
		select {
		case e.wake <- struct{}{}:
		default:
		}
	}
}
