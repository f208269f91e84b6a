package discovery

import (
	"fmt"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/peerlist"
)

// twoFaced are claims of somebody, two for each of some timestamps.
func twoFaced(t *testing.T, s somebody, timestamps int) (all [][]byte) {
	for ms := range timestamps {
		all = append(all, s.claim(t, ms+1, 3), s.claim(t, ms+1, 4))
	}
	return all
}

// tells answers the machine's next question to a member with some claims.
func (h *hub) tells(p somebody, claims [][]byte) {
	h.t.Helper()
	h.sent = nil
	for range 100 {
		h.advance(time.Second)
		for _, s := range h.sent {
			if s.Peer != p.id || s.Protocol != peerlist.Protocol || s.Type != peerlist.TypeGetPeerList {
				continue
			}
			q, err := peerlist.ParseGetPeerList(s.Payload)
			if err != nil {
				h.t.Fatal(err)
			}
			h.from(p, peerlist.Protocol, peerlist.TypePeerList, peerlist.PeerList{ID: q.ID, Envelopes: claims}.Append(nil))
			h.answer()
			return
		}
	}
	h.t.Fatal("no question came")
}

func TestIdentitiesThatNobodyMetCannotDisplaceBans(t *testing.T) {
	bob := someone(t, "bob")
	h := newHub(t, bob)
	h.command(Ban{Peer: "banned by hand", For: time.Hour})
	for i := range 10 {
		h.tells(bob, twoFaced(t, someone(t, fmt.Sprint("made up", i)), 4))
		for _, c := range twoFaced(t, someone(t, fmt.Sprint("made up too", i)), 4) {
			h.gossip(bob, infect.TypePush, infect.Message{Item: c})
			h.answer()
		}
	}
	if s := h.Stats(); s.Claims.Refused[claim.Equivocation] == 0 {
		t.Error("nothing was refused")
	}
	if bans := h.Bans(h.now); len(bans) != 1 || h.Stats().Reputation.Scored != 0 {
		t.Errorf("bans %+v, %d scores", bans, h.Stats().Reputation.Scored)
	}
}

func TestAConnectedAuthorOfTwoClaimsIsBlamedWhoeverBringsThem(t *testing.T) {
	alice, bob := someone(t, "alice"), someone(t, "bob")
	h := newHub(t, alice, bob)
	h.tells(bob, twoFaced(t, alice, 5))
	if bans := h.Bans(h.now); len(bans) != 1 || bans[0].Peer != alice.id {
		t.Errorf("bans %+v", bans)
	}
}
