package simhost

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// disturbance changes a world so that something happens in it at a time. It returns
// when that is over: the messages from then on are to find a way again.
type disturbance struct {
	name string
	play func(w *World, at time.Duration) (over time.Duration)
}

var disturbances = []disturbance{
	{"a publisher restarts", (*World).restarts},
	{"the publisher is another one, far away", (*World).moves},
}

// restarts lets one of two publishers vanish for two seconds.
func (w *World) restarts(at time.Duration) time.Duration {
	const node, other = 0, 1
	w.Config.Away = 2 * time.Second
	w.restart(node, at)
	back := w.up[node][1].from
	for i, s := range w.sends {
		w.sendBy(i, node)
		if i%2 == 1 || s.at >= at && s.at < back {
			w.sendBy(i, other)
		}
	}
	return back
}

// moves lets one node publish everything, and then another, as far from it as there is.
func (w *World) moves(at time.Duration) time.Duration {
	const from = 0
	to, way := from, w.flood(from)
	for i := range way {
		if way[i] > way[to] {
			to = i
		}
	}
	for i, s := range w.sends {
		w.sendBy(i, from)
		if s.at >= at {
			w.sendBy(i, to)
		}
	}
	return at
}

// sendBy lets a node publish a message.
func (w *World) sendBy(message, node int) {
	w.sends[message].by = node
	for i, a := range w.plan {
		if a.kind == publish && a.message == message {
			w.plan[i].node = node
		}
	}
}

// TestRecovery disturbs 20 nodes and, with -recovery, 50: no message is lost, and the
// tail is what it was before within 10 s.
func TestRecovery(t *testing.T) {
	strategies, seeds := []Strategy{Episub()}, 1
	if *bench.recovery {
		strategies, seeds = chosen(t), *bench.seeds
	}
	for _, d := range disturbances {
		t.Run(strings.ReplaceAll(d.name, " ", "-"), func(t *testing.T) {
			for _, s := range strategies {
				for seed := range seeds {
					recovers(t, s, d, int64(seed+1))
				}
			}
		})
	}
}

// recovers plays a disturbance.
func recovers(t *testing.T, s Strategy, d disturbance, seed int64) {
	t.Helper()
	w := newTestWorld(t, func(c *Config) {
		c.Seed, c.Dials, c.Interval, c.Warmup, c.Messages = seed, 2, 500*time.Millisecond, 20, 44
		if *bench.recovery {
			c.Nodes, c.Dials, c.Interval, c.Warmup, c.Messages = 50, 10, 250*time.Millisecond, 40, 100
		}
	})
	at := w.sends[w.Config.Warmup+w.Config.Messages*3/10].at - w.Config.Interval/2
	over := d.play(w, at)
	w.sort()
	r, err := Run(t, w, s)
	if err != nil {
		t.Fatal(err)
	}
	before := w.tail(r, 0, at)
	recovered := w.recovered(r, over, before)
	t.Logf("%s, seed %d: p95 before %s; from then on, by second: %s; back after %s", s.Name, seed, before, w.tails(r, over), recovered)
	if s.Name == Plain().Name {
		return
	}
	if len(r.Missing) > 0 {
		t.Errorf("%d deliveries are missing: %.300s", len(r.Missing), r.Missing)
	}
	if recovered > 10*time.Second {
		t.Errorf("the tail is %s after 10 s, and was %s", w.tail(r, over+10*time.Second, forever), before)
	}
	for _, m := range r.messages {
		for node, took := range m.took {
			if m.at >= over && node != m.by && (took == 0 || took > 1000) {
				t.Errorf("message of node %d, %s after it was over, at node %d after %.0f ms (0: not at all), want a second at most", m.by, m.at-over, node, took)
			}
		}
	}
}

// tail is the 95th percentile of what deliveries took, and of the fastest way there was, in ms.
type tail struct{ took, bound float64 }

func (p tail) String() string { return fmt.Sprintf("%.0f (bound %.0f)", p.took, p.bound) }

// stretch is how many times the bound it is.
func (p tail) stretch() float64 { return p.took / p.bound }

// tail is that of the measured messages of a time, at the living.
func (w *World) tail(r Result, from, till time.Duration) tail {
	var took, bound []float64
	for _, m := range r.messages {
		for node, way := range m.flood {
			if m.at >= from && m.at < till && node != m.by && w.living(node, m.at) {
				took, bound = append(took, m.took[node]), append(bound, ms(way))
			}
		}
	}
	return tail{percentiles(took).P95, percentiles(bound).P95}
}

// tails are those of ten seconds, one by one.
func (w *World) tails(r Result, from time.Duration) (all []tail) {
	for range 10 {
		all = append(all, w.tail(r, from, from+time.Second))
		from += time.Second
	}
	return all
}

// back is how many times its former stretch a tail may have to be what it was: chosen
// below what missing one of the first ways costs.
const back = 1.1

// recovered is after how long, in whole seconds, the tail is what it was for good.
func (w *World) recovered(r Result, over time.Duration, before tail) (after time.Duration) {
	for from := over; from < w.sends[len(w.sends)-1].at; from += time.Second {
		if now := w.tail(r, from, from+time.Second); now.stretch() > back*before.stretch() {
			after = from + time.Second - over
		}
	}
	return after
}
