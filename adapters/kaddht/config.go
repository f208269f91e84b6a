package kaddht

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// DefaultNetwork is the network that a node joins unless told otherwise.
	DefaultNetwork = "weft"
	// DefaultBucketSize is Kademlia's k, in peers; section 2.2 of the paper.
	DefaultBucketSize = 20
	// DefaultConcurrency is Kademlia's alpha, in requests; section 2.3 of the paper.
	DefaultConcurrency = 3
)

// Config is how a DHT behaves.
type Config struct {
	Network     string                  // the network's name, part of the protocol ID
	BucketSize  int                     // peers per bucket, and in an answer
	Concurrency int                     // requests under way in one lookup
	Keep        func(ma.Multiaddr) bool // which addresses are of use to us; nil: all
	Bootstrap   func() []peer.AddrInfo  // whom to connect to when the table is empty; nil: nobody
	// Found is told of peers that lookups hear of and that we are not connected
	// to, with the addresses that Keep allows. It is called from lookups, often
	// and repeatedly for the same peer, and must not block. nil: nobody is told.
	Found      func(peer.AddrInfo)
	Logger     *slog.Logger
	Registerer prometheus.Registerer // gets the durations of lookups; nil: nobody does
}

// DefaultConfig is what a node uses unless told otherwise.
func DefaultConfig() Config {
	return Config{
		Network: DefaultNetwork, BucketSize: DefaultBucketSize, Concurrency: DefaultConcurrency,
		Logger: slog.New(slog.DiscardHandler),
	}
}

// ErrConfig says that a setting is out of range.
var ErrConfig = errors.New("invalid DHT setting")

// Validate returns an error that names the first bad setting and the remedy.
func (c Config) Validate() error {
	switch {
	case c.Network == "" || strings.ContainsAny(c.Network, "/ \t\n"):
		return fmt.Errorf("%w: network name %q: use a word without spaces and slashes", ErrConfig, c.Network)
	case c.BucketSize < 1:
		return fmt.Errorf("%w: BucketSize is %d: set it to 1 or more (%d is usual)", ErrConfig, c.BucketSize, DefaultBucketSize)
	case c.Concurrency < 1:
		return fmt.Errorf("%w: Concurrency is %d: set it to 1 or more (%d is usual)", ErrConfig, c.Concurrency, DefaultConcurrency)
	case c.Logger == nil:
		return fmt.Errorf("%w: Logger is nil: start from DefaultConfig", ErrConfig)
	}
	return nil
}

// prefix is what the protocol ID of a network begins with.
func (c Config) prefix() protocol.ID { return protocol.ID("/weft/" + c.Network) }

// Protocol is the stream protocol of a network's DHT.
func (c Config) Protocol() protocol.ID { return c.prefix() + "/kad/1.0.0" }

// keep returns those of the addresses that are of use.
func (c Config) keep(addrs []ma.Multiaddr) []ma.Multiaddr {
	if c.Keep == nil {
		return addrs
	}
	return ma.FilterAddrs(addrs, c.Keep)
}
