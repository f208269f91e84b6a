package loop

import (
	"context"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// recorder is a machine that admits whoever connects and, when it has a
// deadline, disconnects "due" at that time.
type recorder struct {
	seen     []core.Event
	ticks    []time.Time
	deadline time.Time
}

func (r *recorder) Handle(_ time.Time, ev core.Event, out *[]core.Effect) {
	r.seen = append(r.seen, ev)
	if c, ok := ev.(core.Connected); ok {
		*out = append(*out, core.Admit{Peer: c.Peer})
	}
}

func (r *recorder) Tick(now time.Time, out *[]core.Effect) {
	r.ticks = append(r.ticks, now)
	r.deadline = time.Time{}
	*out = append(*out, core.Disconnect{Peer: "due"})
}

func (r *recorder) Deadline() time.Time { return r.deadline }

func run(t *testing.T, l *Loop) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	go l.Run(ctx)
	return func() { cancel(); <-l.stopped }
}

func TestEveryMachineSeesEventsInOrderAndEffectsFollowInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &recorder{}, &recorder{}
		var done []core.Effect
		l := New(func(e core.Effect) { done = append(done, e) }, a, b)
		defer run(t, l)()

		l.Post(core.Connected{Peer: "p"})
		l.Post(core.Disconnected{Peer: "p"})
		synctest.Wait()

		for _, m := range []*recorder{a, b} {
			want := []core.Event{core.Connected{Peer: "p"}, core.Disconnected{Peer: "p"}}
			if !reflect.DeepEqual(m.seen, want) {
				t.Errorf("machine saw %v, want %v", m.seen, want)
			}
		}
		if len(done) != 2 || done[0] != (core.Admit{Peer: "p"}) {
			t.Errorf("effects = %v, want one Admit from each machine", done)
		}
	})
}

// teller tells all of whoever connected that it joined.
type teller struct{ recorder }

func (t *teller) Handle(now time.Time, ev core.Event, out *[]core.Effect) {
	t.recorder.Handle(now, ev, out)
	if c, ok := ev.(core.Connected); ok {
		*out = append(*out, core.Relay{Event: core.Joined{Peer: c.Peer}}, core.Disconnect{Peer: c.Peer})
	}
}

func TestARelayedEventReachesEveryMachineBeforeAnyOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &teller{}, &recorder{}
		var done []core.Effect
		l := New(func(e core.Effect) { done = append(done, e) }, a, b)
		l.Post(core.Connected{Peer: "p"})
		l.Post(core.Disconnected{Peer: "p"})
		defer run(t, l)()
		synctest.Wait()

		want := []core.Event{core.Connected{Peer: "p"}, core.Joined{Peer: "p"}, core.Disconnected{Peer: "p"}}
		for _, seen := range [][]core.Event{a.seen, b.seen} {
			if !reflect.DeepEqual(seen, want) {
				t.Errorf("machine saw %v, want %v", seen, want)
			}
		}
		if len(done) != 3 || done[1] != (core.Disconnect{Peer: "p"}) {
			t.Errorf("effects = %v, want those around the relay in their order", done)
		}
	})
}

func TestTickComesAtTheEarliestDeadlineAndOnlyToItsMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		early, late := &recorder{deadline: start.Add(time.Second)}, &recorder{deadline: start.Add(time.Hour)}
		l := New(func(core.Effect) {}, late, early)
		defer run(t, l)()

		time.Sleep(30 * time.Minute) // virtual
		synctest.Wait()
		if len(early.ticks) != 1 || !early.ticks[0].Equal(start.Add(time.Second)) {
			t.Errorf("early machine ticked at %v, want once after 1 s", early.ticks)
		}
		if len(late.ticks) != 0 {
			t.Errorf("late machine ticked at %v, before its deadline", late.ticks)
		}
	})
}

func TestWhatIsQueuedCountsBeforeADeadlineThatHasPassed(t *testing.T) {
	for range 32 { // which of two ready channels is chosen is random
		synctest.Test(t, func(t *testing.T) {
			var order []core.Effect
			m := &recorder{deadline: time.Now().Add(-time.Minute)}
			l := New(func(e core.Effect) { order = append(order, e) }, m)
			for range 3 {
				l.Post(core.Connected{Peer: "p"})
			}
			defer run(t, l)()
			synctest.Wait()
			if len(order) != 4 || order[3] != (core.Disconnect{Peer: "due"}) {
				t.Fatalf("effects = %v, want the tick after all events", order)
			}
		})
	}
}

func TestOfferDropsAndCountsWhenTheQueueIsFull(t *testing.T) {
	l := New(func(core.Effect) {})
	for range queueLen + 3 {
		l.Offer(core.Disconnected{})
	}
	if l.Queued() != queueLen || l.Dropped() != 3 {
		t.Errorf("queued %d, dropped %d; want %d and 3", l.Queued(), l.Dropped(), queueLen)
	}
}

func TestCallRunsBetweenEventsAndFailsAfterStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &recorder{}
		l := New(func(core.Effect) {}, m)
		stop := run(t, l)
		l.Post(core.Disconnected{Peer: "p"})
		n := 0
		if err := l.Call(t.Context(), func(time.Time) { n = len(m.seen) }); err != nil || n != 1 {
			t.Errorf("Call = %v after seeing %d events, want nil after 1", err, n)
		}
		stop()
		if err := l.Call(t.Context(), func(time.Time) {}); err == nil {
			t.Error("Call on a stopped loop succeeded")
		}
		l.Post(core.Disconnected{}) // must not block
	})
}

func BenchmarkPost(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	l := New(func(core.Effect) {}, &counter{})
	go l.Run(ctx)
	ev := core.Event(core.Disconnected{Peer: "p"})
	b.ReportAllocs()
	for b.Loop() {
		l.Post(ev)
	}
}

type counter struct{ n int }

func (c *counter) Handle(time.Time, core.Event, *[]core.Effect) { c.n++ }
func (c *counter) Tick(time.Time, *[]core.Effect)               {}
func (c *counter) Deadline() time.Time                          { return time.Time{} }
