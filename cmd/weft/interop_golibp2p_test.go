//go:build interop

package main_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
)

const goLibp2p = "go-libp2p v0.51.0"

func TestInteropGoDials(t *testing.T) {
	node := startWeft(t)
	for _, c := range []struct {
		name      string
		addr      string
		transport string
		security  string
		option    libp2p.Option
	}{
		{"tls", node.tcp, "tcp", "/tls/1.0.0", libp2p.Security(libp2ptls.ID, libp2ptls.New)},
		{"noise", node.tcp, "tcp", "/noise", libp2p.Security(noise.ID, noise.New)},
		{"quic", node.udp, "quic-v1", "", libp2p.DefaultSecurity}, // QUIC brings its own TLS 1.3
	} {
		t.Run(c.name, func(t *testing.T) {
			h := plainHost(t, c.option)
			state := dialNode(t, h, c.addr).ConnState()
			if state.Transport != c.transport || string(state.Security) != c.security {
				t.Fatalf("connected over %s and %q", state.Transport, state.Security)
			}
			agent := identified(t, h, node)
			pong := <-ping.Ping(t.Context(), h, node.id)
			if pong.Error != nil {
				t.Fatal(pong.Error)
			}
			node.eventually(t, h.ID().String(), "peers", "-o", "json")
			shown(t, "%s dials weft over %s; identify says %s; ping answers in %v", goLibp2p, c.name, agent, pong.RTT)
		})
		t.Run(c.name+" wrong peer ID", func(t *testing.T) {
			reason := refusal(t, plainHost(t, c.option), withStranger(t, c.addr))
			shown(t, "%s over %s refuses weft under a wrong peer ID (%v)", goLibp2p, c.name, reason)
		})
	}
}

func TestInteropGoIsDialled(t *testing.T) {
	node := startWeft(t)
	h := plainHost(t)
	for _, a := range h.Addrs() {
		addr := a.String() + "/p2p/" + h.ID().String()
		node.mustRefuse(t, addr)
		node.run(t, "connect", addr)
		node.run(t, "ping", "--count", "1", h.ID().String())
		node.run(t, "disconnect", h.ID().String())
		shown(t, "`weft connect` reaches %s at %s, refuses it under a wrong peer ID; `weft ping` answers", goLibp2p, a)
	}
}

// plainHost is a libp2p host with nothing of weft in it.
func plainHost(t *testing.T, options ...libp2p.Option) host.Host {
	t.Helper()
	options = append(options, libp2p.UserAgent("plain"),
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"))
	h, err := libp2p.New(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func dialNode(t *testing.T, h host.Host, addr string) network.Conn {
	t.Helper()
	info, err := peer.AddrInfoFromString(addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Connect(t.Context(), *info); err != nil {
		t.Fatal(err)
	}
	return h.Network().ConnsToPeer(info.ID)[0]
}

// refusal dials under a wrong peer ID and returns the mismatch that the dial must end with.
func refusal(t *testing.T, h host.Host, addr string) error {
	t.Helper()
	info, err := peer.AddrInfoFromString(addr)
	if err != nil {
		t.Fatal(err)
	}
	err = h.Connect(t.Context(), *info)
	var mismatch sec.ErrPeerIDMismatch
	if !errors.As(err, &mismatch) {
		t.Fatalf("dial under a wrong peer ID: %v, want a peer ID mismatch", err)
	}
	return mismatch
}

// identified is the agent the node names; Connect has waited for identify.
func identified(t *testing.T, h host.Host, node *weftNode) (agent string) {
	t.Helper()
	protocols, err := h.Peerstore().SupportsProtocols(node.id, protocol.ConvertFromStrings(plainProtocols)...)
	if err != nil || len(protocols) != len(plainProtocols) {
		t.Fatalf("identify lists only %v of %v (%v)", protocols, plainProtocols, err)
	}
	value, err := h.Peerstore().Get(node.id, "AgentVersion")
	agent, _ = value.(string)
	if err != nil || !strings.HasPrefix(agent, "weft/") {
		t.Fatalf("identify says agent %q (%v), want weft/…", agent, err)
	}
	return agent
}

func TestInteropGoDHT(t *testing.T) {
	node := startWeft(t)
	seeker, hidden := joinDHT(t, node), joinDHT(t, node)
	node.eventually(t, hidden.Host().ID().String(), "closest", hidden.Host().ID().String())

	found, err := seeker.FindPeer(t.Context(), hidden.Host().ID())
	if err != nil {
		t.Fatal(err)
	}
	own := hidden.Host().Addrs()[0]
	if !slices.ContainsFunc(found.Addrs, own.Equal) {
		t.Fatalf("found at %v, want %v", found.Addrs, own)
	}
	shown(t, "%s finds a peer through weft's DHT (/weft/weft/kad/1.0.0)", goLibp2p)

	closest, err := seeker.GetClosestPeers(t.Context(), string(hidden.Host().ID()))
	if err != nil || !slices.Contains(closest, node.id) {
		t.Fatalf("closest peers are %v (%v), without the weft node", closest, err)
	}
	shown(t, "%s walks to the %d closest peers, the weft node among them", goLibp2p, len(closest))

	node.mustSay(t, []string{own.String()}, "find", hidden.Host().ID().String())
	shown(t, "`weft find` names the %s peer", goLibp2p)
}

// joinDHT is a host in weft's default DHT that knows only the node.
func joinDHT(t *testing.T, node *weftNode) *dht.IpfsDHT {
	t.Helper()
	h := plainHost(t)
	d, err := dht.New(h, dht.Mode(dht.ModeServer), dht.ProtocolPrefix("/weft/weft"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	dialNode(t, h, node.tcp)
	return d
}

func TestInteropGoGossip(t *testing.T) {
	testGossip(t, goLibp2p+" with pubsub v0.17.0", newGoGossiper)
}

// goGossiper is a plain gossipsub host as a gossiper.
type goGossiper struct {
	t     *testing.T
	host  host.Host
	topic *pubsub.Topic
	sub   *pubsub.Subscription
}

func newGoGossiper(t *testing.T, node *weftNode) gossiper {
	h := plainHost(t)
	ps, err := pubsub.NewGossipSub(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	topic, err := ps.Join(interopTopic)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := topic.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	dialNode(t, h, node.tcp)
	return &goGossiper{t, h, topic, sub}
}

func (g *goGossiper) ID() string { return g.host.ID().String() }

// Publish waits until the node is known to be on the topic.
func (g *goGossiper) Publish(text string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), stepTimeout)
	defer cancel()
	ready := pubsub.WithReadiness(pubsub.MinTopicSize(1))
	if err := g.topic.Publish(ctx, []byte(text), ready); err != nil {
		g.t.Fatal(err)
	}
}

// Next skips the host's own messages, which pubsub delivers too.
func (g *goGossiper) Next(ctx context.Context) (heard, error) {
	for {
		m, err := g.sub.Next(ctx)
		if err != nil {
			return heard{}, err
		}
		if m.GetFrom() != g.host.ID() {
			return heard{string(m.Data), m.GetFrom().String(), m.ReceivedFrom.String(), g.knows()}, nil
		}
	}
}

func (g *goGossiper) knows() []string {
	var ids []string
	for _, id := range g.host.Network().Peers() {
		ids = append(ids, id.String())
	}
	return ids
}
