package libp2phost

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	madns "github.com/multiformats/go-multiaddr-dns"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("invalid host configuration")

// Config says how a host runs. Start from DefaultConfig: the zero value is not
// valid.
type Config struct {
	Key      crypto.PrivKey // the identity; Ed25519
	Listen   []ma.Multiaddr // each must succeed; empty means a host that only dials
	Announce []ma.Multiaddr // told to others in place of the listen addresses

	TLSOnly      bool                          // no Noise
	MaxPeers     int                           // distinct peers connected at a time, without the reserved ones
	Symmetry     bool                          // dial peers that dialled us, and open streams on our own connections only
	KeepOutbound int                           // of MaxPeers, the places that only peers whom we dial can take: strangers must not fill a node
	Guests       int                           // peers that dial us when their places are taken, and stay for GuestTime at most
	GuestsPerIP  int                           // of them, from one IPv4 address or IPv6 /56; loopback is exempt unless LimitLoopback is set
	GuestTime    time.Duration                 // long enough for a peer list
	Reserved     func(peer.ID) bool            // has a place beyond MaxPeers; nil: nobody
	Group        func(ma.Multiaddr) core.Group // what BlockGroup blocks; nil: core.GroupOf
	Post         func(ev core.Event)           // takes Connected, Linked, Disconnected, DialFailed and Discovered, in order
	Scope        Scope                         // which addresses count; AutoNAT v2 runs in the public scope only
	MDNS         bool                          // finds peers on the local network
	Logger       *slog.Logger                  // nil discards
	Registerer   prometheus.Registerer         // takes libp2p's own metrics; nil: none are kept

	UserAgent string          // told to peers by identify
	Resolver  *madns.Resolver // of /dns… addresses; nil: the system's

	DialTimeout time.Duration // bounds one Dial, over all its addresses

	ConnsPerIP    int     // connections from and to one IPv4 address or IPv6 /56
	ConnRatePerIP float64 // new connections per second for the same, once a burst of twice ConnsPerIP is used up; 0: no limit

	DialFailuresPerIP int  // dials to one IP address within a minute that bring no connection, of peers that are not Reserved; 0: no limit
	LimitLoopback     bool // the three limits above, and GuestsPerIP, hold for loopback too

	MemoryLimit uint64 // bytes that the machine has for us; 0: the cgroup's limit, else the host's memory

	MaxInboundMessage int           // bytes; largest pubsub message taken
	LargeMessage      int           // bytes; a larger message is handed over only when it is complete
	MessageBudget     int           // bytes; all incomplete large messages together
	MessageTimeout    time.Duration // from the first byte of a message to its last
	AdmissionTimeout  time.Duration // a stream waits so long for its peer's admission

	// Messages are weft's own protocols, the handshake first. Without them, none of
	// what follows is used.
	Messages []MessageProtocol
	// Deliver takes a message that came. It is called from many goroutines, in order
	// for each stream; while it waits, so does the stream, and so does Close. done
	// must be called once, when the message is handled, with the time that this took:
	// it lets further messages of the peer in. It may be called from anywhere.
	Deliver func(msg core.Received, done func(used time.Duration))
	Trusted func(peer.ID) bool // has a share of memory that others cannot fill; called from many goroutines; nil: nobody
	MaxSkew time.Duration      // between the time of a message and ours
	Read    ReadLimits

	OutboxMessages int           // messages that wait for one peer, without vital ones
	OutboxBytes    int           // bytes of them; one larger message may wait at a time
	FrameTimeout   time.Duration // a stream may be silent so long, and a message may take so long
	WriteTimeout   time.Duration // a peer may not read for so long
	StreamIdle     time.Duration // a stream of ours is closed after carrying nothing for so long
}

// DefaultConfig returns the settings of an open network, without a key.
func DefaultConfig() Config {
	return Config{
		MaxPeers:    50,               // seed: Basalt
		Guests:      16,               // chosen because 120 nodes then join through one of 50 within a minute
		GuestsPerIP: 4,                // chosen because four addresses are then needed to hold all, and a site of a dozen nodes still joins within seconds
		GuestTime:   10 * time.Second, // seed: Basalt, connection timeout
		UserAgent:   "weft",

		DialTimeout: 10 * time.Second, // seed: Basalt, connection timeout

		ConnsPerIP:    32, // chosen because a dozen nodes behind one NAT, two connections each, must fit
		ConnRatePerIP: 4,  // per second; chosen because such a site must be back within seconds of a restart

		DialFailuresPerIP: 32, // chosen because 16 dials at a time to one site, over two transports, must not wait

		MaxInboundMessage: 1<<20 + 64<<10,   // gossipsub's 1 MiB and room for its envelope
		LargeMessage:      64 << 10,         // chosen because MaxPeers times this is small
		MessageBudget:     32 << 20,         // chosen because two of the largest messages (16 MiB) must fit
		MessageTimeout:    30 * time.Second, // pubsub's own write deadline (go-libp2p-pubsub comm.go)
		AdmissionTimeout:  10 * time.Second, // seed: Basalt, connection timeout

		MaxSkew: time.Minute, // FACTS: avalanchego, clock difference
		Read:    DefaultReadLimits(),

		OutboxMessages: 256,               // chosen because it is seconds of what a peer is sent
		OutboxBytes:    1 << 20,           // chosen because 50 peers that do not read hold 50 MiB
		FrameTimeout:   120 * time.Second, // seed: Basalt, frame read timeout
		WriteTimeout:   30 * time.Second,  // as pubsub's; chosen because our own peers read a piece within seconds
		StreamIdle:     time.Minute,       // chosen below FrameTimeout and above the 30 s between pings
	}
}

// check is one condition on a Config.
type check struct {
	ok   bool
	text string // what to do otherwise
}

// messageChecks are the conditions on what concerns Messages, if there are any.
func (c Config) messageChecks() (checks []check) {
	if len(c.Messages) == 0 {
		return nil
	}
	ids := make(map[string]bool)
	for _, m := range c.Messages {
		checks = append(checks,
			check{m.ID != "" && len(m.ID) <= maxProtocolID && !ids[m.ID], fmt.Sprintf("Messages names %q: use 1 to %d bytes, once", m.ID, maxProtocolID)},
			check{m.MaxPayload >= 0 && m.MaxPayload <= frame.MaxPayload, fmt.Sprintf("Messages has MaxPayload %d: use 0 to %d", m.MaxPayload, frame.MaxPayload)},
			check{m.Idle >= 0, fmt.Sprintf("Messages has Idle %v: use 0 for StreamIdle", m.Idle)})
		ids[m.ID] = true
	}
	return append(checks,
		check{c.Deliver != nil, "Deliver is missing: messages need a receiver"},
		check{c.MaxSkew > 0, fmt.Sprintf("MaxSkew is %v: use more than zero, such as 1m", c.MaxSkew)},
		check{c.Read.valid(), fmt.Sprintf("Read is %+v: start from DefaultReadLimits", c.Read)},
		check{c.OutboxMessages >= 1, fmt.Sprintf("OutboxMessages is %d: allow at least 1", c.OutboxMessages)},
		check{c.OutboxBytes >= 4<<10, fmt.Sprintf("OutboxBytes is %d: allow at least 4096", c.OutboxBytes)},
		check{c.FrameTimeout > 0, fmt.Sprintf("FrameTimeout is %v: use more than zero, such as 120s", c.FrameTimeout)},
		check{c.WriteTimeout > 0, fmt.Sprintf("WriteTimeout is %v: use more than zero, such as 30s", c.WriteTimeout)},
		check{c.StreamIdle > 0, fmt.Sprintf("StreamIdle is %v: use more than zero, such as 1m", c.StreamIdle)})
}

// Validate says which setting is wrong and what it may be.
func (c Config) Validate() error {
	checks := []check{
		{c.Key != nil, "Key is missing: load one with LoadOrCreateKey or make one with NewKey"},
		{c.MaxPeers >= 1, fmt.Sprintf("MaxPeers is %d: allow at least 1", c.MaxPeers)},
		{c.KeepOutbound >= 0 && c.KeepOutbound <= c.MaxPeers, fmt.Sprintf("KeepOutbound is %d: use 0 to MaxPeers", c.KeepOutbound)},
		{c.Guests >= 0, fmt.Sprintf("Guests is %d: use 0 to refuse whoever finds no place", c.Guests)},
		{c.GuestsPerIP >= 1, fmt.Sprintf("GuestsPerIP is %d: allow at least 1", c.GuestsPerIP)},
		{c.GuestTime > 0, fmt.Sprintf("GuestTime is %v: use more than zero, such as 10s", c.GuestTime)},
		{c.DialTimeout > 0, fmt.Sprintf("DialTimeout is %v: use more than zero, such as 10s", c.DialTimeout)},
		{c.ConnsPerIP >= 1, fmt.Sprintf("ConnsPerIP is %d: allow at least 1", c.ConnsPerIP)},
		{c.ConnRatePerIP >= 0, fmt.Sprintf("ConnRatePerIP is %v: use 0 for no limit", c.ConnRatePerIP)},
		{c.DialFailuresPerIP >= 0, fmt.Sprintf("DialFailuresPerIP is %d: use 0 for no limit", c.DialFailuresPerIP)},
		{c.MaxInboundMessage >= 1, fmt.Sprintf("MaxInboundMessage is %d: allow at least 1 byte", c.MaxInboundMessage)},
		{c.LargeMessage >= 0, fmt.Sprintf("LargeMessage is %d: use 0 to hold back every message", c.LargeMessage)},
		{c.MessageBudget >= pieceBytes, fmt.Sprintf("MessageBudget is %d: allow at least %d", c.MessageBudget, pieceBytes)},
		{c.MessageTimeout > 0, fmt.Sprintf("MessageTimeout is %v: use more than zero, such as 30s", c.MessageTimeout)},
		{c.AdmissionTimeout > 0, fmt.Sprintf("AdmissionTimeout is %v: use more than zero, such as 10s", c.AdmissionTimeout)},
	}
	for _, check := range append(checks, c.messageChecks()...) {
		if !check.ok {
			return fmt.Errorf("%w: %s", ErrConfig, check.text)
		}
	}
	if err := checkKeyType(c.Key); err != nil {
		return fmt.Errorf("%w: Key: %w", ErrConfig, err)
	}
	return nil
}

// withDefaults fills in what may be nil.
func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Reserved == nil {
		c.Reserved = func(peer.ID) bool { return false }
	}
	if c.Trusted == nil {
		c.Trusted = func(peer.ID) bool { return false }
	}
	if c.Post == nil {
		c.Post = func(core.Event) {}
	}
	return c
}
