package simhost

import "testing"

// TestSmallNetwork runs twenty real hosts.
func TestSmallNetwork(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Nodes, cfg.Dials, cfg.Warmup, cfg.Messages = 20, 5, 5, 20
	world, err := NewWorld(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t, world, Plain())
	if err != nil {
		t.Fatal(err)
	}
	if !r.Complete() || r.Deliveries != 19*20 {
		t.Errorf("%d of %d deliveries, missing: %v", r.Deliveries, r.Expected, r.Missing)
	}
	for _, b := range []struct {
		what          string
		value, lo, hi float64
	}{
		{"median: at least that of one hop", r.P50, r.Direct.P50, 250},
		{"95th percentile: at least the fastest way", r.P95, r.Flood.P95, 400},
		{"copies: one at least, a mesh of twelve at most", r.Copies, 1, 12},
		{"bytes on the wire: what the copies take at least", r.Wire, r.Copies, 2 * r.Copies},
		{"control, bytes", r.Control, 100, 5000},
		{"mesh", r.Eager, 4, 12},
	} {
		if b.value < b.lo || b.value > b.hi {
			t.Errorf("%s: got %.2f, want %.2f to %.2f", b.what, b.value, b.lo, b.hi)
		}
	}
}
