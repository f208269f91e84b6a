package simhost

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAttacks lets 40 Sybils attack 20 nodes, with -attacks; without, and quicker,
// it lets a few do what is dangerous to a single node.
func TestAttacks(t *testing.T) {
	attacks := Attacks()
	if !*bench.attacks {
		attacks = slices.DeleteFunc(attacks, func(a Attack) bool { return a.Name != "huge PRUNE backoff" && a.Name != "endless topics" })
		for i := range attacks {
			attacks[i].Sybils = 3
		}
	}
	for _, a := range attacks {
		t.Run(strings.ReplaceAll(a.Name, " ", "-"), func(t *testing.T) {
			for _, s := range chosen(t) {
				survives(t, newTestWorld(t, setting(a)), s, a)
			}
		})
	}
}

// setting is how many nodes there are, and for how long: those who betray have two
// minutes to earn trust, and two minutes follow; floods are the same all the time.
func setting(a Attack) func(*Config) {
	return func(c *Config) {
		c.Interval, c.Warmup, c.Messages = 4*time.Second, 30, 30
		if a.Every != nil && !a.Near {
			c.Warmup, c.Messages = 3, 8
		}
		if !*bench.attacks {
			c.Nodes, c.Dials, c.Interval, c.Warmup, c.Messages, c.Drain = 8, 3, time.Second, 1, 3, 6*time.Second
		}
	}
}

// survives wants every message at every honest node within 6 s.
func survives(t *testing.T, w *World, s Strategy, a Attack) {
	t.Helper()
	start := time.Now()
	r, v, err := RunAttacked(t, w, s, a)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: p50 %.0f ms, p95 %.0f ms, p99 %.0f ms, max %.0f ms; %d of %d missing; before the attack: max %.0f ms; read by honest nodes: %.0f B of control per delivery",
		s.Name, r.P50, r.P95, r.P99, r.Max, len(r.Missing), r.Expected, r.Cold.Max, r.Control)
	t.Logf("%s: %+v, in %s", s.Name, v, time.Since(start))
	if !r.Complete() || r.Max > 6000 {
		t.Errorf("%s: want all within 6 s: the last came after %.0f ms, missing: %.300s", s.Name, r.Max, r.Missing)
	}
}
