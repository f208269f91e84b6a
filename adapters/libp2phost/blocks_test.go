package libp2phost

import (
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/core"
)

func TestABlockRefusesBothDirectionsUntilItIsLifted(t *testing.T) {
	h, p := newTestHost(t), newTestHost(t)
	h.Block(p.ID(), time.Now().Add(time.Hour), "sent rubbish")

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

	h.Block(p.ID(), time.Time{}, "")
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
	h.Block(p.ID(), time.Now().Add(50*time.Millisecond), "a moment")
	eventually(t, "the peer may come", func() bool { return p.Connect(testContext(t), h.info()) == nil && h.NumPeers() == 1 })
}

func TestABlockClosesNothingAndAllowsNoFurtherConnection(t *testing.T) {
	h := newTestHost(t)
	p := newTestHost(t)
	mustConnect(t, p, h.info())
	await(t, h.events, any1[core.Connected])
	h.Block(p.ID(), time.Now().Add(time.Hour), "enough")
	if n := h.NumPeers(); n != 1 {
		t.Fatalf("%d peers after a block", n)
	}
	if why := h.book.refuse(p.ID(), network.DirInbound, loopbackTCP); why == nil || why.reason != ReasonBlocked {
		t.Fatalf("a further connection: %v", why)
	}
}

func TestBlocksAreBoundedAndTheOneThatEndsSoonestGoes(t *testing.T) {
	b, now := newBlocks(), time.Now()
	ids := make([]peer.ID, maxBlocks+2)
	for i := range ids {
		ids[i] = peer.ID([]byte{1, byte(i >> 8), byte(i)})
	}
	for i, p := range ids[:maxBlocks] {
		until := now.Add(time.Hour + time.Duration(i)*time.Second)
		if dropped := b.set(now, p, until, "test"); dropped != "" {
			t.Fatalf("%d: dropped before the list was full", i)
		}
	}
	if dropped := b.set(now, ids[maxBlocks], now.Add(3*time.Hour), "test"); dropped != ids[0] {
		t.Errorf("dropped %x, want the one that ends soonest", dropped)
	}
	// All but the last few have ended now: they go, and nothing else.
	later := now.Add(2 * time.Hour)
	if dropped := b.set(later, ids[maxBlocks+1], later.Add(time.Hour), "test"); dropped != "" {
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
	if dropped := b.set(later, ids[maxBlocks], time.Time{}, ""); dropped != "" || b.refuse(later, ids[maxBlocks]) != nil {
		t.Error("the zero time does not lift a block")
	}
}
