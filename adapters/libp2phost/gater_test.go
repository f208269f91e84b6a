package libp2phost

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

func TestMaxPeersIsNeverExceededHoweverManyComeAtOnce(t *testing.T) {
	const places, comers = 3, 12
	for _, guests := range []int{0, 4} {
		h := newTestHost(t, func(c *Config) { c.MaxPeers, c.Guests = places, guests })
		var wg sync.WaitGroup
		for range comers {
			p := plainHost(t)
			wg.Go(func() { _ = p.Connect(testContext(t), h.on("tcp")) })
		}
		wg.Wait()
		eventually(t, "the rest is refused", func() bool { return h.Stats().Refused["full"] >= uint64(comers-places-guests) })
		if st := h.Stats(); st.Peers != places || st.Guests != guests || h.NumPeers() != places {
			t.Errorf("%d peers and %d guests, want %d and %d", st.Peers, st.Guests, places, guests)
		}
	}
}

func TestReservedPlacesAreBeyondMaxPeersAndTakeNoneOfThem(t *testing.T) {
	friend := plainHost(t)
	h := newTestHost(t, func(c *Config) {
		c.MaxPeers, c.Guests = 1, 0
		c.Reserved = func(p peer.ID) bool { return p == friend.ID() }
	})
	other := newTestHost(t)
	mustConnect(t, other, h.on("tcp"))
	if err := friend.Connect(testContext(t), h.on("tcp")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both are connected", func() bool { return h.NumPeers() == 2 })

	if err := other.Disconnect(h.ID()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other has left", func() bool { return h.NumPeers() == 1 })
	mustConnect(t, newTestHost(t), h.on("tcp")) // the friend has not taken its place
	eventually(t, "another has come", func() bool { return h.NumPeers() == 2 })
}

func TestAFullNodeSaysSoWhenAskedToDial(t *testing.T) {
	h := newTestHost(t, func(c *Config) { c.MaxPeers = 1 })
	mustConnect(t, h, newTestHost(t).info())
	late := newTestHost(t)
	h.Dial(late.ID(), late.Addrs())
	got := await(t, h.events, func(f core.DialFailed) bool { return f.Peer == late.ID() })
	if !strings.Contains(got.Reason, "all 1 places are taken") {
		t.Fatalf("reason %q", got.Reason)
	}
}

// Hosts of one identity are the lives of a node that was killed: QUIC connections of the
// former ones look alive.
func TestAPeerThatWasKilledTwiceFindsAPlace(t *testing.T) {
	h, key := newTestHost(t), testKey(t)
	for range inboundPerPeer {
		if err := plainHost(t, libp2p.Identity(key)).Connect(testContext(t), h.on("tcp")); err != nil {
			t.Fatal(err)
		}
	}
	again := plainHost(t, libp2p.Identity(key))
	eventually(t, "it is back", func() bool {
		_ = again.Connect(testContext(t), h.on("tcp"))
		return slices.ContainsFunc(h.Base().Network().ConnsToPeer(again.ID()), func(c network.Conn) bool {
			return slices.ContainsFunc(again.Network().Conns(), func(own network.Conn) bool {
				return own.LocalMultiaddr().Equal(c.RemoteMultiaddr())
			})
		})
	})
	if n := len(h.Base().Network().ConnsToPeer(again.ID())); n > inboundPerPeer {
		t.Errorf("it has %d connections", n)
	}
}

func TestAPeerMayHaveTwoConnectionsAndCountsOnce(t *testing.T) {
	h := newTestHost(t, func(c *Config) { c.MaxPeers, c.Guests = 1, 0 })
	key := testKey(t)
	for i := range 3 { // hosts of the same identity: each brings a connection of its own
		twin := plainHost(t, libp2p.Identity(key))
		_ = twin.Connect(testContext(t), h.on("tcp"))
		want := min(i+1, connsPerPeer)
		eventually(t, "the connection is booked", func() bool { return len(h.Base().Network().Conns()) == want })
	}
	eventually(t, "the third is refused", func() bool { return h.Stats().Refused["per_peer"] == 1 })
	if n := h.NumPeers(); n != 1 {
		t.Fatalf("%d peers", n)
	}
	if all, _ := h.events.snapshot(); len(all) != 2 { // Connected and Linked, once
		t.Fatalf("posted %+v", all)
	}
}

func TestSimultaneousDialsConnectWhicheverWins(t *testing.T) {
	a, b := newTestHost(t), newTestHost(t)
	for range 10 {
		var wg sync.WaitGroup
		wg.Go(func() { mustConnect(t, a, b.info()) })
		wg.Go(func() { mustConnect(t, b, a.info()) })
		wg.Wait()
		eventually(t, "each has one peer", func() bool { return a.NumPeers() == 1 && b.NumPeers() == 1 })
		_ = a.Disconnect(b.ID())
		_ = b.Disconnect(a.ID())
		eventually(t, "both have noticed", func() bool { return a.NumPeers() == 0 && b.NumPeers() == 0 })
	}
}

func TestOurOwnIdentityIsRefusedAsAPeer(t *testing.T) {
	h := newTestHost(t) // libp2p never dials its own ID, so the gater is asked itself
	g := &gater{h.book, newDialBudget(h.cfg), h.refused}
	if g.InterceptSecured(network.DirInbound, h.ID(), fakeAddrs{h.on("tcp")}) {
		t.Error("a connection of our own identity is accepted")
	}
	if g.InterceptPeerDial(h.ID()) || g.InterceptPeerDial("") {
		t.Error("a dial to ourselves or to nobody is allowed")
	}
	refused := h.Stats().Refused
	if refused["self"] != 2 || refused["no_id"] != 1 {
		t.Errorf("counted %v", refused)
	}
}

// fakeAddrs is the end of a connection that does not exist.
type fakeAddrs struct{ at peer.AddrInfo }

func (f fakeAddrs) LocalMultiaddr() ma.Multiaddr  { return f.at.Addrs[0] }
func (f fakeAddrs) RemoteMultiaddr() ma.Multiaddr { return f.at.Addrs[0] }

func TestStrangersCannotFillTheNode(t *testing.T) {
	for _, guests := range []int{0, 1} {
		h := newTestHost(t, func(c *Config) { c.MaxPeers, c.KeepOutbound, c.Guests = 3, 1, guests })
		for range 4 {
			_ = plainHost(t).Connect(testContext(t), h.on("tcp")) // who is refused learns it late
		}
		eventually(t, "two strangers are in, the rest is refused or a guest", func() bool {
			st := h.Stats()
			return st.Peers == 2 && st.Guests == guests && st.Refused["full"] >= uint64(2-guests)
		})
		mustConnect(t, h, newTestHost(t).info())
		if n := h.NumPeers(); n != 3 {
			t.Fatalf("%d peers after a dial of our own, want 3", n)
		}
	}
}
