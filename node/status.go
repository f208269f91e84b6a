package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/adapters/libp2phost"
	"github.com/weftnet/weft/protocols/dialing"
	"github.com/weftnet/weft/protocols/discovery"
	"github.com/weftnet/weft/protocols/reputation"
)

// Peer is a connected peer.
type Peer = libp2phost.PeerInfo

// KnownPeer is a peer that the node knows of, connected or not, and what it
// means to do about it.
type KnownPeer = dialing.PeerState

// Ban keeps a peer out until a time.
type Ban = reputation.Ban

// Status is what the node is and how it fares.
type Status struct {
	ID       peer.ID
	Network  string
	Agent    string
	Started  time.Time
	Addrs    []multiaddr.Multiaddr // full, with /p2p
	Peers    int                   // connected
	Inbound  int                   // of them, who dialled us; a pair may be connected both ways
	Outbound int                   // of them, whom we dialled
	Known    int                   // known, connected or not
	DHTPeers int                   // in the Kademlia table
	Topics   int                   // joined
	DataDir  string                // empty when nothing is written

	ReceivedBytes, SentBytes uint64 // on all streams, since the start

	Discovery   discovery.Stats
	ClaimSigned time.Time // when our own claim was signed; zero before
}

// Peers are the connected peers.
func (n *Node) Peers() []Peer {
	p, err := n.live()
	if err != nil {
		return nil
	}
	return p.host.Peers()
}

// KnownPeers are all peers that the node knows of.
func (n *Node) KnownPeers(ctx context.Context) ([]KnownPeer, error) {
	return ask(ctx, n, (*discovery.Machine).Known)
}

// Status says what the node is and how it fares.
func (n *Node) Status(ctx context.Context) (Status, error) {
	p, err := n.live()
	if err != nil {
		return Status{}, err
	}
	known, err := n.KnownPeers(ctx)
	peers := p.host.Peers()
	s := Status{
		ID: p.host.ID(), Network: n.cfg.Network, Agent: UserAgent(), Started: p.started,
		Addrs: n.Addrs(), Peers: len(peers), Known: len(known), Topics: len(n.Topics()),
	}
	if p.dht != nil {
		s.DHTPeers = p.dht.Size()
	}
	if err == nil {
		err = s.addDiscovery(ctx, n)
	}
	host := p.host.Stats()
	s.ReceivedBytes, s.SentBytes = host.ReceivedBytes, host.SentBytes
	for _, c := range peers {
		if c.InboundConns > 0 {
			s.Inbound++
		}
		if c.OutboundConns > 0 {
			s.Outbound++
		}
	}
	if !n.cfg.ephemeral() {
		s.DataDir = n.cfg.DataDir
	}
	return s, err
}

// addDiscovery fills in what the protocols know.
func (s *Status) addDiscovery(ctx context.Context, n *Node) (err error) {
	if s.Discovery, err = ask(ctx, n, func(m *discovery.Machine, _ time.Time) discovery.Stats { return m.Stats() }); err != nil {
		return err
	}
	s.ClaimSigned, err = ask(ctx, n, func(m *discovery.Machine, _ time.Time) time.Time { return m.Signed() })
	return err
}

// Check is one part of the node's health.
type Check struct {
	Name string
	Err  error // nil when all is well; says what is wrong and what to do
}

// Health checks the node: that it runs, that it has joined when it was told whom
// to join, that what it must keep can be written, and that the application decides
// about the objects for which it is asked.
func (n *Node) Health() []Check {
	p, err := n.live()
	if err != nil {
		return []Check{{"running", err}}
	}
	return []Check{
		{"running", n.drainErr()},
		{"listening", listenErr(n.Addrs())},
		{"joined", n.joinErr(p)},
		{"store", p.saveErr()},
		{"objects", p.objects.health()},
	}
}

// Ready is nil when every check of Health passes, else joins those that fail.
func (n *Node) Ready() error {
	var errs []error
	for _, c := range n.Health() {
		if c.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.Name, c.Err))
		}
	}
	return errors.Join(errs...)
}

func (n *Node) drainErr() error {
	if n.draining.Load() {
		return fmt.Errorf("shutting down")
	}
	return nil
}

func listenErr(addrs []multiaddr.Multiaddr) error {
	if len(addrs) == 0 {
		return fmt.Errorf("no address can be told to others: set the announce addresses, or the scope to all")
	}
	return nil
}

func (n *Node) joinErr(p *parts) error {
	if len(n.cfg.bootstrapSettings()) == 0 || p.host.Stats().Admitted > 0 {
		return nil
	}
	text := fmt.Sprintf("no peer is connected; bootstrappers being tried: %d; `weft peers --all` says why each failed", len(n.bootstrap.list()))
	if err := n.bootstrap.lastErr(); err != nil {
		text += "; not known yet: " + strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return errors.New(text)
}

func (p *parts) saveErr() error {
	if err := p.storeErr.Load(); err != nil {
		return *err
	}
	return nil
}
