package simhost

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

func newTestWorld(t *testing.T, change func(*Config)) *World {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Nodes, cfg.Dials, cfg.Warmup, cfg.Messages = 20, 5, 5, 20
	if change != nil {
		change(&cfg)
	}
	w, err := NewWorld(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestSameSeedSameWorld(t *testing.T) {
	turbulent := func(c *Config) { c.Churn, c.Kill = 1, 0.2 }
	a, b := newTestWorld(t, turbulent), newTestWorld(t, turbulent)
	if !reflect.DeepEqual(a, b) {
		t.Error("two worlds of the same seed differ")
	}
	if c := newTestWorld(t, func(c *Config) { turbulent(c); c.Seed = 2 }); reflect.DeepEqual(a.places, c.places) || reflect.DeepEqual(a.dials, c.dials) {
		t.Error("worlds of two seeds are the same")
	}
}

func TestEveryNodeDialsAndNoPairTwice(t *testing.T) {
	w := newTestWorld(t, nil)
	seen := make(map[link]bool)
	for _, l := range w.links(func(link) bool { return true }) {
		if l.from == l.to || seen[l] || seen[link{l.to, l.from}] {
			t.Errorf("dialled twice, or itself: %v", l)
		}
		seen[l] = true
	}
	if len(seen) != 20*5 {
		t.Errorf("%d connections, want %d", len(seen), 20*5)
	}
}

func TestPublishersLive(t *testing.T) {
	w := newTestWorld(t, func(c *Config) { c.Churn, c.Kill, c.Messages = 2, 0.5, 200 })
	away := 0
	for _, s := range w.sends {
		if !w.living(s.by, s.at) {
			t.Errorf("node %d publishes at %s and is not living", s.by, s.at)
		}
		for i := range w.places {
			if !w.living(i, s.at) {
				away++
			}
		}
	}
	if away == 0 {
		t.Error("nobody was ever away")
	}
}

func TestKilledNodesNeedNothing(t *testing.T) {
	w := newTestWorld(t, func(c *Config) { c.Kill = 0.25 })
	last := w.sends[len(w.sends)-1].at
	living := 0
	for i := range w.places {
		if w.living(i, last) {
			living++
		}
	}
	if living != 15 {
		t.Errorf("%d of 20 nodes live after a quarter has vanished, want 15", living)
	}
}

// TestBounds holds the flood bound to the sum along the only way, and to at least
// the direct hop where the direct connection exists.
func TestBounds(t *testing.T) {
	w := newTestWorld(t, func(c *Config) { c.Nodes, c.Dials = 3, 1 })
	w.dials = [][]int{{1}, {2}, nil} // 0 - 1 - 2
	direct, flood := w.direct(0), w.flood(0)
	if flood[1] != direct[1] {
		t.Errorf("over the connection itself: flood %s, direct %s", flood[1], direct[1])
	}
	if want := w.delay(0, 1) + w.delay(1, 2) + 2*w.Config.transmission(); flood[2] != want {
		t.Errorf("over two connections: flood %s, want %s", flood[2], want)
	}
	if want := 163_840 * time.Nanosecond; w.Config.transmission() != want {
		t.Errorf("1 KiB at 50 Mbit/s takes %s, want %s", w.Config.transmission(), want)
	}
}

func TestDelaysAreSymmetricAndInRange(t *testing.T) {
	for name, delays := range map[string]geography{"cloud": cloud, "drawn": drawn(rand.New(rand.NewPCG(1, 1)))} {
		for i, row := range delays {
			for j, d := range row {
				if d != delays[j][i] || d < least || d > most {
					t.Errorf("%s, %s to %s: %d ms, back %d ms, want %d to %d and the same",
						name, regionNames[i], regionNames[j], d, delays[j][i], least, most)
				}
			}
		}
	}
	total := 0
	for _, w := range weights {
		total += w
	}
	if total != 100 {
		t.Errorf("weights add up to %d, want 100", total)
	}
}

func TestBadConfigs(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"one node": func(c *Config) { c.Nodes = 1 }, "no dials": func(c *Config) { c.Dials = 0 },
		"tiny message": func(c *Config) { c.Size = 7 }, "no messages": func(c *Config) { c.Messages = 0 },
		"all lost": func(c *Config) { c.Loss = 1 }, "no rate": func(c *Config) { c.Mbps = 0 },
		"all killed": func(c *Config) { c.Kill = 1 }, "churn below zero": func(c *Config) { c.Churn = -1 },
		"warm-up below zero": func(c *Config) { c.Warmup = -1 },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if _, err := NewWorld(cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: got %v, want %v", name, err, ErrConfig)
		}
	}
}

func TestQuantiles(t *testing.T) {
	values := []float64{4, 2, 1, 3}
	if got, want := percentiles(slices.Clone(values)), (Times{P50: 2, P95: 4, P99: 4, Max: 4, Within200: 1, Within600: 1}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	slices.Sort(values)
	if got := within(values, 3); got != 0.5 {
		t.Errorf("share below 3: got %v, want 0.5", got)
	}
	if got := percentiles(nil); got != (Times{}) {
		t.Errorf("of nothing: got %v, want zeros", got)
	}
}
