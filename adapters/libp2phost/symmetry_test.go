package libp2phost

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

var (
	bothTransports = []string{"tcp", "quic-v1"}
	eachWay        = []network.Direction{network.DirInbound, network.DirOutbound}
)

func symmetric(c *Config) { c.Symmetry = true }

// booked are the directions of a peer's connections in the book, inbound first.
func booked(h *testHost, p peer.ID) (dirs []network.Direction) {
	for _, pl := range h.book.list() {
		if pl.conns[0].RemotePeer() == p {
			for _, c := range pl.conns {
				dirs = append(dirs, c.Stat().Direction)
			}
		}
	}
	slices.Sort(dirs)
	return dirs
}

// connectEachWay makes each host dial the other.
func connectEachWay(t testing.TB, a, b *testHost, transport string) {
	t.Helper()
	mustConnect(t, a, b.on(transport))
	eventually(t, "the connection is known", func() bool { return b.Connected(a.ID()) })
	mustConnect(t, b, a.on(transport))
	for _, pair := range [][2]*testHost{{a, b}, {b, a}} {
		eventually(t, "there is a connection each way", func() bool { return slices.Equal(booked(pair[0], pair[1].ID()), eachWay) })
	}
}

func TestAPeerThatDialledUsIsDialledBack(t *testing.T) {
	for _, transport := range bothTransports {
		t.Run(transport, func(t *testing.T) {
			a, b := newTestHost(t, symmetric), newTestHost(t, symmetric)
			connectEachWay(t, a, b, transport)
			mustConnect(t, b, a.on(transport)) // no third
			if got := booked(b, a.ID()); !slices.Equal(got, eachWay) {
				t.Errorf("dialled again: %v", got)
			}
			got := b.Peers()
			if len(got) != 1 || got[0].Conns != 2 || got[0].InboundConns != 1 || got[0].OutboundConns != 1 || !got[0].Inbound || b.NumPeers() != 1 {
				t.Errorf("described as %+v", got)
			}
			if got[0].Transport != transport || got[0].Security != "tls" {
				t.Errorf("over %s with %s", got[0].Transport, got[0].Security)
			}
			if err := b.Disconnect(a.ID()); err != nil {
				t.Fatal(err)
			}
			for _, h := range []*testHost{a, b} {
				await(t, h.events, any1[core.Disconnected])
				if n := len(h.Base().Network().Conns()); n != 0 {
					t.Errorf("%d connections are left", n)
				}
			}
		})
	}
}

func TestWithoutSymmetryAPeerThatDialledUsIsNotDialled(t *testing.T) {
	a, b := newTestHost(t), newTestHost(t)
	mustConnect(t, a, peer.AddrInfo{ID: b.ID(), Addrs: b.Addrs()[:1]}) // of two, b may see the one that a gives up
	await(t, b.events, any1[core.Connected])
	mustConnect(t, b, a.info())
	if got := booked(b, a.ID()); len(got) != 1 || got[0] != network.DirInbound {
		t.Errorf("connections %v", got)
	}
}

func TestADialBackThatFailsIsAnswered(t *testing.T) {
	a, b := newTestHost(t, symmetric, func(c *Config) { c.Listen = nil }), newTestHost(t, symmetric)
	mustConnect(t, a, b.info())
	await(t, b.events, any1[core.Connected])
	b.Dial(a.ID(), []ma.Multiaddr{closedAddr(t)})
	if failed := await(t, b.events, any1[core.DialFailed]); failed.Peer != a.ID() {
		t.Errorf("posted %+v", failed)
	}
}

// A second host with the same key would overwrite what the peer knows of us.
func TestThePeerKnowsAllOfUsAfterWeDialledItBack(t *testing.T) {
	for _, transport := range bothTransports {
		t.Run(transport, func(t *testing.T) {
			a := newTestHost(t, symmetric, func(c *Config) { c.UserAgent = "a/1" })
			b := newTestHost(t, symmetric, func(c *Config) { c.UserAgent = "b/1" })
			a.Overlay().SetStreamHandler(testProtocol, func(s network.Stream) { _ = s.Reset() })
			b.Overlay().SetStreamHandler(testProtocol, func(s network.Stream) { _ = s.Reset() })
			mustConnect(t, a, b.on(transport))
			knows := func(h, of *testHost, agent string) {
				t.Helper()
				eventually(t, "the peer is identified", func() bool { // identify tells the agent last
					return identified(h, of.ID(), testProtocol) && h.Peers()[0].Agent == agent
				})
				if got := h.Peers()[0]; len(got.Protocols) < 3 {
					t.Errorf("described as %+v", got)
				}
				known := h.Base().Peerstore().Addrs(of.ID())
				for _, addr := range of.Addrs() {
					if !ma.Contains(known, addr) {
						t.Errorf("%s is not among %s", addr, known)
					}
				}
			}
			knows(a, b, "b/1") // whom it only dialled
			knows(b, a, "a/1")
			mustConnect(t, b, a.on(transport))
			for _, h := range []*testHost{a, b} {
				for _, c := range h.Base().Network().Conns() {
					<-idService(h).IdentifyWait(c)
				}
			}
			knows(a, b, "b/1")
			knows(b, a, "a/1")
		})
	}
}

// idService is libp2p's identify, which tells when it is done with a connection.
func idService(h *testHost) identify.IDService {
	return h.Base().(interface{ IDService() identify.IDService }).IDService()
}

func TestStreamsGoOnOurOwnConnection(t *testing.T) {
	for _, transport := range bothTransports {
		t.Run(transport, func(t *testing.T) {
			a, b := openHost(t, symmetric), openHost(t, symmetric)
			handed(a, testProtocol)
			mustConnect(t, a, b.on(transport))
			eventually(t, "the connection is known", func() bool { return b.Connected(a.ID()) })
			result := make(chan error, 1)
			go func() {
				s, err := b.Overlay().NewStream(testContext(t), a.ID(), testProtocol)
				if err == nil && s.Conn().Stat().Direction != network.DirOutbound {
					err = fmt.Errorf("the stream is on the peer's connection")
				}
				result <- streamErr(s, err)
			}()
			net := b.Overlay().Network()
			if net.Connectedness(a.ID()) == network.Connected || len(net.Peers())+len(net.Conns())+len(net.ConnsToPeer(a.ID())) > 0 {
				t.Error("the overlay sees a peer to whom it cannot open a stream")
			}
			select {
			case err := <-result:
				t.Fatalf("a stream without a connection of our own: %v", err)
			case <-time.After(20 * time.Millisecond):
			}
			mustConnect(t, b, a.on(transport))
			if err := <-result; err != nil {
				t.Error(err)
			}
			if net.Connectedness(a.ID()) != network.Connected || len(net.Peers()) != 1 || len(net.Conns()) != 2 || len(net.ConnsToPeer(a.ID())) != 2 {
				t.Error("the overlay does not see both connections")
			}
			if err := net.ClosePeer(a.ID()); err != nil {
				t.Fatal(err)
			}
			eventually(t, "both are closed", func() bool { return len(a.Peers()) == 0 && len(b.Peers()) == 0 })
		})
	}
}

func TestAStreamWaitsForOurOwnConnectionForAWhileOnly(t *testing.T) {
	b := openHost(t, symmetric, func(c *Config) { c.AdmissionTimeout = 50 * time.Millisecond })
	p := plainHost(t)
	p.SetStreamHandler(testProtocol, func(s network.Stream) { _ = s.Reset() })
	if err := p.Connect(testContext(t), b.on("tcp")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is admitted", func() bool { return b.Stats().Admitted == 1 })
	if err := streamErr(b.Overlay().NewStream(testContext(t), p.ID(), testProtocol)); !errors.Is(err, ErrNotAdmitted) {
		t.Errorf("got %v", err)
	}
}

func TestOverlayDialsMakeAConnectionOfOurOwn(t *testing.T) {
	for name, dial := range map[string]func(*testHost, peer.AddrInfo) error{
		"Connect": func(b *testHost, to peer.AddrInfo) error { return b.Overlay().Connect(testContext(t), to) },
		"DialPeer": func(b *testHost, to peer.AddrInfo) error {
			b.Base().Peerstore().AddAddrs(to.ID, to.Addrs, time.Minute)
			_, err := b.Overlay().Network().DialPeer(testContext(t), to.ID)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := openHost(t, symmetric), openHost(t, symmetric)
			mustConnect(t, a, b.on("tcp"))
			eventually(t, "the connection is known", func() bool { return b.Connected(a.ID()) })
			if err := dial(b, a.on("tcp")); err != nil {
				t.Fatal(err)
			}
			if got := booked(b, a.ID()); !slices.Equal(got, eachWay) {
				t.Errorf("connections %v", got)
			}
		})
	}
}

// onOwn says whether every stream of the overlay's protocols that a host opened is
// on a connection that it opened.
func onOwn(t *testing.T, h *testHost) {
	t.Helper()
	streams := 0
	for _, c := range h.Base().Network().Conns() {
		for _, s := range c.GetStreams() {
			if (isPubsub(s.Protocol()) || isDHT(s.Protocol())) && s.Stat().Direction == network.DirOutbound {
				streams++
				if c.Stat().Direction != network.DirOutbound {
					t.Errorf("a stream of %s is on the peer's connection", s.Protocol())
				}
			}
		}
	}
	if streams == 0 {
		t.Error("no stream is open")
	}
}

// talk waits until two hosts know of each other's topic and messages flow.
func talk(t testing.TB, a, b *testHost, from, to *chatter, words string) {
	t.Helper()
	eventually(t, "they have met: "+words, func() bool { return from.knows(b.ID()) && to.knows(a.ID()) })
	from.publish(t, []byte("from a: "+words))
	to.receive(t, []byte("from a: "+words))
	to.publish(t, []byte("from b: "+words))
	from.receive(t, []byte("from b: "+words))
}

// village is where hosts know each other's addresses and dial back who dials them,
// as nodes do.
type village struct {
	transport string
	addrs     sync.Map // peer.ID to []ma.Multiaddr
}

func (v *village) host(t testing.TB) *testHost {
	t.Helper()
	var self *Host
	ready := make(chan struct{})
	h := openHost(t, symmetric, func(c *Config) {
		post := c.Post
		c.Post = func(ev core.Event) {
			<-ready
			if l, ok := ev.(core.Linked); ok && !l.Outbound {
				addrs, _ := v.addrs.Load(l.Peer)
				self.Dial(l.Peer, addrs.([]ma.Multiaddr))
			}
			post(ev)
		}
	})
	self = h.Host
	v.addrs.Store(h.ID(), h.on(v.transport).Addrs)
	close(ready)
	return h
}

func TestPubsubAndTheDHTWorkWithSymmetry(t *testing.T) {
	for _, transport := range bothTransports {
		t.Run(transport, func(t *testing.T) {
			var hosts [3]*testHost
			var tables [3]*dht.IpfsDHT
			var chats [3]*chatter
			village := village{transport: transport}
			for i := range hosts {
				hosts[i] = village.host(t)
				chats[i] = newChatter(t, hosts[i].Overlay(), 1<<20)
				tables[i] = newTable(t, hosts[i])
			}
			for i := range 2 {
				mustConnect(t, hosts[i], hosts[i+1].on(transport))
				talk(t, hosts[i], hosts[i+1], chats[i], chats[i+1], "hello")
			}
			eventually(t, "neighbours are in the tables", func() bool {
				return tables[0].RoutingTable().Size() > 0 && tables[1].RoutingTable().Size() > 1 && tables[2].RoutingTable().Size() > 0
			})
			found, err := tables[0].FindPeer(testContext(t), hosts[2].ID())
			if err != nil || len(found.Addrs) == 0 {
				t.Errorf("found %v, %v", found, err)
			}
			for _, h := range hosts[:2] {
				onOwn(t, h)
			}
		})
	}
}

// The peer's hello comes before we have a connection of our own, and only once.
func TestAnEarlyHelloIsNotLost(t *testing.T) {
	a, b := openHost(t, symmetric), openHost(t, symmetric)
	ca, cb := newChatter(t, a.Overlay(), 1<<20), newChatter(t, b.Overlay(), 1<<20)
	mustConnect(t, a, b.on("tcp"))
	eventually(t, "the hello waits", func() bool { return b.Stats().Held > 0 })
	mustConnect(t, b, a.on("tcp"))
	talk(t, a, b, ca, cb, "hello")
}

func TestAPlainPeerThatWeDialledIsServed(t *testing.T) {
	h, p := openHost(t, symmetric), plainHost(t, libp2p.UserAgent("plain/1"))
	ours, theirs := newChatter(t, h.Overlay(), 1<<20), newChatter(t, p, 1<<20)
	mustConnect(t, h, peer.AddrInfo{ID: p.ID(), Addrs: p.Addrs()})
	eventually(t, "they have met", func() bool { return ours.knows(p.ID()) && theirs.knows(h.ID()) })
	theirs.publish(t, []byte("hello"))
	ours.receive(t, []byte("hello"))
	if rtt, err := h.Ping(testContext(t), p.ID()); err != nil || rtt <= 0 {
		t.Errorf("ping: %v, %v", rtt, err)
	}
}
