package discovery

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

// offends lets a stranger of an address come, offend fatally and go.
func (h *hub) offends(p somebody, addr string) {
	h.do(core.Connected{Peer: p.id, Inbound: true, Addr: multiaddr.StringCast(addr)})
	h.do(core.Misbehaved{Peer: p.id, Offence: "object.invalid"})
	h.do(core.Disconnected{Peer: p.id})
}

func TestAGroupIsBlockedAfterThreeOffendersThereAndStaysSoOverARestart(t *testing.T) {
	h := newHub(t, someone(t, "elsewhere"))
	lurker := someone(t, "lurker") // connected, without a handshake
	h.do(core.Connected{Peer: lurker.id, Inbound: true, Addr: multiaddr.StringCast("/ip4/8.8.4.9/tcp/1")})
	var saved []core.SavedBan
	for i := range 3 {
		if got := asked[core.BlockGroup](h); len(got) != 0 {
			t.Fatalf("%d offenders: %+v", i, got)
		}
		h.out = nil
		h.offends(someone(t, fmt.Sprint("sybil", i)), fmt.Sprintf("/ip4/8.8.4.%d/tcp/1", i))
		for _, e := range h.out {
			if p, ok := e.(core.Persist); ok {
				saved = append(saved, p.Record.(core.SavedBan))
			}
		}
	}
	blocks := slices.Collect(func(yield func(core.BlockGroup) bool) {
		for _, e := range h.out {
			if b, ok := e.(core.BlockGroup); ok && !yield(b) {
				return
			}
		}
	})
	if len(blocks) != 1 || blocks[0].Group != "8.8.4.0/24" || blocks[0].Until != h.now.Add(time.Hour) || blocks[0].ByHand {
		t.Errorf("blocks %+v", blocks)
	}
	if f := h.refusals.get(lurker.id); f.Reason != "banned" {
		t.Errorf("the lurker: %+v, want it refused", f)
	}
	if len(saved) != 4 || saved[3].Peer != "" || saved[3].Group != "8.8.4.0/24" {
		t.Fatalf("saved %+v", saved)
	}

	again := newHub(t)
	again.do(core.Command{Body: LoadBans{Bans: saved}})
	if got := asked[core.BlockGroup](again); len(got) != 1 || got[0].Group != "8.8.4.0/24" || len(again.Bans(again.now)) != 4 {
		t.Errorf("after a restart: %+v, bans %+v", got, again.Bans(again.now))
	}
	again.do(core.Command{Body: Unban{Group: "8.8.4.0/24"}})
	if got := asked[core.BlockGroup](again); len(got) != 1 || !got[0].Until.IsZero() || len(again.Bans(again.now)) != 3 {
		t.Errorf("lifted: %+v, bans %+v", got, again.Bans(again.now))
	}
}

func TestAMemberOfTheGroupProtectsItAndPrivateAddressesAreNone(t *testing.T) {
	for name, tt := range map[string]struct {
		member, offenders string
		want              int
	}{
		"protected":     {"/ip4/8.8.4.100/tcp/1", "/ip4/8.8.4.%d/tcp/1", 0},
		"another group": {"/ip4/8.8.5.100/tcp/1", "/ip4/8.8.4.%d/tcp/1", 1},
		"private":       {"/ip4/8.8.4.100/tcp/1", "/ip4/10.0.0.%d/tcp/1", 0},
		"loopback":      {"/ip4/8.8.4.100/tcp/1", "/ip4/127.0.0.1/tcp/%d", 0},
	} {
		t.Run(name, func(t *testing.T) {
			h, alice := newHub(t), someone(t, "alice")
			h.do(core.Connected{Peer: alice.id, Inbound: true, Addr: multiaddr.StringCast(tt.member)})
			h.greets(alice)
			h.from(alice, "/weft/handshake/1.0.0", 2, nil)
			if !h.isMember(alice) {
				t.Fatal("no member")
			}
			asked[core.BlockGroup](h)
			for i := range 10 {
				h.offends(someone(t, fmt.Sprint("sybil", i)), fmt.Sprintf(tt.offenders, i+1))
			}
			if got := asked[core.BlockGroup](h); len(got) != tt.want {
				t.Errorf("blocks %+v, want %d", got, tt.want)
			}
			if !h.isMember(alice) {
				t.Error("the member is gone")
			}
		})
	}
}

func TestGossipIsToldOfValidityUntilItHasHealedAndOfBans(t *testing.T) {
	alice := someone(t, "alice")
	h := newHub(t, alice)
	asked[core.Rate](h)
	h.do(core.Misbehaved{Peer: alice.id, Offence: core.OffenceFrame})
	h.do(core.Deliveries{Of: []core.Delivery{{Peer: alice.id, Late: 1, Delay: time.Hour}}})
	if got := asked[core.Rate](h); len(got) != 0 {
		t.Errorf("of compliance and slowness: %+v", got)
	}
	h.do(core.Misbehaved{Peer: alice.id, Offence: "fetch.wrong"})
	if got := asked[core.Rate](h); len(got) != 1 || got[0] != (core.Rate{Peer: alice.id, Score: -10}) {
		t.Errorf("of validity: %+v", got)
	}
	until := h.rateAt
	if until.IsZero() || until.Sub(h.now) > 3*time.Minute {
		t.Fatalf("to be looked at again in %v", until.Sub(h.now))
	}
	h.now = until
	var out []core.Effect
	h.Tick(h.now, &out)
	h.take(out)
	if got := asked[core.Rate](h); len(got) != 1 || got[0].Score != 0 {
		t.Errorf("healed: %+v", got)
	}
	h.do(core.Misbehaved{Peer: alice.id, Offence: "object.invalid"})
	if got := asked[core.Rate](h); len(got) == 0 || got[len(got)-1].Score != core.RateBanned {
		t.Errorf("of a ban: %+v", got)
	}
	h.do(core.Disconnected{Peer: alice.id})
	if got := asked[core.Rate](h); len(got) != 1 || got[0].Score != 0 {
		t.Errorf("of one who is gone: %+v", got)
	}
}
