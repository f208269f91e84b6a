package simhost

import (
	"errors"
	"fmt"
	"time"
)

// Config is a world and what happens in it.
type Config struct {
	Nodes    int           // hosts
	Dials    int           // connections that each of them opens
	Size     int           // bytes of a message
	Warmup   int           // messages before those that are measured
	Messages int           // measured messages
	Interval time.Duration // between two messages; 0: chosen by size
	Settle   time.Duration // from connecting to the first message
	Drain    time.Duration // from the last message to the end
	Mbps     float64       // of each link, up and down
	Drawn    bool          // delays between regions by chance, not as cloud providers publish them
	LastMile time.Duration // mean of a node's own delay
	Loss     float64       // of packets, 0 to 1
	Churn    float64       // share of the nodes that vanish in a minute; each returns after Away
	Away     time.Duration
	Kill     float64 // share of the nodes that vanish for good, at once, amid the measured messages
	Seed     int64
}

// DefaultConfig is a world of 100 nodes.
func DefaultConfig() Config {
	return Config{
		Nodes: 100, Dials: 10, Size: 1 << 10, Warmup: 30, Messages: 50,
		Settle: 10 * time.Second, // chosen: ten heartbeats
		Drain:  10 * time.Second, // chosen: gossip announces a message for three heartbeats
		Mbps:   50, LastMile: 5 * time.Millisecond,
		Away: 10 * time.Second, Seed: 1,
	}
}

// ErrConfig says that a setting makes no world.
var ErrConfig = errors.New("invalid simulation")

// Validate names the first bad setting.
func (c Config) Validate() error {
	for _, s := range []struct {
		name string
		ok   bool
		want string
	}{
		{"Nodes", c.Nodes >= 2 && c.Nodes <= 10_000, "2 to 10000"},
		{"Dials", c.Dials >= 1, "at least 1"},
		{"Size", c.Size >= headerBytes && c.Size <= 16<<20, fmt.Sprintf("%d to 16 MiB", headerBytes)},
		{"Warmup", c.Warmup >= 0, "at least 0"},
		{"Messages", c.Messages >= 1, "at least 1"},
		{"Mbps", c.Mbps > 0, "positive"},
		{"Loss", c.Loss >= 0 && c.Loss < 1, "0 to 1"},
		{"Churn", c.Churn >= 0 && c.Churn <= 60, "0 to 60"},
		{"Kill", c.Kill >= 0 && c.Kill <= 0.9, "0 to 0.9"},
	} {
		if !s.ok {
			return fmt.Errorf("%w: set %s to %s", ErrConfig, s.name, s.want)
		}
	}
	return nil
}

// interval is the time between two messages: by default four messages a second of
// small ones, and for large ones 60 times what one takes on a link, so that
// messages do not queue behind each other.
func (c Config) interval() time.Duration {
	if c.Interval > 0 {
		return c.Interval
	}
	return 250*time.Millisecond + 60*c.transmission()
}

// transmission is how long a message occupies a link.
func (c Config) transmission() time.Duration {
	return time.Duration(float64(c.Size) * 8 / c.Mbps * float64(time.Microsecond))
}
