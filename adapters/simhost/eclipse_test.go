package simhost

import (
	"fmt"
	"testing"
	"time"
)

// eclipsed is a victim with 20 connections.
const eclipsed = 20

// TestEclipse surrounds one node with Sybils that bring it every message first, and then
// give nothing more: with -attacks half, four fifths and nine tenths of its connections,
// and what becomes of it as a table; without, only the worst of these, and quicker.
func TestEclipse(t *testing.T) {
	strategies, honest := []Strategy{Episub()}, []int{2}
	if *bench.attacks {
		strategies, honest = chosen(t), []int{10, 4, 2}
	}
	for _, kind := range []struct {
		name             string
		dialled, promise bool
	}{
		{"dialled in, silent", false, false},
		{"dialled by it, silent", true, false},
		{"dialled by it, announcing", true, true},
	} {
		for _, h := range honest {
			a := Attack{
				Name: "eclipse", Sybils: eclipsed - h, Protocols: sybilProtocols, Victim: true, Near: true,
				Honest: h, Dialled: kind.dialled, Promise: kind.promise,
			}
			t.Run(fmt.Sprintf("%d of %d Sybils, %s", a.Sybils, eclipsed, kind.name), func(t *testing.T) {
				for _, s := range strategies {
					sum := tally{}
					for _, seed := range seeds() {
						v := survives(t, newTestWorld(t, besieged(seed)), s, a)
						if sum.add(v); s.Name == Episub().Name && v.Gained > 0 && v.Eager >= v.Gained {
							t.Errorf("of the eager %.2f were Sybils, and %.2f still are", v.Gained, v.Eager)
						}
					}
					t.Logf("%s: %s", s.Name, sum)
				}
			})
		}
	}
}

// besieged is a message a second: a minute to earn trust, two minutes of silence.
func besieged(seed int64) func(*Config) {
	return func(c *Config) {
		c.Seed, c.Interval, c.Warmup, c.Messages = seed, time.Second, 60, 120
		if !*bench.attacks {
			c.Nodes, c.Dials, c.Warmup, c.Messages = 8, 3, 20, 20
		}
	}
}

// tally sums up verdicts.
type tally []Verdict

func (s *tally) add(v Verdict) { *s = append(*s, v) }

func (s tally) String() string {
	mean := func(of func(Verdict) float64) (sum float64) {
		for _, v := range s {
			sum += of(v) / float64(len(s))
		}
		return sum
	}
	percent := func(of func(Verdict) Received) string {
		return fmt.Sprintf("%.1f, %.1f, %.1f %%", 100*mean(func(v Verdict) float64 { return of(v).Second }),
			100*mean(func(v Verdict) float64 { return of(v).Six }), 100*mean(func(v Verdict) float64 { return of(v).Ever }))
	}
	return fmt.Sprintf("of the eager %.0f %% were Sybils, %.0f %% are of %.1f; within 1 s, within 6 s, at all: %s for 90 s, then %s",
		100*mean(func(v Verdict) float64 { return v.Gained }), 100*mean(func(v Verdict) float64 { return v.Eager }), mean(func(v Verdict) float64 { return v.Pushing }),
		percent(func(v Verdict) Received { return v.While }), percent(func(v Verdict) Received { return v.After }))
}
