package discovery

import (
	"slices"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dialing"
)

// A ban ends the handshake as well. When it is lifted, nothing of it may keep the
// peer waiting, as a rejection would.
func TestALiftedBanLeavesNothingBehind(t *testing.T) {
	alice := someone(t, "alice")
	h := newHub(t, alice)
	h.do(core.Command{Body: Ban{Peer: alice.id, For: time.Hour, Reason: "why"}})
	h.do(core.Disconnected{Peer: alice.id})
	if p := h.stateOf(alice); p.State != dialing.StateBanned || p.Reason != "why" || len(h.Refusals(h.now)) != 1 {
		t.Errorf("banned: %+v, refused: %v", p, h.Refusals(h.now))
	}
	h.do(core.Command{Body: Unban{Peer: alice.id}})
	if p := h.stateOf(alice); p.State == dialing.StateRejected || p.State == dialing.StateBanned || len(h.Refusals(h.now)) != 0 {
		t.Errorf("after the ban: %+v, refused: %v", p, h.Refusals(h.now))
	}
}

func (h *hub) stateOf(p somebody) dialing.PeerState {
	known := h.Known(h.now)
	at := slices.IndexFunc(known, func(k dialing.PeerState) bool { return k.ID == p.id })
	if at < 0 {
		h.t.Fatalf("%s is not known", p.id)
	}
	return known[at]
}
