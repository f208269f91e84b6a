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
	cfg := DefaultConfig()
	cfg.Nodes, cfg.Dials, cfg.Interval = 20, 5, 4*time.Second
	cfg.Warmup, cfg.Messages = 30, 30 // two minutes before, two minutes after
	attacks := Attacks()
	if !*bench.attacks {
		cfg.Nodes, cfg.Dials, cfg.Warmup, cfg.Messages, cfg.Interval, cfg.Drain = 8, 3, 1, 3, time.Second, 6*time.Second
		attacks = slices.DeleteFunc(attacks, func(a Attack) bool { return a.Name != "huge PRUNE backoff" && a.Name != "endless topics" })
		for i := range attacks {
			attacks[i].Sybils, attacks[i].Tick = 3, time.Second
		}
	}
	world, err := NewWorld(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range attacks {
		t.Run(strings.ReplaceAll(a.Name, " ", "-"), func(t *testing.T) {
			for _, s := range chosen(t) {
				survives(t, world, s, a)
			}
		})
	}
}

// survives wants every message at every honest node within 6 s.
func survives(t *testing.T, w *World, s Strategy, a Attack) {
	t.Helper()
	r, err := RunAttacked(t, w, s, a)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: p50 %.0f ms, p95 %.0f ms, p99 %.0f ms, max %.0f ms; %d of %d missing; before the attack: max %.0f ms; read by honest nodes: %.0f B of control per delivery",
		s.Name, r.P50, r.P95, r.P99, r.Max, len(r.Missing), r.Expected, r.Cold.Max, r.Control)
	if !r.Complete() || r.Max > 6000 {
		t.Errorf("%s: want all within 6 s: the last came after %.0f ms, missing: %.300s", s.Name, r.Max, r.Missing)
	}
}
