package pending

import (
	"errors"
	"fmt"
	"time"
)

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("invalid configuration of waiting objects")

// Config says how much may wait, and for how long.
type Config struct {
	MaxBytes     int // that all items are charged
	MaxPeerBytes int // that the items of one peer are charged; an item over it never fits
	ItemBytes    int // the least that an item is charged: this bounds their number
	LinkBytes    int // the least that it is charged for each missing dependency

	MaxDepth int           // levels of waiting on waiting
	MaxAge   time.Duration // that an item waits

	MaxParked     int           // IDs that found no room
	MaxPeerParked int           // of them from one peer
	UnparkEvery   time.Duration // how often it is seen whether there is room
	UnparkBatch   int           // IDs that are then fetched again at most
	UnparkWithin  time.Duration // for one to come; its room is kept so long

	MaxWants     int           // missing objects that are wanted at a time
	MaxPeerWants int           // of them for items of one peer
	RetryAfter   time.Duration // until a missing object that could not be fetched is wanted again
}

// DefaultConfig returns the configuration of every network.
func DefaultConfig() Config {
	return Config{
		MaxBytes:      64 << 20,         // chosen for four peers that use up theirs
		MaxPeerBytes:  16 << 20,         // chosen so that the largest object fits
		ItemBytes:     4 << 10,          // chosen for 16,384 items in all and 4,096 of a peer
		LinkBytes:     512,              // chosen above the 350 bytes of memory that one takes (BenchmarkMemoryWhenFull)
		MaxDepth:      10_000,           // chosen above any chain that is fetched from its end; a longer one is joined from an anchor
		MaxAge:        10 * time.Minute, // chosen to outlast a partition of five minutes and the time to catch up
		MaxParked:     65_536,           // chosen as four times the items: 13 MiB
		MaxPeerParked: 16_384,           // chosen as four times the items of a peer
		UnparkEvery:   time.Second,      // chosen well below what a fetch takes at worst
		UnparkBatch:   256,              // chosen so that the whole of the parked is gone through in five minutes
		UnparkWithin:  time.Minute,      // FACTS: 10 s for each of five holders, and a reserve
		MaxWants:      2048,             // chosen as half of what fetch keeps: the rest is for catching up
		MaxPeerWants:  256,              // chosen so that eight peers are needed to use up all
		RetryAfter:    15 * time.Second, // chosen above the 10 s after which one holder is given up
	}
}

// Validate names the first field that cannot work, and what would.
func (c Config) Validate() error {
	switch {
	case c.ItemBytes < 1 || c.LinkBytes < 1:
		return fmt.Errorf("%w: ItemBytes is %d and LinkBytes %d, set both to 1 or more", ErrConfig, c.ItemBytes, c.LinkBytes)
	case c.MaxPeerBytes < max(c.ItemBytes, c.LinkBytes) || c.MaxBytes < c.MaxPeerBytes:
		return fmt.Errorf("%w: MaxPeerBytes is %d and MaxBytes %d, set ItemBytes, LinkBytes <= MaxPeerBytes <= MaxBytes, or nothing fits",
			ErrConfig, c.MaxPeerBytes, c.MaxBytes)
	case c.MaxDepth < 1:
		return fmt.Errorf("%w: MaxDepth is %d, set 1 or more", ErrConfig, c.MaxDepth)
	case min(c.MaxAge, c.UnparkEvery, c.UnparkWithin, c.RetryAfter) <= 0:
		return fmt.Errorf("%w: MaxAge %v, UnparkEvery %v, UnparkWithin %v, RetryAfter %v: set all above 0",
			ErrConfig, c.MaxAge, c.UnparkEvery, c.UnparkWithin, c.RetryAfter)
	case c.MaxPeerParked < 0 || c.MaxParked < c.MaxPeerParked:
		return fmt.Errorf("%w: MaxPeerParked is %d and MaxParked %d, set 0 <= MaxPeerParked <= MaxParked", ErrConfig, c.MaxPeerParked, c.MaxParked)
	case c.UnparkBatch < 1:
		return fmt.Errorf("%w: UnparkBatch is %d, set 1 or more", ErrConfig, c.UnparkBatch)
	case c.MaxPeerWants < 1 || c.MaxWants < c.MaxPeerWants:
		return fmt.Errorf("%w: MaxPeerWants is %d and MaxWants %d, set 1 <= MaxPeerWants <= MaxWants", ErrConfig, c.MaxPeerWants, c.MaxWants)
	}
	return nil
}
