package simtest

import (
	"testing"
	"time"
)

// wide is the network of most scenarios: one-way latencies from 5 to 100 ms.
func wide() Config {
	cfg := DefaultConfig()
	cfg.Latency = Uniform(1, 5*time.Millisecond, 100*time.Millisecond)
	cfg.Jitter = 5 * time.Millisecond
	return cfg
}

func fixed(oneWay time.Duration) Config {
	cfg := DefaultConfig()
	cfg.Latency = Fixed(oneWay)
	return cfg
}

func TestOneSeedGivesOneRun(t *testing.T) {
	run := func(seed uint64) uint64 {
		cfg := wide()
		cfg.Loss = 0.02
		c := newCrowd(t, seed, cfg)
		c.network(40, keep)
		c.Run(20 * time.Second)
		c.members[7].Crash()
		c.Run(40 * time.Second)
		c.members[7].Start()
		c.Run(20 * time.Second)
		return c.Trace()
	}
	one, again, other := run(1), run(1), run(2)
	if one != again {
		t.Errorf("seed 1 gave traces %x and %x, want the same", one, again)
	}
	if one == other {
		t.Errorf("seeds 1 and 2 gave one trace %x", one)
	}
}
