// Package loop runs the node's protocol machines. One goroutine owns them all:
// it takes events from one bounded queue, hands each to every machine, carries
// out the effects, and sleeps until the next event or the earliest deadline.
// So machines need no locks and their order of events is the order of the queue.
//
//	Post, Offer ─▶ queue ─▶ Handle ─▶ effects ─▶ do
//	                  timer ─▶ Tick   ─▶ effects ─▶ do
package loop

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// ErrStopped answers calls to a loop whose Run has ended.
var ErrStopped = errors.New("the node is stopped")

// queueLen is how many events may wait; chosen because a burst of 1,024
// connects, far over any peer limit, must not stall the adapters.
const queueLen = 1024

// Loop is the owner of a set of machines.
type Loop struct {
	machines []core.Machine
	do       func(core.Effect)
	queue    chan entry
	stopped  chan struct{}
	dropped  atomic.Uint64
	effects  []core.Effect // reused between rounds
}

// entry is an event for the machines, or a call to run between two events.
type entry struct {
	event core.Event
	call  func(now time.Time)
	done  func(used time.Duration) // after the event was handled; nil: nobody waits
}

// New makes a loop over machines, which it owns from now on. do carries out an
// effect; it is called on the loop's goroutine and must not wait for it.
func New(do func(core.Effect), machines ...core.Machine) *Loop {
	return &Loop{
		machines: machines,
		do:       do,
		queue:    make(chan entry, queueLen),
		stopped:  make(chan struct{}),
	}
}

// Run owns the machines until ctx ends. It is called once.
func (l *Loop) Run(ctx context.Context) {
	defer close(l.stopped)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-l.queue:
			l.take(time.Now(), e)
		case <-timer.C:
			l.catchUp()
			l.tick(time.Now())
		}
		l.arm(timer)
	}
}

// catchUp takes what is queued before the clock counts: after a pause of the
// process what came in time must not be judged as late.
func (l *Loop) catchUp() {
	for range len(l.queue) {
		l.take(time.Now(), <-l.queue)
	}
}

// Post queues an event and waits while the queue is full: for sources that must
// not lose one. After the loop has stopped the event is discarded.
func (l *Loop) Post(ev core.Event) {
	select {
	case l.queue <- entry{event: ev}:
	case <-l.stopped:
	}
}

// Deliver queues a message as Post does an event. done is called when it was
// handled, with the time that took, or discarded.
func (l *Loop) Deliver(ev core.Received, done func(used time.Duration)) {
	select {
	case l.queue <- entry{event: ev, done: done}:
	case <-l.stopped:
		done(0)
	}
}

// Offer queues an event, or drops and counts it when the queue is full: for
// hearsay that will be repeated.
func (l *Loop) Offer(ev core.Event) {
	select {
	case l.queue <- entry{event: ev}:
	default:
		l.dropped.Add(1)
	}
}

// Call runs f between two events, on the goroutine that owns the machines, and
// waits for its end. f reads machines; it must be short. When ctx ends first, f
// may still run later: it must not write to what the caller goes on to use.
func (l *Loop) Call(ctx context.Context, f func(now time.Time)) error {
	done := make(chan struct{})
	e := entry{call: func(now time.Time) { defer close(done); f(now) }}
	select {
	case l.queue <- e:
	case <-l.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-l.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ask runs f as Call does and returns its answer.
func Ask[T any](ctx context.Context, l *Loop, f func(now time.Time) T) (answer T, err error) {
	got := make(chan T, 1) // a late answer goes nowhere
	if err := l.Call(ctx, func(now time.Time) { got <- f(now) }); err != nil {
		return answer, err
	}
	return <-got, nil
}

// Dropped counts the events that Offer dropped.
func (l *Loop) Dropped() uint64 { return l.dropped.Load() }

// Queued is the number of events that wait.
func (l *Loop) Queued() int { return len(l.queue) }

func (l *Loop) take(now time.Time, e entry) {
	if e.call != nil {
		e.call(now)
		return
	}
	l.handle(now, e.event)
	l.flush(now)
	if e.done != nil {
		e.done(time.Since(now))
	}
}

func (l *Loop) tick(now time.Time) {
	for _, m := range l.machines {
		if d := m.Deadline(); !d.IsZero() && !d.After(now) {
			m.Tick(now, &l.effects)
		}
	}
	l.flush(now)
}

func (l *Loop) handle(now time.Time, ev core.Event) {
	for _, m := range l.machines {
		m.Handle(now, ev, &l.effects)
	}
}

// flush carries out the collected effects, in their order, and those of the events
// that they relay.
func (l *Loop) flush(now time.Time) {
	for i := 0; i < len(l.effects); i++ {
		e := l.effects[i]
		l.effects[i] = nil
		if relay, ok := e.(core.Relay); ok {
			l.handle(now, relay.Event)
			continue
		}
		l.do(e)
	}
	l.effects = l.effects[:0]
}

// arm sets the timer to the earliest deadline of all machines.
func (l *Loop) arm(timer *time.Timer) {
	var next time.Time
	for _, m := range l.machines {
		next = core.Earliest(next, m.Deadline())
	}
	if next.IsZero() {
		timer.Stop()
		return
	}
	timer.Reset(time.Until(next))
}
