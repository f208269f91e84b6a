package fetch

import (
	"errors"
	"fmt"
	"time"
)

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("invalid fetch configuration")

// Config says how hard we try to get an object and what we do for others.
type Config struct {
	AnswerWithin    time.Duration // for the answer to a request
	ComingPerSecond int           // bytes by which the answer may be later when a Coming names them
	Grace           time.Duration // after that, in which an answer is still used, and nobody's fault
	CheckWithin     time.Duration // for an object that came to be accepted or found wrong
	MaxAsked        int           // peers that are asked for one object
	MaxHolders      int           // of one object that are noted and not asked yet
	MaxInFlight     int           // requests to one peer without an answer; and as many again for which a Coming came
	MaxWants        int           // objects at a time
	MaxLate         int           // requests in their grace

	MaxServed         int           // requests of one peer at a time; and as many again for large objects
	MaxQueued         int           // bytes of the large objects that one peer waits for
	RequestsPerSecond int           // of one peer that are served
	RequestBurst      int           // of them at once, after a pause
	BytesPerSecond    int           // that one peer is sent, and as many again in large answers
	BytesBurst        int           // of them at once, after a pause
	BulkBurst         int           // the same for large answers; one of them may be larger
	LoadWithin        time.Duration // for the composer to answer a Serve
	ClosureObjects    int           // that are given with one asked for, itself included; 1: closures are not given
	ClosureBytes      int           // of them
}

// DefaultConfig returns Casper's fetcher with weft's bounds.
func DefaultConfig() Config {
	return Config{
		AnswerWithin:    10 * time.Second, // FACTS: Casper, get from peer timeout
		ComingPerSecond: 256 << 10,        // chosen as what a slow link carries: 2 Mbit/s
		Grace:           time.Minute,      // chosen like what gossip remembers of a finished item
		CheckWithin:     time.Minute,      // FACTS: Casper, validate and store
		MaxAsked:        5,                // FACTS: Casper, peers per dependency
		MaxHolders:      16,               // chosen as three times MaxAsked: some are gone when their turn comes
		MaxInFlight:     64,               // chosen like MaxServed
		MaxWants:        4096,             // chosen as four objects with the most dependencies
		MaxLate:         16384,            // chosen as every want, asked of four peers that are silent

		MaxServed:         64,               // chosen because 64 answers of 64 KiB take a second at BytesPerSecond
		MaxQueued:         MaxComing,        // one largest object behind another
		RequestsPerSecond: 4096,             // chosen as what BytesPerSecond carries of 1 KiB
		RequestBurst:      1024,             // chosen as the dependencies of one object
		BytesPerSecond:    4 << 20,          // chosen as half of what a node reads of one peer: a log of 1 GiB takes four minutes
		BytesBurst:        512 << 10,        // chosen as half of what may wait for a peer
		BulkBurst:         256 << 10,        // chosen as half of the other half
		LoadWithin:        10 * time.Second, // chosen like AnswerWithin: later nobody waits for it
		ClosureObjects:    MaxObjects,
		ClosureBytes:      1 << 20, // chosen because a message of over 2 MiB waits at its receiver until it is its peer's only one
	}
}

// Validate names the first field that cannot work, and what would.
func (c Config) Validate() error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"AnswerWithin", c.AnswerWithin}, {"Grace", c.Grace}, {"CheckWithin", c.CheckWithin}, {"LoadWithin", c.LoadWithin}} {
		if d.value <= 0 {
			return fmt.Errorf("%w: %s is %v, set it above 0", ErrConfig, d.name, d.value)
		}
	}
	for _, n := range []struct {
		name            string
		value, min, max int
	}{
		{"ComingPerSecond", c.ComingPerSecond, 1, MaxBulkPayload},
		{"MaxAsked", c.MaxAsked, 1, 1 << 10},
		{"MaxHolders", c.MaxHolders, 1, 1 << 10},
		{"MaxInFlight", c.MaxInFlight, 1, 1 << 20},
		{"MaxWants", c.MaxWants, 1, 1 << 20},
		{"MaxLate", c.MaxLate, 1, 1 << 20},
		{"MaxServed", c.MaxServed, 1, 1 << 20},
		{"MaxQueued", c.MaxQueued, MaxBulkPayload, MaxComing},
		{"RequestsPerSecond", c.RequestsPerSecond, 1, 1 << 20},
		{"RequestBurst", c.RequestBurst, 1, 1 << 20},
		{"BytesPerSecond", c.BytesPerSecond, 1, 1 << 40},
		{"BytesBurst", c.BytesBurst, 1, 1 << 40},
		{"BulkBurst", c.BulkBurst, 1, 1 << 40},
		{"ClosureObjects", c.ClosureObjects, 1, MaxObjects},
		{"ClosureBytes", c.ClosureBytes, MaxPayload, MaxClosure},
	} {
		if n.value < n.min || n.value > n.max {
			return fmt.Errorf("%w: %s is %d, set %d to %d", ErrConfig, n.name, n.value, n.min, n.max)
		}
	}
	return nil
}
