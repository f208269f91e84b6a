package infect

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

func TestWhoIsLateMayStillGiveAnItem(t *testing.T) {
	r := newRig(t, 10)
	id := IDOf(large)
	r.receive(peerN(0), TypeAnnounce, Message{ID: id})
	r.receive(peerN(1), TypeAnnounce, Message{ID: id})
	r.advance()
	if out := r.receive(peerN(0), TypeItem, Message{ID: id, Item: large}); len(of[Check](out)) != 1 || len(faults(out)) != 0 {
		t.Errorf("from the first, while the second is asked: %v", out)
	}
	for i := range 2 {
		if out := r.receive(peerN(i), TypeItem, Message{ID: id, Item: large}); len(out) != 0 {
			t.Errorf("from %s, when it is here: %v", peerN(i), out)
		}
	}
}

// A large object may wait for limits of our own: nobody is blamed, others are asked
// too, and it is lost only after a minute.
func TestAnObjectIsWaitedFor(t *testing.T) {
	r := newRig(t, 10, func(c *Config) { *c = ObjectsConfig() })
	id := IDOf(large)
	announce := func(i int) []core.PeerID { return to(r.receive(peerN(i), TypeAnnounce, Message{ID: id}), TypeGet) }
	announce(0)
	if out := r.advance(); len(out) != 0 || r.now.Sub(start) != 10*time.Second {
		t.Fatalf("after %v, with nobody else to ask: %v", r.now.Sub(start), out)
	}
	r.now = r.now.Add(10 * time.Second)
	if asked := announce(1); !slices.Equal(asked, []core.PeerID{peerN(1)}) {
		t.Fatalf("announced by another: asked %v", asked)
	}
	if asked := announce(2); len(asked) != 0 {
		t.Fatalf("the other has its time: asked %v", asked)
	}
	if out := r.advance(); r.now.Sub(start) != 30*time.Second || !slices.Equal(to(out, TypeGet), []core.PeerID{peerN(2)}) || faults(out) != nil {
		t.Fatalf("after %v: %v", r.now.Sub(start), out)
	}
	r.PeerDown(r.now, peerN(2), &r.out)
	if d := r.Deadline().Sub(start); d != 90*time.Second {
		t.Errorf("two are left that may give it: until %v", d)
	}
	if out := r.receive(peerN(0), TypeItem, Message{ID: id, Item: []byte("something else")}); len(of[Check](out)) != 1 {
		t.Fatalf("from the first: %v", out)
	}
	if out := r.do(func(out *[]core.Action) { r.Retry(r.now, id, out) }); len(out) != 0 {
		t.Errorf("it was something else, and one is left: %v", out)
	}
	out := r.advance()
	if r.now.Sub(start) != 90*time.Second || len(of[Lost](out)) != 1 || faults(out) != nil || r.Stats().Pending != 0 {
		t.Errorf("after %v: %v", r.now.Sub(start), out)
	}
}

func TestAnItemIsLostWhenAllWhoHaveItAreGone(t *testing.T) {
	r := newRig(t, 10, func(c *Config) { *c = ObjectsConfig() })
	for i := range 2 {
		r.receive(peerN(i), TypeAnnounce, Message{ID: ID{1}})
	}
	r.advance()
	for i, lost := range []int{0, 1} {
		out := r.do(func(out *[]core.Action) { r.PeerDown(r.now, peerN(i), out) })
		if len(of[Lost](out)) != lost {
			t.Errorf("%s is gone: %v", peerN(i), out)
		}
	}
}

func TestOnlyThoseWhoMayAreOfferedAnItem(t *testing.T) {
	r := newRig(t, 20)
	for i := range 15 {
		r.shy[peerN(i)] = true
	}
	queue, offered := to(r.gossip(small), TypePush), 0
	for len(queue) > 0 {
		if r.shy[queue[0]] {
			t.Fatalf("%s is offered it", queue[0])
		}
		offered++
		queue = append(queue[1:], to(r.answer(queue[0], IDOf(small), StatusAlready), TypePush)...)
	}
	if offered != 5 || r.Stats().ByPeers != 1 {
		t.Errorf("%d were offered it, want 5: %+v", offered, r.Stats())
	}
	if out := r.receive(peerN(0), TypePush, Message{Item: []byte("another")}); said(out) != StatusNew {
		t.Errorf("one who may not be offered anything brings something: %v", out)
	}
}

func TestAnItemIsAsLongAsItsKindAllows(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg Config
		ok  bool
	}{"claims": {DefaultConfig(), false}, "objects": {ObjectsConfig(), true}} {
		r := newRig(t, 5, func(c *Config) { *c = tc.cfg })
		id := IDOf(large)
		r.receive(peerN(0), TypeAnnounce, Message{ID: id})
		out := r.receive(peerN(0), TypeItem, Message{ID: id, Item: large})
		if got := len(of[Check](out)) == 1; got != tc.ok || slices.Contains(faults(out), OffenceMalformed) == tc.ok {
			t.Errorf("%s: %v", name, out)
		}
	}
}

func TestMessagesGoOnTheProtocolOfTheirKind(t *testing.T) {
	for _, cfg := range []Config{DefaultConfig(), ObjectsConfig()} {
		r := newRig(t, 5, func(c *Config) { *c = cfg })
		r.gossip(small)
		r.receive(peerN(0), TypeAnnounce, Message{ID: ID{1}})
		for _, s := range of[core.Send](r.out) {
			if s.Protocol != cfg.Protocol {
				t.Errorf("%s, want %s", s.Protocol, cfg.Protocol)
			}
		}
	}
}

// What is offered to many is one copy, and what is handed over is none.
func TestItemsAreNotCopied(t *testing.T) {
	r := newRig(t, 10, func(c *Config) { *c = ObjectsConfig() })
	item := bytes.Clone(small)
	sent := of[core.Send](r.gossip(item))
	if len(sent) != 3 || &sent[0].Payload[0] != &sent[2].Payload[0] {
		t.Error("each offer has a copy of its own")
	}
	item[0]++ // the caller may use it again
	if m, err := Parse(TypePush, sent[0].Payload); err != nil || m.ID != IDOf(small) {
		t.Errorf("an offer of %q, %v", m.Item, err)
	}
	out := r.receive(sent[0].Peer, TypeGet, Message{ID: IDOf(small)})
	if m, err := Parse(TypeItem, of[core.Send](out)[0].Payload); err != nil || !bytes.Equal(m.Item, small) {
		t.Errorf("after a Get: %q, %v", m.Item, err)
	}
	id := IDOf(large)
	r.receive(peerN(0), TypeAnnounce, Message{ID: id})
	payload := Message{ID: id, Item: large}.Append(TypeItem, nil)
	out = r.do(func(out *[]core.Action) { r.Receive(r.now, peerN(0), TypeItem, payload, out) })
	if check := of[Check](out)[0]; &check.Item[0] != &payload[len(payload)-len(large)] {
		t.Error("what came is copied")
	}
}
