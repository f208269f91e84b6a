package gossipsub

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/episub"
)

const (
	// DefaultMaxMessage is the largest payload by default, in bytes: libp2p's own limit.
	DefaultMaxMessage = 1 << 20
	// MaxMaxMessage is the largest payload that can be configured, in bytes.
	// Larger things are chunked by a protocol of their own.
	MaxMaxMessage = 16 << 20
	// MaxTopicLength is the longest topic name in bytes: chosen above any name in
	// use (Ethereum's have about 60, IPNS's about 90) so that names stay cheap to keep.
	MaxTopicLength = 512
	// Overhead is how many bytes a message may be longer on the wire than its
	// payload: topic, author (42), sequence number (8), signature and key (1,062
	// with 4096-bit RSA) and protobuf tags, rounded up.
	Overhead = 2 << 10

	// queueBudget is what the messages of one full queue may take, in bytes:
	// chosen so that queues of the largest messages fit a small machine.
	queueBudget = 256 << 20
	minQueue    = 32    // messages: libp2p's default, the least we go down to
	maxQueue    = 4_096 // messages: a burst of 0.2 s at 20,000 messages/s
)

// WireLimit is the largest pubsub message on the wire, in bytes, when payloads
// have at most maxMessage bytes.
func WireLimit(maxMessage int) int { return maxMessage + Overhead }

// Config is how a PubSub behaves.
type Config struct {
	// MaxMessage is the largest payload in bytes, published or received.
	MaxMessage int
	// MaxTopicsPerPeer bounds how many topics that are not ours we remember of
	// one peer. Topics of ours are always remembered.
	MaxTopicsPerPeer int
	// MaxSubscriptionsPerRPC bounds the subscription changes in one message;
	// a message with more is ignored.
	MaxSubscriptionsPerRPC int
	// SubscriptionMessages and SubscriptionBytes bound what one local
	// subscription buffers for a slow reader.
	SubscriptionMessages int
	SubscriptionBytes    int
	// OutboundQueue is how many messages may wait for one peer, ValidateQueue how
	// many received ones wait to be verified; what exceeds them is dropped and
	// counted. 0: as many of MaxMessage as fit 256 MiB, within 32 and 4,096.
	OutboundQueue int
	ValidateQueue int
	// Report is told of offences and, every 5 s, of deliveries, on a goroutine of its
	// own; it may wait. With it, Rate has an effect. nil: nobody is told.
	Report func(core.Event)
	// Episub lets episub decide who pushes and who announces, towards the peers that
	// speak it too. Without it this is plain gossipsub.
	Episub bool
	// Tiers is how episub decides.
	Tiers episub.Config
	// Seed makes what episub leaves to chance repeatable; 0: it is not.
	Seed uint64
	// OnTier is told of each change of a tier, on pubsub's process loop: it must not
	// wait. nil: nobody is told.
	OnTier func(TierChange)
	Logger *slog.Logger
}

// DefaultConfig is what a node uses unless told otherwise.
func DefaultConfig() Config {
	return Config{
		MaxMessage:             DefaultMaxMessage,
		MaxTopicsPerPeer:       1_024,    // chosen: under 1 MiB a peer with the longest names
		MaxSubscriptionsPerRPC: 4_096,    // chosen: the hello of a peer in 4 x as many topics still counts
		SubscriptionMessages:   4_096,    // chosen: 0.2 s of reader pause at 20,000 messages/s
		SubscriptionBytes:      64 << 20, // chosen: four of the largest messages fit
		Tiers:                  episub.DefaultConfig(),
		Logger:                 slog.New(slog.DiscardHandler),
	}
}

// ErrConfig says that a setting is out of range.
var ErrConfig = errors.New("invalid pubsub setting")

// Validate returns an error that names the first bad setting and its range.
func (c Config) Validate() error {
	for _, s := range []struct {
		name          string
		value, lo, hi int
	}{
		{"MaxMessage", c.MaxMessage, 1, MaxMaxMessage},
		{"MaxTopicsPerPeer", c.MaxTopicsPerPeer, 1, 1 << 16},
		{"MaxSubscriptionsPerRPC", c.MaxSubscriptionsPerRPC, 1, 1 << 16},
		{"SubscriptionMessages", c.SubscriptionMessages, 1, 1 << 20},
		{"SubscriptionBytes", c.SubscriptionBytes, c.MaxMessage, 1 << 40},
		{"OutboundQueue", c.OutboundQueue, 0, 1 << 16},
		{"ValidateQueue", c.ValidateQueue, 0, 1 << 16},
	} {
		if s.value < s.lo || s.value > s.hi {
			return fmt.Errorf("%w: %s is %d: set it between %d and %d", ErrConfig, s.name, s.value, s.lo, s.hi)
		}
	}
	if c.Logger == nil {
		return fmt.Errorf("%w: Logger is nil: start from DefaultConfig", ErrConfig)
	}
	return c.Tiers.Validate()
}

// queue is the length of a queue: as set, or as many of the largest messages as
// fit the budget.
func (c Config) queue(set int) int {
	if set > 0 {
		return set
	}
	return min(max(queueBudget/c.MaxMessage, minQueue), maxQueue)
}
