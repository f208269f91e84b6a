package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/dialing"
)

// Errors of a node. Those of its parts (an address in use, a locked data
// directory) are wrapped and say what to do.
var (
	ErrClosed      = errors.New("the node is closed")
	ErrNotStarted  = errors.New("the node is not started: call Start first")
	ErrStarted     = errors.New("the node was started before: make a new one")
	ErrArgument    = errors.New("invalid argument")
	ErrSelf        = errors.New("that is this node itself")
	ErrUnknownPeer = errors.New("no such peer is connected")
)

// Node is one overlay node. Its methods may be called from any goroutine.
type Node struct {
	cfg       Config
	events    *eventHub
	bootstrap bootstrapSet
	notices   noticeLog // the loop's

	mu      sync.Mutex // guards the life cycle: New -> Start -> Close
	started bool
	parts   atomic.Pointer[parts] // nil before Start and after Close

	draining atomic.Bool
}

// New checks the configuration. Nothing is opened before Start.
func New(cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Node{cfg: cfg.withDefaults(), events: newEventHub()}, nil
}

// Start opens the data directory, listens, begins to join, and returns when the
// node can be dialled. ctx bounds the start only. It does not wait for peers:
// see Health and Events. A node that was started cannot be started again.
func (n *Node) Start(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.draining.Load() {
		return ErrClosed
	}
	if n.started {
		return ErrStarted
	}
	p, err := n.wire(ctx)
	if err != nil {
		return err
	}
	n.started = true
	n.parts.Store(p)
	n.events.emit("node.started", p.host.ID(), "the node can be dialled at "+firstAddr(n.Addrs()))
	return nil
}

// Drain makes the node report that it is not ready, so that load balancers and
// scripts turn away before Close.
func (n *Node) Drain() {
	if n.draining.CompareAndSwap(false, true) {
		n.events.emit("node.draining", "", "the node is shutting down")
	}
}

// Close ends the node: streams and subscriptions end with ErrClosed, peers are
// disconnected, the data directory is released. It may be called more than once.
func (n *Node) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.Drain()
	p := n.parts.Swap(nil)
	n.events.close()
	if p == nil {
		return nil
	}
	return p.close()
}

// live returns the parts of a running node.
func (n *Node) live() (*parts, error) {
	if p := n.parts.Load(); p != nil {
		return p, nil
	}
	if n.draining.Load() {
		return nil, ErrClosed
	}
	return nil, ErrNotStarted
}

// ID is the node's peer ID; empty before Start.
func (n *Node) ID() peer.ID {
	if p := n.parts.Load(); p != nil {
		return p.host.ID()
	}
	return ""
}

// Addrs are the full addresses at which others reach the node, each ending in
// /p2p/ID; nil while the node does not run.
func (n *Node) Addrs() []multiaddr.Multiaddr {
	p := n.parts.Load()
	if p == nil {
		return nil
	}
	full, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: p.host.ID(), Addrs: p.host.Addrs()})
	if err != nil {
		return nil
	}
	return full
}

// APIAddr is where the control API listens; empty without one.
func (n *Node) APIAddr() string {
	if p := n.parts.Load(); p != nil && p.api != nil {
		return p.api.Addr()
	}
	return ""
}

// Events opens a stream of what happens from now on.
func (n *Node) Events() *EventStream { return n.events.add(n.events.last()) }

// EventsAfter opens a stream that begins after the event numbered seq, as far
// back as the last 256 events reach.
func (n *Node) EventsAfter(seq uint64) *EventStream { return n.events.add(seq) }

// Connect dials one address that ends in /p2p/PEERID and waits for the
// authenticated connection. The handshake follows: an event peer.member,
// peer.plain or peer.rejected tells how it ended.
func (n *Node) Connect(ctx context.Context, addr string) error {
	p, err := n.live()
	if err != nil {
		return err
	}
	ma, err := parseBootstrap(addr)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrArgument, err)
	}
	info, err := peer.AddrInfoFromP2pAddr(ma)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrArgument, addr, err)
	}
	if info.ID == p.host.ID() {
		return ErrSelf
	}
	return p.host.Connect(ctx, *info)
}

// ConnectPeer connects to a peer by its ID alone, finding its addresses in the
// DHT; at once when it is connected.
func (n *Node) ConnectPeer(ctx context.Context, id peer.ID) error {
	p, err := n.live()
	switch {
	case err != nil:
		return err
	case id == p.host.ID():
		return ErrSelf
	case p.host.Connected(id):
		return nil
	}
	if err := p.host.Blocked(id); err != nil {
		return err
	}
	info, err := n.FindPeer(ctx, id)
	if err != nil {
		return err
	}
	return p.host.Connect(ctx, info)
}

// disconnectedFor is how long a peer that the owner disconnected is not dialled
// again; chosen to outlast a look at what happens without it.
const disconnectedFor = time.Minute

// Disconnect closes every connection to a peer and does not dial it for a
// minute. The peer may connect again by itself.
func (n *Node) Disconnect(id peer.ID) error {
	p, err := n.live()
	if err != nil {
		return err
	}
	if !p.host.Connected(id) {
		return fmt.Errorf("%w: %s", ErrUnknownPeer, id)
	}
	p.command(dialing.CoolDown{
		Peer: id, Until: time.Now().Add(disconnectedFor), Reason: "disconnected by the owner",
	})
	return p.host.Disconnect(id)
}

// Ping measures the round trip to a peer over libp2p's ping protocol,
// connecting first if need be.
func (n *Node) Ping(ctx context.Context, id peer.ID) (time.Duration, error) {
	p, err := n.live()
	if err != nil {
		return 0, err
	}
	if id == p.host.ID() {
		return 0, ErrSelf
	}
	return p.host.Ping(ctx, id)
}

// FindPeer asks the DHT where a peer is.
func (n *Node) FindPeer(ctx context.Context, id peer.ID) (peer.AddrInfo, error) {
	p, err := n.live()
	if err != nil {
		return peer.AddrInfo{}, err
	}
	if id == p.host.ID() {
		return peer.AddrInfo{ID: id, Addrs: p.host.Addrs()}, nil
	}
	if p.dht == nil {
		return peer.AddrInfo{}, fmt.Errorf("the DHT: %w", ErrOff)
	}
	return p.dht.FindPeer(ctx, id)
}

// Closest asks the DHT for the peers nearest to a key: a peer ID or any string.
func (n *Node) Closest(ctx context.Context, key string) ([]peer.AddrInfo, error) {
	p, err := n.live()
	if err != nil {
		return nil, err
	}
	if p.dht == nil {
		return nil, fmt.Errorf("the DHT: %w", ErrOff)
	}
	return p.dht.Closest(ctx, key)
}

func firstAddr(addrs []multiaddr.Multiaddr) string {
	if len(addrs) == 0 {
		return "no address: set Announce"
	}
	return addrs[0].String()
}
