package infect

import (
	"errors"
	"fmt"
	"time"

	"github.com/weftnet/weft/protocols/object"
)

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("invalid infection gossip configuration")

// Config says how far an item is spread and what is kept of it.
type Config struct {
	Protocol string // libp2p protocol ID of the kind of items
	MaxItem  int    // bytes of an item

	Targets     int // k: peers that are offered an item at first
	Infect      int // L: newly infected peers after which it is enough
	Saturate    int // S: peers that had it already after which it is enough
	MaxAttempts int // offers after which it is enough, whatever came of them

	AnswerWithin time.Duration // for the answer to an offer
	ItemWithin   time.Duration // for an item that was asked for; then another peer is asked too
	LostWithin   time.Duration // for it when nobody else is left to ask; then it is lost
	CheckWithin  time.Duration // for an item to be accepted by us
	KeepFinished time.Duration // that an item is remembered when it is done
	BlameSilence bool          // whether it is an offence to announce an item and not to give it within ItemWithin

	NewPerSecond int // new items of one peer
	NewBurst     int // of them at once, after a pause
	MaxEntries   int // items in the table
	MaxPending   int // items of one peer that are not accepted yet
}

// DefaultConfig returns Casper's configuration with the saturation of weft, for
// address claims.
func DefaultConfig() Config {
	return Config{
		Protocol:     ClaimsProtocol,
		MaxItem:      MaxInline,
		Targets:      3,                // Casper: infection target
		Infect:       3,                // Casper: infection target
		Saturate:     12,               // measured: reaches every node at 12.3 offers per node; 6 reach 99.9 % at 7.3
		MaxAttempts:  20,               // chosen above Infect + Saturate: it ends only what times out
		AnswerWithin: 10 * time.Second, // Casper: gossip request timeout
		ItemWithin:   5 * time.Second,  // Casper: get remainder timeout
		LostWithin:   5 * time.Second,  // the same: a claim is one packet, which comes at once or not at all
		CheckWithin:  time.Minute,      // Casper: validate and store timeout
		KeepFinished: time.Minute,      // Casper: finished entry duration; keep it below the interval at which an item is gossiped again
		BlameSilence: true,             // a claim is too small to be held up by limits of ours
		NewPerSecond: 16,               // chosen because all claims of 2,000 nodes, gossiped every two minutes, are 16 a second
		NewBurst:     256,              // chosen like MaxPending
		MaxEntries:   4096,             // chosen for 8 new items a second while each is kept for a minute, eight times over
		MaxPending:   256,              // chosen so that sixteen peers are needed to fill the table
	}
}

// ObjectsConfig returns the configuration for objects, which are larger and more
// than claims.
func ObjectsConfig() Config {
	c := DefaultConfig()
	c.Protocol = ObjectsProtocol
	c.MaxItem = object.MaxSize
	c.AnswerWithin = 3 * time.Second // chosen because an answer takes a round trip and no work: with 30 % silent peers the last node waits for two such times
	c.ItemWithin = 10 * time.Second  // FACTS: Casper's fetch from one peer; 7 MiB at what a node reads of each, 2 MiB and 512 KiB/s
	c.LostWithin = time.Minute       // chosen as twice what the largest object takes at that rate
	c.BlameSilence = false           // an object may wait for limits of our own
	c.NewPerSecond = 1000            // chosen because to verify that many takes a tenth of a core
	c.NewBurst = 4096                // chosen like MaxPending
	c.MaxEntries = 16384             // chosen for the objects of 16 s at 1,000 a second; most are spread within one, and 35 MB of 1 KiB each
	c.MaxPending = 4096              // chosen like the objects of one peer that may wait for what they depend on
	return c
}

// Validate names the first field that cannot work, and what would.
func (c Config) Validate() error {
	switch {
	case c.Protocol == "" || c.MaxItem < 1 || c.MaxItem > object.MaxSize:
		return fmt.Errorf("%w: Protocol is %q and MaxItem %d, set a protocol ID and 1 to %d bytes", ErrConfig, c.Protocol, c.MaxItem, object.MaxSize)
	case c.Infect < 1 || c.Targets < c.Infect:
		return fmt.Errorf("%w: Targets is %d and Infect %d, set 1 <= Infect <= Targets, or it can never be reached", ErrConfig, c.Targets, c.Infect)
	case c.Saturate < 1:
		return fmt.Errorf("%w: Saturate is %d, set 1 or more", ErrConfig, c.Saturate)
	case c.MaxAttempts < c.Targets:
		return fmt.Errorf("%w: MaxAttempts is %d, set Targets (%d) or more", ErrConfig, c.MaxAttempts, c.Targets)
	case min(c.AnswerWithin, c.ItemWithin, c.CheckWithin, c.KeepFinished) <= 0:
		return fmt.Errorf("%w: AnswerWithin %v, ItemWithin %v, CheckWithin %v, KeepFinished %v: set all above 0",
			ErrConfig, c.AnswerWithin, c.ItemWithin, c.CheckWithin, c.KeepFinished)
	case c.LostWithin < c.ItemWithin:
		return fmt.Errorf("%w: LostWithin is %v, set ItemWithin (%v) or more", ErrConfig, c.LostWithin, c.ItemWithin)
	case c.NewPerSecond < 1 || c.NewBurst < 1:
		return fmt.Errorf("%w: NewPerSecond is %d and NewBurst %d, set both to 1 or more", ErrConfig, c.NewPerSecond, c.NewBurst)
	case c.MaxEntries < 1 || c.MaxPending < 1:
		return fmt.Errorf("%w: MaxEntries is %d and MaxPending %d, set both to 1 or more", ErrConfig, c.MaxEntries, c.MaxPending)
	}
	return nil
}
