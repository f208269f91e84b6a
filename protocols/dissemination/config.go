package dissemination

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/weftnet/weft/protocols/broadcast"
	"github.com/weftnet/weft/protocols/catchup"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/fetch"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/pending"
)

// ErrConfig is wrapped by every error of New and of Topic.Validate.
var ErrConfig = errors.New("invalid dissemination configuration")

// Config is that of the composed protocols, and what they share. Start from
// DefaultConfig.
type Config struct {
	Self    core.PeerID
	Network string // an object of another one is invalid

	Pending   pending.Config
	Fetch     fetch.Config
	Catchup   catchup.Config
	Infect    infect.Config
	Broadcast broadcast.Config

	MaxUnsaved    int           // bytes of accepted objects that are not on disk; beyond it peers' objects are left for later
	MaxJudged     int           // objects that wait for the application
	JudgeWithin   time.Duration // for the application to decide
	Fresh         time.Duration // after sending an object its sender must have what it depends on
	ChangeGrace   time.Duration // after a change of the validators nobody is blamed for passing on what another set may author
	LookupsPerMin int           // of holders in the DHT
	Fade          time.Duration // after landing, in which the bytes of a pruned object stay, for those who are a little behind
	MaxFading     int           // bytes of such objects, of a topic; and no more than what it keeps
	MaxTombstones int           // IDs of pruned objects that are kept, of a topic
	MaxRemembered int           // IDs of invalid objects that are kept, and of refused ones
	Shun          time.Duration // for which an object that the application ignored is not asked for again
}

// DefaultConfig returns the configuration of a network.
func DefaultConfig(self core.PeerID, network string) Config {
	c := Config{
		Self: self, Network: network,
		Pending: pending.DefaultConfig(), Fetch: fetch.DefaultConfig(), Catchup: catchup.DefaultConfig(),
		Infect: infect.ObjectsConfig(), Broadcast: broadcast.DefaultConfig(),

		MaxUnsaved:    64 << 20,         // chosen: four of the largest objects, or a burst of 65,536 of 1 KiB
		MaxJudged:     4096,             // chosen like the wants of fetch
		JudgeWithin:   60 * time.Second, // Casper: validate and store timeout
		Fresh:         60 * time.Second, // design: announced within the last 60 s and then not found
		ChangeGrace:   60 * time.Second, // chosen like Fresh
		LookupsPerMin: 30,               // chosen: each asks some twenty peers
		Fade:          60 * time.Second, // chosen like Fresh
		MaxFading:     64 << 20,         // chosen like MaxUnsaved
		MaxTombstones: 1 << 18,          // chosen: 16 MiB
		MaxRemembered: 1 << 14,          // chosen: 2 MiB
		Shun:          10 * time.Minute, // chosen like the age of what waits
	}
	return c
}

// Validate names the first field that cannot work.
func (c Config) Validate() error {
	switch {
	case c.Self == "" || c.Network == "":
		return fmt.Errorf("%w: Self is %q and Network %q: set both", ErrConfig, c.Self, c.Network)
	case min(c.MaxUnsaved, c.MaxJudged, c.LookupsPerMin, c.MaxTombstones, c.MaxRemembered) < 1:
		return fmt.Errorf("%w: MaxUnsaved %d, MaxJudged %d, LookupsPerMin %d, MaxTombstones %d, MaxRemembered %d: set all to 1 or more",
			ErrConfig, c.MaxUnsaved, c.MaxJudged, c.LookupsPerMin, c.MaxTombstones, c.MaxRemembered)
	case c.Fade < 0 || c.MaxFading < 0:
		return fmt.Errorf("%w: Fade %v, MaxFading %d: set neither below 0", ErrConfig, c.Fade, c.MaxFading)
	case min(c.JudgeWithin, c.Fresh, c.ChangeGrace, c.Shun) <= 0:
		return fmt.Errorf("%w: JudgeWithin %v, Fresh %v, ChangeGrace %v, Shun %v: set all above 0",
			ErrConfig, c.JudgeWithin, c.Fresh, c.ChangeGrace, c.Shun)
	}
	for _, err := range []error{c.Pending.Validate(), c.Fetch.Validate(), c.Catchup.Validate(), c.Infect.Validate(), c.Broadcast.Validate()} {
		if err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	return nil
}

// Class says how the objects of a topic reach others.
type Class uint8

// The classes (design: gossip, infect or broadcast).
const (
	Gossip    Class = iota // pushed along gossipsub's mesh
	Infect                 // infection gossip
	Broadcast              // once, without a guarantee, to all who are connected
)

var classes = [...]string{"gossip", "infect", "broadcast"}

func (c Class) String() string {
	if int(c) < len(classes) {
		return classes[c]
	}
	return fmt.Sprintf("class %d", uint8(c))
}

// ParseClass reads a class by its name.
func ParseClass(s string) (Class, error) {
	for i, name := range classes {
		if name == s {
			return Class(i), nil
		}
	}
	return 0, fmt.Errorf("%w: the class is %q: use gossip, infect or broadcast", ErrConfig, s)
}

// Keep says how much of a topic is kept. What is older, beyond any of the three, is
// pruned: its ID counts as held, its bytes are gone.
type Keep struct {
	Objects int
	Bytes   int64
	Age     time.Duration
}

// DefaultKeep is what a topic keeps unless told otherwise.
func DefaultKeep() Keep {
	return Keep{
		Objects: 100_000,            // chosen: 10 MiB of index in memory
		Bytes:   1 << 30,            // chosen: fits the smallest disk of a server
		Age:     7 * 24 * time.Hour, // chosen: outlasts a long weekend without one half of the network
	}
}

// Authors says who may author the objects of a topic.
type Authors uint8

// The rules.
const (
	Anyone     Authors = iota // signed or not
	Validators                // the validator set, by peer ID or consensus key
	Listed                    // Topic.Keys
)

// Topic is one object topic.
type Topic struct {
	Name    string
	Class   Class
	Keep    Keep
	Authors Authors
	Keys    []ed25519.PublicKey // of Listed
	Judged  bool                // the application decides about each object
}

// MaxTopicLength bounds a name, in bytes, as objects and pubsub do.
const MaxTopicLength = 512

// Validate names the first field that cannot work.
func (t Topic) Validate() error {
	switch {
	case t.Name == "" || len(t.Name) > MaxTopicLength:
		return fmt.Errorf("%w: a topic's name has %d bytes: use 1 to %d", ErrConfig, len(t.Name), MaxTopicLength)
	case int(t.Class) >= len(classes):
		return fmt.Errorf("%w: topic %q: %v: use gossip, infect or broadcast", ErrConfig, t.Name, t.Class)
	case t.Keep.Objects < 1 || t.Keep.Bytes < 1 || t.Keep.Age <= 0:
		return fmt.Errorf("%w: topic %q keeps %d objects, %d bytes, %v: use 1 or more, and an age above 0", ErrConfig, t.Name, t.Keep.Objects, t.Keep.Bytes, t.Keep.Age)
	case t.Authors > Listed:
		return fmt.Errorf("%w: topic %q: unknown rule for authors", ErrConfig, t.Name)
	case t.Authors == Listed && len(t.Keys) == 0:
		return fmt.Errorf("%w: topic %q: the list of authors is empty: nobody could write", ErrConfig, t.Name)
	}
	return nil
}
