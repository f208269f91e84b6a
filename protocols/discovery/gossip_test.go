package discovery

import (
	"bytes"
	"testing"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dialing"
	"github.com/weftnet/weft/protocols/infect"
)

// offers is how often an item was offered since the last time.
func (h *hub) offers(item []byte) (times int) {
	for _, s := range h.sent {
		if s.Protocol == infect.ClaimsProtocol && s.Type == infect.TypePush {
			m, err := infect.Parse(s.Type, s.Payload)
			if err != nil {
				h.t.Fatal(err)
			}
			if bytes.Equal(m.Item, item) {
				times++
			}
		}
	}
	h.sent = nil
	return times
}

// advance lets time pass, in which the machine is ticked whenever it wants.
func (h *hub) advance(d time.Duration) {
	for end := h.now.Add(d); ; {
		next := h.Deadline()
		if next.After(end) {
			h.now = end
			return
		}
		if next.After(h.now) {
			h.now = next
		}
		var out []core.Effect
		h.Tick(h.now, &out)
		h.take(out)
	}
}

// All members of its owner have a claim from its handshake. If none of them passed
// it on, gossip would end where it begins.
func TestABookedClaimIsPassedOnButNotAgainSoon(t *testing.T) {
	alice, bob, carol := someone(t, "alice"), someone(t, "bob"), someone(t, "carol")
	h := newHub(t, alice, bob, carol)
	own := alice.claim(t, 0, 1)
	push := func() int {
		h.sent = nil
		h.gossip(alice, infect.TypePush, infect.Message{Item: own})
		h.answer()
		return h.offers(own)
	}
	if push() == 0 {
		t.Fatal("not passed on, want alice's claim offered to others")
	}
	h.advance(20 * time.Minute)
	if push() == 0 {
		t.Error("not passed on again at 20 min, want it: the last time was at its beginning")
	}
	h.advance(4 * time.Minute) // the entry in the table is forgotten
	if push() != 0 {
		t.Error("passed on again 4 min after the last time, want at least a quarter of its age between")
	}
	h.advance(4 * time.Minute)
	if push() == 0 {
		t.Error("not passed on again after more than a quarter of its age")
	}
	if len(h.blamed) != 0 {
		t.Errorf("blamed: %v", h.blamed)
	}
}

func TestInAMeshABookedClaimIsNotPassedOn(t *testing.T) {
	alice, bob, carol := someone(t, "alice"), someone(t, "bob"), someone(t, "carol")
	h := newHub(t, alice, bob, carol)
	h.cfg.Dialing.Topology = dialing.Mesh
	for item, want := range map[string]bool{
		string(alice.claim(t, 0, 1)):              false,
		string(someone(t, "dave").claim(t, 0, 1)): true, // not booked
	} {
		h.gossip(bob, infect.TypePush, infect.Message{Item: []byte(item)})
		h.answer()
		if got := h.offers([]byte(item)) > 0; got != want {
			t.Errorf("passed on: %v, want %v", got, want)
		}
	}
}

// Booking compares what is signed, not the signature: who passed on a wrong one
// would be blamed by those who check it.
func TestABookedClaimWithAWrongSignatureIsNotPassedOn(t *testing.T) {
	alice, bob, carol := someone(t, "alice"), someone(t, "bob"), someone(t, "carol")
	h := newHub(t, alice, bob, carol)
	wrong := alice.claim(t, 0, 1)
	wrong[len(wrong)-1] ^= 1
	h.gossip(bob, infect.TypePush, infect.Message{Item: wrong})
	h.answer()
	if got := h.offers(wrong); got != 0 {
		t.Errorf("offered %d times, want never", got)
	}
}

// A claim that is pushed by its owner while the same one is checked as gossip goes
// on all the same.
func TestAClaimThatCameInTwoWaysIsPassedOn(t *testing.T) {
	alice, bob, carol := someone(t, "alice"), someone(t, "bob"), someone(t, "carol")
	h := newHub(t, alice, bob, carol)
	news := alice.claim(t, 1, 2)
	h.sent = nil
	h.gossip(bob, infect.TypePush, infect.Message{Item: news})
	h.do(core.Received{Peer: alice.id, Protocol: "/weft/peerlist/1.0.0", Type: 3, Payload: news})
	h.answer() // the pushed one first
	if h.offers(news) == 0 {
		t.Error("not passed on")
	}
}

func TestOurClaimIsGossipedEverLessOftenUntilItIsNew(t *testing.T) {
	h := newHub(t, someone(t, "alice"))
	h.do(core.Command{Body: SetAddrs{Addrs: []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/127.0.0.1/tcp/1")}}})
	own := func() int { return h.offers(h.signer.Current().Bytes()) }
	pause := func() time.Duration {
		for last := h.now; ; {
			h.sent = nil
			h.advance(time.Second)
			if own() > 0 {
				return h.now.Sub(last).Round(10 * time.Second)
			}
			if h.now.Sub(last) > time.Hour {
				t.Fatal("not gossiped in an hour")
			}
		}
	}
	for _, want := range []time.Duration{2 * time.Minute, 4 * time.Minute, 8 * time.Minute} {
		if got := pause(); got != want {
			t.Errorf("gossiped again after %v, want %v", got, want)
		}
	}
	h.sent = nil
	h.do(core.Command{Body: SetAddrs{Addrs: []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/127.0.0.1/tcp/2")}}})
	if own() == 0 {
		t.Error("a new claim is not gossiped at once")
	}
	if got := pause(); got != 2*time.Minute {
		t.Errorf("a new claim is repeated after %v, want 2 min", got)
	}
}

func TestTheMemoryOfPassedClaimsIsBounded(t *testing.T) {
	p := newRelayed(3)
	signed, err := claim.Verify(someone(t, "alice").claim(t, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	now := blameStart.Add(time.Hour)
	for i := range byte(5) {
		p.add(now, infect.ID{i}, signed)
		p.add(now, infect.ID{i}, signed) // again: no further place
	}
	for i := range byte(5) {
		if got, want := p.lately(now, infect.ID{i}), i >= 2; got != want {
			t.Errorf("claim %d remembered: %v, want %v", i, got, want)
		}
	}
	if len(p.of) != 3 || len(p.order) != 3 {
		t.Errorf("%d and %d are kept, want 3", len(p.of), len(p.order))
	}
}
