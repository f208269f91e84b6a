package libp2phost

import (
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/weftnet/weft/adapters/queue"
	"github.com/weftnet/weft/protocols/core"
)

func TestWhoIsBeingDisconnectedCannotSlipInAFurtherConnection(t *testing.T) {
	h, key := newTestHost(t), testKey(t)
	twin, other := plainHost(t, libp2p.Identity(key)), plainHost(t, libp2p.Identity(key))
	if err := twin.Connect(testContext(t), h.on("tcp")); err != nil {
		t.Fatal(err)
	}
	p := twin.ID()
	await(t, h.events, func(c core.Connected) bool { return c.Peer == p })
	h.book.dismiss(p) // as Disconnect does, before it closes
	_ = other.Connect(testContext(t), h.on("tcp"))
	eventually(t, "the other is refused", func() bool { return h.Stats().Refused["per_peer"] > 0 })
	if err := h.Disconnect(p); err != nil {
		t.Fatal(err)
	}
	await(t, h.events, func(d core.Disconnected) bool { return d.Peer == p })
	if err := other.Connect(testContext(t), h.on("tcp")); err != nil {
		t.Fatal("after that:", err)
	}
	eventually(t, "it is back", func() bool { return h.Connected(p) })
}

func TestAConnectionThatComesUpWhileItsPeerLeavesIsClosed(t *testing.T) {
	for _, guest := range []bool{false, true} {
		b := newBook("self", DefaultConfig().withDefaults())
		b.watch(queue.New[change](), queue.New[core.Event]())
		c := network.Conn(fakeConn{peer: "p"})
		if why := b.enter(c); why != nil {
			t.Fatal(why)
		}
		b.places["p"].guest, b.places["p"].leaves = guest, time.Now()
		if b.dismiss("p"); guest {
			b.due(time.Now())
		}
		b.tell(c)
		if d := b.due(time.Now()); !slices.Contains(d.leaving, c) {
			t.Errorf("guest %v: it stays", guest)
		}
		if d := b.due(time.Now()); !guest && len(d.leaving) > 0 {
			t.Error("it is closed twice")
		}
	}
}
