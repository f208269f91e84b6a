package discovery

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dialing"
	"github.com/weftnet/weft/protocols/handshake"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/peerlist"
	"github.com/weftnet/weft/protocols/reputation"
	"github.com/weftnet/weft/protocols/uptime"
)

// SymmetryWithin is the default of Config.SymmetryWithin (design: T).
const SymmetryWithin = 15 * time.Second

// ErrConfig is wrapped by every error of New.
var ErrConfig = errors.New("invalid discovery configuration")

// Config is that of the composed protocols, and what they share. Start from
// DefaultConfig.
type Config struct {
	Key          crypto.PrivKey     // the node's identity; Ed25519
	ConsensusKey ed25519.PrivateKey // proved in every handshake; nil: none

	Handshake  handshake.Config
	PeerList   peerlist.Config
	Claim      claim.Config
	Dialing    dialing.Config
	Uptime     uptime.Config
	Infect     infect.Config
	Reputation reputation.Config

	Highest time.Time                      // the highest timestamp signed in earlier runs
	Keep    func(multiaddr.Multiaddr) bool // whether an address of a claim may be dialled; nil: every one

	// Group is the IP group that counts as one operator's when several of its peers are
	// banned; nil: core.GroupOf.
	Group func(multiaddr.Multiaddr) core.Group

	// VerifyClaim is claim.Verify, or what gives the same answers: a simulator that
	// shows one claim to a thousand nodes remembers them. nil: claim.Verify. It is
	// called within core.Verify.
	VerifyClaim func(envelope []byte) (claim.Signed, error)

	PlainPeers int // places for plain libp2p peers

	Symmetry       bool
	SymmetryWithin time.Duration // from the first connection of a pair to its completion
	CoolDown       time.Duration // for which an asymmetric peer is refused

	GossipFirst time.Duration // from the first member to the first gossip of our claim
	GossipEvery time.Duration // from there to the next one; doubled with each further one of the same claim
}

// DefaultConfig returns an open network without symmetry.
func DefaultConfig(key crypto.PrivKey, self core.PeerID, network string, version handshake.Version) Config {
	c := Config{
		Key:        key,
		Handshake:  handshake.DefaultConfig(self, network, version),
		PeerList:   peerlist.DefaultConfig(),
		Claim:      claim.DefaultConfig(),
		Dialing:    dialing.DefaultConfig(),
		Uptime:     uptime.DefaultConfig(),
		Infect:     infect.DefaultConfig(),
		Reputation: reputation.DefaultConfig(),

		PlainPeers: 16, // design: a quota of their own

		SymmetryWithin: SymmetryWithin,
		CoolDown:       10 * time.Minute, // design; casper-node: redemption time

		GossipFirst: 5 * time.Second, // casper-node: first gossip of the own address
		GossipEvery: 2 * time.Minute, // casper-node: 30 s to 120 s
	}
	c.Claim.Network, c.Claim.Self = network, self
	c.Dialing.Self = self
	return c
}

// Validate names the first setting that cannot work; the composed protocols' own
// settings come first.
func (c Config) Validate() error {
	for _, part := range []interface{ Validate() error }{
		c.Handshake, c.PeerList, c.Claim, c.Dialing, c.Uptime, c.Infect, c.Reputation,
	} {
		if err := part.Validate(); err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	switch {
	case c.Key == nil:
		return fmt.Errorf("%w: Key is missing: set the node's Ed25519 key", ErrConfig)
	case c.PlainPeers < 0:
		return fmt.Errorf("%w: PlainPeers is %d: set 0 or more", ErrConfig, c.PlainPeers)
	case c.SymmetryWithin <= 0 || c.CoolDown <= 0:
		return fmt.Errorf("%w: SymmetryWithin is %v, CoolDown %v: set both above 0", ErrConfig, c.SymmetryWithin, c.CoolDown)
	case c.GossipFirst <= 0 || c.GossipEvery <= c.Infect.KeepFinished:
		return fmt.Errorf("%w: GossipFirst is %v, GossipEvery %v: set the first above 0, the second above Infect.KeepFinished", ErrConfig, c.GossipFirst, c.GossipEvery)
	}
	return nil
}
