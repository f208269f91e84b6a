package peerlist

import (
	"time"

	"github.com/weftnet/weft/protocols/bloom"
	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
)

// The lists of tellable claims. The first is told first, so that no number of
// fresh identities crowds out those whom the network vouches for.
const (
	tellTrusted = iota // bootstrappers and validators
	tellOthers         // any member of an open network
)

// tellable is a dense list of the members whose claims may be told: entry IDs
// beside the pointers, because an answer may have to look at each.
type tellable []struct {
	id     EntryID
	member *member
}

// refresh puts a member on the list it belongs to, or on none. A claim is told
// while its owner is connected, the claim that the owner gave us is the newest
// known, and the owner is trusted or the network open (as all in the book are).
func (t *Tracker) refresh(peer core.PeerID) {
	m := t.members[peer]
	if m == nil {
		return
	}
	t.untell(m)
	if newest, known := t.book.Get(peer); !known || !newest.Time.Equal(m.own.Time) {
		return
	}
	m.list = tellOthers
	if t.trusted[peer] != 0 {
		m.list = tellTrusted
	}
	list := &t.tell[m.list]
	m.told = len(*list)
	*list = append(*list, tellable{{entryOf(m.own), m}}...)
}

func (t *Tracker) untell(m *member) {
	if m.told < 0 {
		return
	}
	list := t.tell[m.list]
	last := len(list) - 1
	list[m.told] = list[last]
	list[m.told].member.told = m.told
	list[last].member = nil
	t.tell[m.list] = list[:last]
	m.told = -1
}

// Answer draws up to MaxAnswer claims that the asker lacks, and says how many
// lookups that took. The choice is random, so that askers who pull at the same
// time learn different ones.
func (t *Tracker) Answer(now time.Time, asker core.PeerID, q bloom.Query) (claims []claim.Signed, lookups int) {
	keyer := bloom.NewKeyer(q.Salt)
	for _, list := range t.tell {
		at, step := t.stroll(len(list))
		for range list {
			if len(claims) == MaxAnswer {
				return claims, lookups
			}
			if at += step; at >= len(list) {
				at -= len(list)
			}
			lookups++
			if q.Filter.Contains(keyer.Key(list[at].id)) {
				continue
			}
			own := &list[at].member.own
			if own.Peer == asker || !own.Expiry.After(now) {
				continue
			}
			if claims == nil { // most answers are empty
				claims = make([]claim.Signed, 0, MaxAnswer)
			}
			claims = append(claims, *own)
		}
	}
	return claims, lookups
}

// stroll draws a start and a step that visit every one of n places once: a
// random order without a permutation of ten thousand.
func (t *Tracker) stroll(n int) (start, step int) {
	if n < 2 {
		return 0, 0
	}
	start, step = t.rng.IntN(n), 1+t.rng.IntN(n-1)
	for gcd(step, n) != 1 {
		step = 1 + t.rng.IntN(n-1)
	}
	return start, step
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
