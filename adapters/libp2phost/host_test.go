package libp2phost

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weftnet/weft/adapters/queue"
	"github.com/weftnet/weft/protocols/core"
)

func TestConnectionsAreToldOnceWithTheirAddressAndDirection(t *testing.T) {
	a, b := newTestHost(t), newTestHost(t)
	mustConnect(t, a, b.info())
	out := await(t, a.events, any1[core.Connected])
	in := await(t, b.events, any1[core.Connected])
	if out.Peer != b.ID() || out.Inbound || in.Peer != a.ID() || !in.Inbound {
		t.Fatalf("dialler was told %+v, listener %+v", out, in)
	}
	if err := a.Disconnect(b.ID()); err != nil {
		t.Fatal(err)
	}
	await(t, a.events, func(d core.Disconnected) bool { return d.Peer == b.ID() })
	await(t, b.events, func(d core.Disconnected) bool { return d.Peer == a.ID() })
}

func TestEventsOfAPeerAlternateWhateverTheReceiverDoes(t *testing.T) {
	a := newTestHost(t)
	ev := newEvents()
	slow := func(e core.Event) { time.Sleep(time.Millisecond); ev.post(e) }
	b := newTestHost(t, func(c *Config) { c.Post = slow })
	const rounds = 30
	for range rounds {
		mustConnect(t, a, b.info())
		eventually(t, "the listener knows", func() bool { return b.NumPeers() == 1 })
		if err := a.Disconnect(b.ID()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the listener has noticed", func() bool { return b.NumPeers() == 0 })
	}
	eventually(t, "all is posted", func() bool { all, _ := ev.snapshot(); return len(all) == 3*rounds })
	all, _ := ev.snapshot()
	for i, e := range all {
		want := []core.Event{core.Connected{}, core.Linked{}, core.Disconnected{}}[i%3]
		if reflect.TypeOf(e) != reflect.TypeOf(want) {
			t.Fatalf("event %d is %T, want %T", i, e, want)
		}
	}
}

func TestPeersDescribesTheLink(t *testing.T) {
	for _, tc := range []struct {
		transport, security string
		option              libp2p.Option
	}{
		{"tcp", "tls", libp2p.Security(libp2ptls.ID, libp2ptls.New)},
		{"tcp", "noise", libp2p.Security(noise.ID, noise.New)},
	} {
		t.Run(tc.transport+"-"+tc.security, func(t *testing.T) {
			h, p := newTestHost(t), plainHost(t, tc.option, libp2p.UserAgent("somebody/1"))
			before := time.Now()
			if err := p.Connect(testContext(t), h.on("tcp")); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the peer is identified", func() bool { return len(h.Peers()) == 1 && h.Peers()[0].Agent != "" })
			if _, err := h.Ping(testContext(t), p.ID()); err != nil {
				t.Fatal(err)
			}
			got := h.Peers()[0]
			if got.ID != p.ID() || !got.Inbound || got.Agent != "somebody/1" || got.Transport != tc.transport || got.Security != tc.security {
				t.Errorf("described as %+v", got)
			}
			if got.Since.Before(before) || got.Latency <= 0 || got.Admitted || len(got.Protocols) == 0 || got.Addr == nil {
				t.Errorf("described as %+v", got)
			}
		})
	}
	t.Run("quic", func(t *testing.T) {
		a, b := newTestHost(t), newTestHost(t)
		mustConnect(t, a, b.on("quic-v1"))
		if got := a.Peers()[0]; got.Transport != "quic-v1" || got.Security != "tls" || got.Inbound {
			t.Errorf("described as %+v", got)
		}
	})
}

func TestTLSIsPreferredToNoiseAndKeepsEarlyMuxerNegotiation(t *testing.T) {
	a, b := newTestHost(t), newTestHost(t)
	mustConnect(t, a, b.on("tcp"))
	state := a.Base().Network().ConnsToPeer(b.ID())[0].ConnState()
	if state.Security != libp2ptls.ID || !state.UsedEarlyMuxerNegotiation {
		t.Fatalf("connected with %+v", state)
	}
}

func TestTLSOnlyRefusesNoise(t *testing.T) {
	h := newTestHost(t, func(c *Config) { c.TLSOnly = true })
	noisy := plainHost(t, libp2p.Security(noise.ID, noise.New))
	if err := noisy.Connect(testContext(t), h.on("tcp")); err == nil {
		t.Fatal("a peer that speaks only Noise connected")
	}
	if n := h.NumPeers(); n != 0 {
		t.Fatalf("%d peers", n)
	}
}

func TestPingNeedsAConnection(t *testing.T) {
	a, b := newTestHost(t), newTestHost(t)
	if _, err := a.Ping(testContext(t), b.ID()); !errors.Is(err, ErrNotConnected) {
		t.Fatalf("got %v", err)
	}
	mustConnect(t, a, b.info())
	rtt, err := a.Ping(testContext(t), b.ID())
	if err != nil || rtt <= 0 {
		t.Fatalf("got %v, %v", rtt, err)
	}
}

func TestIdentifyAndPingAreServedAndNoRelayIs(t *testing.T) {
	h, p := newTestHost(t), plainHost(t)
	if err := p.Connect(testContext(t), h.on("tcp")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "identify has run", func() bool { ps, _ := p.Peerstore().GetProtocols(h.ID()); return len(ps) > 0 })
	served, _ := p.Peerstore().GetProtocols(h.ID())
	for _, want := range []string{identify.ID, ping.ID} {
		if !strings.Contains(strings.Join(protocolNames(served), " "), want) {
			t.Errorf("%s is not among %s", want, served)
		}
	}
	for _, id := range served {
		if strings.Contains(string(id), "circuit") {
			t.Errorf("%s is served", id)
		}
	}
}

func TestAutoNATServesInPublicScopeOnly(t *testing.T) {
	for _, scope := range []Scope{ScopeAuto, ScopePublic} {
		h := newTestHost(t, func(c *Config) { c.Scope = scope })
		names := strings.Join(protocolNames(h.Base().Mux().Protocols()), " ")
		if got := strings.Contains(names, "autonat/2"); got != (scope == ScopePublic) {
			t.Errorf("scope %v: protocols %s", scope, names)
		}
	}
}

func protocolNames[S ~string](ids []S) []string {
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		names = append(names, string(id))
	}
	return names
}

func TestAnnounceReplacesTheListenAddresses(t *testing.T) {
	announce := ma.StringCast("/dns4/node.example/tcp/30303")
	h := newTestHost(t, func(c *Config) { c.Announce = []ma.Multiaddr{announce} })
	if got := h.Addrs(); len(got) != 1 || !got[0].Equal(announce) {
		t.Fatalf("announces %s", got)
	}
}

func TestManyHostsShareAProcessAndARegistryEach(t *testing.T) {
	first, second := prometheus.NewRegistry(), prometheus.NewRegistry()
	a := newTestHost(t, func(c *Config) { c.Registerer = first })
	b := newTestHost(t, func(c *Config) { c.Registerer = second })
	mustConnect(t, a, b.info())
	for i, reg := range []*prometheus.Registry{first, second} {
		families, err := reg.Gather()
		if err != nil || len(families) == 0 {
			t.Errorf("registry %d: %d families, %v", i, len(families), err)
		}
	}
}

func TestCloseIsPromptWhileTheReceiverHangs(t *testing.T) {
	stuck := make(chan struct{})
	h := newTestHost(t, func(c *Config) { c.Post = func(core.Event) { <-stuck } })
	p := plainHost(t)
	if err := p.Connect(testContext(t), h.on("tcp")); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- h.Close() }()
	eventually(t, "the listener is closed", func() bool {
		return p.Network().Connectedness(h.ID()) == network.NotConnected
	})
	close(stuck) // the receiver stops, as the node's loop does first
	select {
	case err := <-closed:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("Close hangs")
	}
}

func TestConfigErrorsNameTheSetting(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"Key":               func(c *Config) { c.Key = nil },
		"MaxPeers":          func(c *Config) { c.MaxPeers = 0 },
		"Guests":            func(c *Config) { c.Guests = -1 },
		"GuestTime":         func(c *Config) { c.GuestTime = 0 },
		"DialTimeout":       func(c *Config) { c.DialTimeout = 0 },
		"ConnsPerIP":        func(c *Config) { c.ConnsPerIP = 0 },
		"ConnRatePerIP":     func(c *Config) { c.ConnRatePerIP = -1 },
		"DialFailuresPerIP": func(c *Config) { c.DialFailuresPerIP = -1 },
		"MaxInboundMessage": func(c *Config) { c.MaxInboundMessage = 0 },
		"LargeMessage":      func(c *Config) { c.LargeMessage = -1 },
		"MessageBudget":     func(c *Config) { c.MessageBudget = 0 },
		"MessageTimeout":    func(c *Config) { c.MessageTimeout = 0 },
		"AdmissionTimeout":  func(c *Config) { c.AdmissionTimeout = 0 },
	} {
		cfg := DefaultConfig()
		cfg.Key = testKey(t)
		change(&cfg)
		if _, err := New(cfg); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMDNSDiscoveriesArePostedAndBounded(t *testing.T) {
	a, b := newTestHost(t), newTestHost(t)
	found := &mdnsFound{self: a.ID(), events: a.notifier.events}
	found.HandlePeerFound(a.info())
	found.HandlePeerFound(peer.AddrInfo{ID: b.ID()})
	found.HandlePeerFound(b.info())
	got := await(t, a.events, any1[core.Discovered])
	if got.Peer != b.ID() || got.From != core.SourceMDNS || len(got.Addrs) == 0 {
		t.Fatalf("posted %+v", got)
	}
	full := queue.New[core.Event]()
	found.events = full
	for range 2 * maxHearsay {
		found.HandlePeerFound(b.info())
	}
	if full.Len() != maxHearsay {
		t.Fatalf("%d discoveries wait", full.Len())
	}
}

func TestConnectHonoursItsContext(t *testing.T) {
	a, b := newTestHost(t), newTestHost(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := a.Connect(ctx, b.info()); err == nil {
		t.Fatal("connected")
	}
}
