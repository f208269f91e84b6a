package libp2phost

import (
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

func TestABlockRefusesBothDirectionsUntilItIsLifted(t *testing.T) {
	h, p := newTestHost(t), newTestHost(t)
	h.Block(core.Block{Peer: p.ID(), Until: time.Now().Add(time.Hour), Reason: "sent rubbish"})

	h.Dial(p.ID(), p.Addrs())
	failed := await(t, h.events, any1[core.DialFailed])
	if failed.Peer != p.ID() || !strings.Contains(failed.Reason, "blocked until") || !strings.Contains(failed.Reason, "sent rubbish") {
		t.Errorf("the dial failed with %+v", failed)
	}
	for i, transport := range []string{"tcp", "quic-v1"} {
		_ = p.Connect(testContext(t), h.on(transport)) // who is refused learns it late
		eventually(t, transport+": the peer is refused", func() bool { return h.Stats().Refused["blocked"] >= uint64(i+2) && p.NumPeers() == 0 })
	}
	if n := h.NumPeers(); n != 0 {
		t.Fatalf("%d peers", n)
	}

	h.Block(core.Block{Peer: p.ID(), Until: time.Time{}, Reason: ""})
	mustConnect(t, p, h.info())
	await(t, h.events, func(c core.Connected) bool { return c.Peer == p.ID() })
	if err := h.Disconnect(p.ID()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has left", func() bool { return p.NumPeers() == 0 && h.NumPeers() == 0 })
	mustConnect(t, h, p.info())
}

func TestABlockEndsByItself(t *testing.T) {
	h, p := newTestHost(t), newTestHost(t)
	h.Block(core.Block{Peer: p.ID(), Until: time.Now().Add(50 * time.Millisecond), Reason: "a moment"})
	eventually(t, "the peer may come", func() bool { return p.Connect(testContext(t), h.info()) == nil && h.NumPeers() == 1 })
}

func TestABlockClosesNothingAndAllowsNoFurtherConnection(t *testing.T) {
	h := newTestHost(t)
	p := newTestHost(t)
	mustConnect(t, p, h.info())
	await(t, h.events, any1[core.Connected])
	h.Block(core.Block{Peer: p.ID(), Until: time.Now().Add(time.Hour), Reason: "enough"})
	if n := h.NumPeers(); n != 1 {
		t.Fatalf("%d peers after a block", n)
	}
	if why := h.book.refuse(p.ID(), network.DirInbound, loopbackTCP); why == nil || why.reason != ReasonBlocked {
		t.Fatalf("a further connection: %v", why)
	}
}

func TestBlocksAreBoundedAndTheOneThatEndsSoonestGoes(t *testing.T) {
	b, now := newBlocks(nil), time.Now()
	ids := make([]peer.ID, maxBlocks+2)
	for i := range ids {
		ids[i] = peer.ID([]byte{1, byte(i >> 8), byte(i)})
	}
	for i, p := range ids[:maxBlocks] {
		until := now.Add(time.Hour + time.Duration(i)*time.Second)
		if dropped := setBlock(b.peers, now, p, block{until: until, reason: "test"}); dropped != "" {
			t.Fatalf("%d: dropped before the list was full", i)
		}
	}
	if dropped := setBlock(b.peers, now, ids[maxBlocks], block{until: now.Add(3 * time.Hour), reason: "test"}); dropped != ids[0] {
		t.Errorf("dropped %x, want the one that ends soonest", dropped)
	}
	// All but the last few have ended now: they go, and nothing else.
	later := now.Add(2 * time.Hour)
	if dropped := setBlock(b.peers, later, ids[maxBlocks+1], block{until: later.Add(time.Hour), reason: "test"}); dropped != "" {
		t.Errorf("dropped %x although others had ended", dropped)
	}
	for i, p := range ids {
		ends := now.Add(time.Hour + time.Duration(i)*time.Second)
		if i >= maxBlocks {
			ends = later.Add(time.Hour)
		}
		if blocked := b.refuse(later, p) != nil; blocked != ends.After(later) {
			t.Errorf("%d: blocked %v, ends in %v", i, blocked, ends.Sub(later))
		}
	}
	if dropped := setBlock(b.peers, later, ids[maxBlocks], block{until: time.Time{}, reason: ""}); dropped != "" || b.refuse(later, ids[maxBlocks]) != nil {
		t.Error("the zero time does not lift a block")
	}
}

// Loopback has no groups, so this test makes one of it.
func TestABlockedGroupIsRefusedBothWaysButNotThoseWithAPlaceOfTheirOwn(t *testing.T) {
	p, friend := newTestHost(t), newTestHost(t)
	h := newTestHost(t, func(c *Config) {
		c.Group = func(ma.Multiaddr) core.Group { return "8.8.4.0/24" }
		c.Reserved = func(id peer.ID) bool { return id == friend.ID() }
	})
	block := core.BlockGroup{Group: "8.8.4.0/24", Until: time.Now().Add(time.Hour), Reason: "three of them lied"}
	h.BlockGroup(block)

	h.Dial(p.ID(), p.Addrs())
	failed := await(t, h.events, any1[core.DialFailed])
	if failed.Peer != p.ID() || !strings.Contains(failed.Reason, "8.8.4.0/24 are blocked until") || !strings.Contains(failed.Reason, "three of them lied") {
		t.Errorf("the dial failed with %+v", failed)
	}
	before := h.Stats().Refused["blocked"]
	for i, transport := range []string{"tcp", "quic-v1"} {
		_ = p.Connect(testContext(t), h.on(transport)) // who is refused learns it late
		eventually(t, transport+": the peer is refused", func() bool { return h.Stats().Refused["blocked"] > before+uint64(i) && p.NumPeers() == 0 })
	}
	mustConnect(t, friend, h.info())
	eventually(t, "the friend is let in", func() bool { return h.NumPeers() == 1 })

	block.ByHand = true
	h.BlockGroup(block)
	if why := h.book.refuse(friend.ID(), network.DirInbound, loopbackTCP); why == nil || why.reason != ReasonBlocked {
		t.Errorf("by hand: %v", why)
	}
	h.BlockGroup(core.BlockGroup{Group: block.Group})
	mustConnect(t, h, p.info())
	mustConnect(t, h, friend.info())
}

func TestABlockedGroupIsTheGroupOfPublicAddressesOnly(t *testing.T) {
	b, now := newBlocks(nil), time.Now()
	setBlock(b.groups, now, "8.8.4.0/24", block{until: now.Add(time.Hour)})
	setBlock(b.groups, now, "", block{until: now.Add(time.Hour)})
	for addr, want := range map[string]bool{
		"/ip4/8.8.4.4/tcp/1": true, "/ip4/8.8.4.5/udp/1/quic-v1": true, "/ip4/8.8.5.4/tcp/1": false,
		"/ip4/10.0.0.1/tcp/1": false, "/ip4/127.0.0.1/tcp/1": false, "/dns4/example.com/tcp/1": false,
	} {
		if why := b.refuseAt(now, ma.StringCast(addr), false); (why != nil) != want {
			t.Errorf("%s: %v", addr, why)
		}
	}
	if why := b.refuseAt(now.Add(time.Hour), ma.StringCast("/ip4/8.8.4.4/tcp/1"), false); why != nil {
		t.Errorf("after its end: %v", why)
	}
}

func TestBlocksByHandGoLast(t *testing.T) {
	b, now := newBlocks(nil), time.Now()
	id := func(i int) peer.ID { return peer.ID([]byte{1, byte(i >> 8), byte(i)}) }
	setBlock(b.peers, now, id(0), block{until: now.Add(time.Minute), byHand: true})
	for i := range 2 * maxBlocks {
		setBlock(b.peers, now, id(1+i), block{until: now.Add(time.Hour)})
	}
	if b.refuse(now, id(0)) == nil || len(b.peers) != maxBlocks {
		t.Errorf("displaced; %d are kept", len(b.peers))
	}
}
