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

// Config says whom to dial and how hard. Start from DefaultConfig.
type Config struct {
	Self core.PeerID // never dialled

	// Bootstrappers are never forgotten. SetBootstrappers replaces them later;
	// with AwaitBootstrappers the saved peers wait for its first coming, so that
	// a name or file that is still being read counts as configured.
	Bootstrappers      []peer.AddrInfo
	AwaitBootstrappers bool

	Saved []core.SavedPeer // the newest first: they are tried in this order

	TargetDegree int // connections to dial of our own accord, bootstrappers included
	MaxPeers     int // connections in all, beyond which only bootstrappers are dialled
	MaxDialing   int // dials without an answer yet
	MaxKnown     int // candidates in the book
	MaxAddrs     int // addresses of one candidate

	BackoffBase time.Duration // wait after the first failure, doubled with each further one
	BackoffMax  time.Duration
	ForgetAfter int           // failures in a row
	DialSweep   time.Duration // a dial without an answer has failed after this
	StableAfter time.Duration // a connection that ends sooner counts as a failure
}

// DefaultConfig is a node in bounded topology.
func DefaultConfig() Config {
	return Config{
		TargetDegree: 12,               // chosen because gossip needs 6 eager links and half may be bad
		MaxPeers:     50,               // Basalt: max peers
		MaxDialing:   16,               // chosen over TargetDegree, so that candidates never block bootstrappers
		MaxKnown:     4096,             // chosen because it is under 4 MiB, and 80 x MaxPeers
		MaxAddrs:     16,               // as many as a claim may hold
		BackoffBase:  time.Second,      // avalanchego: initial reconnect delay
		BackoffMax:   time.Minute,      // avalanchego: maximum reconnect delay
		ForgetAfter:  8,                // casper-node: failures until an address is forgotten
		DialSweep:    time.Minute,      // casper-node: pending connections are swept
		StableAfter:  30 * time.Second, // chosen over the 10 s that a full node grants a newcomer
	}
}

// Validate names the first setting that makes no sense.
func (c Config) Validate() error {
	if err := c.Self.Validate(); err != nil {
		return fmt.Errorf("%w: Self: %w: set it to the node's own peer ID", ErrConfig, err)
	}
	for _, n := range []struct {
		name  string
		value int
		least int
	}{
		{"TargetDegree", c.TargetDegree, 0}, {"MaxPeers", c.MaxPeers, 1}, {"MaxDialing", c.MaxDialing, 1},
		{"MaxKnown", c.MaxKnown, 1}, {"MaxAddrs", c.MaxAddrs, 1}, {"ForgetAfter", c.ForgetAfter, 1},
	} {
		if n.value < n.least {
			return fmt.Errorf("%w: %s is %d: it must be at least %d", ErrConfig, n.name, n.value, n.least)
		}
	}
	if c.BackoffBase <= 0 || c.BackoffMax < c.BackoffBase {
		return fmt.Errorf("%w: backoff from %v to %v: it must grow from above zero", ErrConfig, c.BackoffBase, c.BackoffMax)
	}
	if c.DialSweep <= 0 || c.StableAfter < 0 {
		return fmt.Errorf("%w: DialSweep %v, StableAfter %v: they must not be negative, and a dial needs time", ErrConfig, c.DialSweep, c.StableAfter)
	}
	return nil
}
