package dialing

import (
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/core"
)

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("invalid dialing configuration")

// Topology is how many candidates are dialled.
type Topology uint8

// The topologies.
const (
	Bounded Topology = iota // up to TargetDegree
	Mesh                    // everyone heard of, up to MaxPeers
	topologies
)

func (t Topology) String() string {
	if t >= topologies {
		return fmt.Sprintf("topology-%d", t)
	}
	return [...]string{"bounded", "mesh"}[t]
}

// Config says whom to dial and how hard. Start from DefaultConfig.
type Config struct {
	Self core.PeerID // never dialled

	// Bootstrappers are never forgotten. SetBootstrappers replaces them later;
	// with AwaitBootstrappers the saved peers wait for its first coming, so that
	// a name or file that is still being read counts as configured.
	Bootstrappers      []peer.AddrInfo
	AwaitBootstrappers bool

	Saved []core.SavedPeer // the newest first: they are tried in this order

	Topology     Topology
	TargetDegree int // in Bounded: connections to dial of our own accord, bootstrappers included
	MaxPeers     int // connections in all, beyond which only bootstrappers and validators are dialled
	MaxDialing   int // dials without an answer yet
	MaxKnown     int // candidates in the book
	MaxAddrs     int // addresses of one candidate
	MaxHearsay   int // of these, addresses of one dial that only hearsay names

	// Symmetry dials back whoever dialled us, at the addresses that it claims.
	Symmetry      bool
	DialBackAfter time.Duration // wait before a failed dial-back is tried again

	// DialSecondAfter is how much later than the peer we dial, where our peer ID
	// is the higher of the two.
	DialSecondAfter time.Duration

	BackoffBase        time.Duration // wait after the first failure, doubled with each further one
	BackoffMax         time.Duration
	LoneBackoffMax     time.Duration // instead of BackoffMax for bootstrappers while no peer is connected
	FullBackoffMax     time.Duration // instead of BackoffMax for a bootstrapper without a place for us, while others are connected
	RejectedFor        time.Duration // wait after a lasting rejection
	ForgetAfter        int           // failures in a row
	ForgetHearsayAfter int           // the same where only hearsay names the peer
	DialSweep          time.Duration // a dial without an answer has failed after this
	StableAfter        time.Duration // a connection that ends sooner counts as a failure

	DialsPerSecond int
	DialBurst      int // dials at once after a pause

	// IPDialsPerMinute bounds, over all peers, the addresses on one IP that are
	// dialled without our having reached the peer there before; a failed one
	// counts IPFailureCost times. So nobody can make the network flood a third
	// party by naming its address. Loopback is exempt unless LimitLoopback is set.
	IPDialsPerMinute int
	IPFailureCost    int
	MaxIPs           int // IPs watched at a time: the longest watched gives way
	LimitLoopback    bool
}

// DefaultConfig is a node in bounded topology.
func DefaultConfig() Config {
	return Config{
		TargetDegree: 12,   // chosen because gossip needs 6 eager links and half may be bad
		MaxPeers:     50,   // Basalt: max peers
		MaxDialing:   16,   // chosen over TargetDegree, so that candidates never block bootstrappers
		MaxKnown:     4096, // chosen because it is under 4 MiB, and 80 x MaxPeers
		MaxAddrs:     16,   // as many as a claim may hold
		MaxHearsay:   4,    // chosen for two transports over two IP versions

		DialBackAfter:   time.Second,            // chosen for 10 tries within the 15 s that symmetry allows
		DialSecondAfter: 500 * time.Millisecond, // DESIGN: the lower peer ID dials first, the other after 500 ms

		BackoffBase:        time.Second,      // avalanchego: initial reconnect delay
		BackoffMax:         time.Minute,      // avalanchego: maximum reconnect delay
		LoneBackoffMax:     15 * time.Second, // chosen so that a lone node is back soon after a long outage
		FullBackoffMax:     10 * time.Minute, // chosen like RejectedFor: a hundred nodes that joined elsewhere then ask once in 6 s
		RejectedFor:        10 * time.Minute, // DESIGN: cool-down; a setting has to be changed first
		ForgetAfter:        8,                // casper-node: failures until an address is forgotten
		ForgetHearsayAfter: 3,                // chosen so that 12 false addresses are tried at most
		DialSweep:          time.Minute,      // casper-node: pending connections are swept
		StableAfter:        30 * time.Second, // chosen over the 10 s that a full node grants a newcomer

		DialsPerSecond: 50,  // avalanchego: outbound connection throttling
		DialBurst:      100, // chosen so that a mesh of 100 is dialled at a stroke

		IPDialsPerMinute: 60,   // go-libp2p AutoNAT v2: 60 dials a minute in all
		IPFailureCost:    5,    // go-libp2p AutoNAT v2: 12 a minute for one peer, a fifth of 60
		MaxIPs:           4096, // chosen because it is under 1 MiB
	}
}

// Validate names the first setting that makes no sense.
func (c Config) Validate() error {
	if err := c.Self.Validate(); err != nil {
		return fmt.Errorf("%w: Self: %w: set it to the node's own peer ID", ErrConfig, err)
	}
	if c.Topology >= topologies {
		return fmt.Errorf("%w: Topology is %v: it must be bounded or mesh", ErrConfig, c.Topology)
	}
	if err := c.validateCounts(); err != nil {
		return err
	}
	return c.validateTimes()
}

func (c Config) validateCounts() error {
	for _, n := range []struct {
		name  string
		value int
		least int
	}{
		{"TargetDegree", c.TargetDegree, 0}, {"MaxPeers", c.MaxPeers, 1}, {"MaxDialing", c.MaxDialing, int(lanes)},
		{"MaxKnown", c.MaxKnown, 1}, {"MaxAddrs", c.MaxAddrs, 1}, {"MaxHearsay", c.MaxHearsay, 1},
		{"ForgetAfter", c.ForgetAfter, 1}, {"ForgetHearsayAfter", c.ForgetHearsayAfter, 1},
		{"DialsPerSecond", c.DialsPerSecond, 1}, {"DialBurst", c.DialBurst, 1},
		{"IPDialsPerMinute", c.IPDialsPerMinute, 1}, {"IPFailureCost", c.IPFailureCost, 1}, {"MaxIPs", c.MaxIPs, 1},
	} {
		if n.value < n.least {
			return fmt.Errorf("%w: %s is %d: it must be at least %d", ErrConfig, n.name, n.value, n.least)
		}
	}
	return nil
}

func (c Config) validateTimes() error {
	switch {
	case c.BackoffBase <= 0 || min(c.BackoffMax, c.LoneBackoffMax, c.FullBackoffMax) < c.BackoffBase:
		return fmt.Errorf("%w: backoff from %v to %v, alone to %v, from a full node to %v: it must grow from above zero",
			ErrConfig, c.BackoffBase, c.BackoffMax, c.LoneBackoffMax, c.FullBackoffMax)
	case c.DialSweep <= 0 || c.StableAfter < 0:
		return fmt.Errorf("%w: DialSweep %v, StableAfter %v: they must not be negative, and a dial needs time",
			ErrConfig, c.DialSweep, c.StableAfter)
	case c.DialBackAfter <= 0 || c.RejectedFor <= 0 || c.DialSecondAfter < 0:
		return fmt.Errorf("%w: DialBackAfter %v, RejectedFor %v, DialSecondAfter %v: they must not be negative, and one that failed needs a pause",
			ErrConfig, c.DialBackAfter, c.RejectedFor, c.DialSecondAfter)
	}
	return nil
}
