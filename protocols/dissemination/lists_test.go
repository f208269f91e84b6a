package dissemination

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/catchup"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/fetch"
	"github.com/weftnet/weft/protocols/object"
)

// carries makes members of peers that carry the topic "blocks".
func (r *rig) carries(peers ...core.PeerID) {
	for _, p := range peers {
		r.do(core.Joined{Peer: p})
		told := catchup.Topics{Names: []string{"blocks"}}.Append(nil)
		r.do(core.Arrived{Peer: p, Protocol: catchup.Protocol, Type: catchup.TypeTopics, Payload: told})
	}
}

// lists answers the next question about what a peer holds.
func (r *rig) lists(from core.PeerID, ids ...object.ID) {
	r.t.Helper()
	for range 600 {
		for _, e := range r.out {
			if s, ok := e.(core.Send); ok && s.Peer == from && s.Type == catchup.TypeGetRecent && s.Protocol == catchup.Protocol {
				q, err := catchup.ParseGetRecent(s.Payload)
				if err != nil {
					r.t.Fatal(err)
				}
				r.forgetAll()
				page := catchup.Recent{Request: q.Request, IDs: ids}
				r.do(core.Arrived{Peer: from, Protocol: catchup.Protocol, Type: catchup.TypeRecent, Payload: page.Append(nil)})
				return
			}
		}
		r.pass(time.Second)
	}
	r.t.Fatalf("%s is not asked", from)
}

// fakes are IDs of nothing.
func fakes(name string, n int) (ids []object.ID) {
	for i := range n {
		ids = append(ids, object.IDOf(fmt.Append(nil, name, i)))
	}
	return ids
}

// Who lists what does not exist is believed less and less, and takes no room from those
// who list what does.
func TestListsOfNothingDoNotHideWhatExists(t *testing.T) {
	r, p := newRig(t, blocks()), block(t, "real")
	r.carries(alice)
	for i := range 5 {
		r.lists(alice, fakes(fmt.Sprint("list", i), catchup.MaxIDs)...)
	}
	if open := r.listers[alice].open; open > firstTrust || len(r.listed) != open {
		t.Fatalf("%d of alice's are fetched at a time, %d are noted", open, len(r.listed))
	}
	r.carries(bob)
	r.lists(bob, p.ID)
	asks := r.requests(bob)
	at := slices.IndexFunc(asks, func(m fetch.Message) bool { return m.ID == p.ID })
	if at < 0 {
		t.Fatal("bob is not asked for what it listed")
	}
	r.answers(bob, asks[at], fetch.StatusFound, p)
	r.wantSaved(p)
	r.pass(20 * time.Minute)
	if trust := r.listers[alice].trust; trust != leastTrust {
		t.Errorf("alice is trusted with %d", trust)
	}
	if trust := r.listers[bob].trust; trust != firstTrust+1 {
		t.Errorf("bob is trusted with %d", trust)
	}
}

// Who says that it lacks what it listed is blamed for it; who is silent, late or gone
// is not.
func TestWhoLacksWhatItListedIsBlamed(t *testing.T) {
	for _, c := range []struct {
		name  string
		reply func(r *rig, ask fetch.Message)
		want  []string
	}{
		{"not found", func(r *rig, ask fetch.Message) { r.answers(alice, ask, fetch.StatusNotFound, Parcel{}) }, []string{"alice fetch.absent"}},
		{"pruned", func(r *rig, ask fetch.Message) { r.answers(alice, ask, fetch.StatusPruned, Parcel{}) }, nil},
		{"refused", func(r *rig, ask fetch.Message) { r.answers(alice, ask, fetch.StatusRefused, Parcel{}) }, nil},
		{"silent", func(r *rig, _ fetch.Message) { r.pass(time.Minute) }, nil},
		{"gone", func(r *rig, _ fetch.Message) { r.do(core.Disconnected{Peer: alice}) }, nil},
		{"carries it no more", func(r *rig, ask fetch.Message) {
			r.do(core.Arrived{Peer: alice, Protocol: catchup.Protocol, Type: catchup.TypeTopics, Payload: catchup.Topics{}.Append(nil)})
			r.answers(alice, ask, fetch.StatusNotFound, Parcel{})
		}, nil},
	} {
		r := newRig(t, blocks())
		r.carries(alice)
		r.lists(alice, fakes("one", 1)...)
		c.reply(r, r.requests(alice)[0])
		if got := r.blamed(); !slices.Equal(got, c.want) {
			t.Errorf("%s: blamed %q, want %q", c.name, got, c.want)
		}
		r.pass(10 * time.Minute)
		if len(r.listed)+len(r.pages) > 0 {
			t.Errorf("%s: %d are noted for ever, and %d pages", c.name, len(r.listed), len(r.pages))
		}
	}
}

// A long list is fetched in full, as fast as it comes.
func TestAListIsFetchedInFull(t *testing.T) {
	r := newRig(t, blocks())
	r.carries(alice)
	var parcels []Parcel
	byID := map[object.ID]Parcel{}
	for i := range catchup.MaxIDs {
		p := block(t, fmt.Sprint(i))
		parcels, byID[p.ID] = append(parcels, p), p
	}
	ids := make([]object.ID, len(parcels))
	for i, p := range parcels {
		ids[i] = p.ID
	}
	r.lists(alice, ids...)
	for asks := r.requests(alice); len(asks) > 0; asks = r.requests(alice) {
		for _, a := range asks {
			r.answers(alice, a, fetch.StatusFound, byID[a.ID])
		}
	}
	if len(r.order) != len(parcels) {
		t.Errorf("%d of %d came", len(r.order), len(parcels))
	}
	if l := r.listers[alice]; l.trust != mostTrust || l.open != 0 || l.pages != 0 {
		t.Errorf("%+v", *l)
	}
}
