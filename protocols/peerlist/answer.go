package peerlist

import (
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// The lists of tellable claims. The first is told first, so that no number of
// fresh identities crowds out those whom the network vouches for.
const (
	tellTrusted = iota // bootstrappers and validators
	tellOthers         // any member of an open network
)

// tellable is a dense list of claims that may be told: IDs beside the pointers,
// because an answer may have to look at each.
type tellable []struct {
	id   EntryID
	node *node
}

// refresh puts a node on the list it belongs to, or on none. A claim is told
// while its owner is connected, the claim that the owner gave us is the newest
// known, and the owner is trusted or the network open (as all in the book are).
func (b *Book) refresh(n *node) {
	b.untell(n)
	own, live := b.live[n.Peer]
	if !live || own.Timestamp != n.Timestamp {
		return
	}
	n.list = tellOthers
	if b.trusted[n.Peer] != 0 {
		n.list = tellTrusted
	}
	list := &b.tell[n.list]
	n.told = len(*list)
	*list = append(*list, struct {
		id   EntryID
		node *node
	}{n.id, n})
}

func (b *Book) untell(n *node) {
	if n.told < 0 {
		return
	}
	list := b.tell[n.list]
	last := len(list) - 1
	list[n.told] = list[last]
	list[n.told].node.told = n.told
	list[last].node = nil
	b.tell[n.list] = list[:last]
	n.told = -1
}

// Answer draws up to MaxAnswer claims that the asker lacks, and says how many
// lookups that took. The choice is random, so that askers who pull at the same
// time learn different ones.
func (b *Book) Answer(now time.Time, asker core.PeerID, q Query) (claims []Entry, lookups int) {
	keyer := NewKeyer(q.salt)
	ms := uint64(now.UnixMilli())
	for _, list := range b.tell {
		at, step := b.stroll(len(list))
		for range list {
			if len(claims) == MaxAnswer {
				return claims, lookups
			}
			if at += step; at >= len(list) {
				at -= len(list)
			}
			t := &list[at]
			lookups++
			if q.filter.Contains(keyer.Key(&t.id)) || t.node.Peer == asker || t.node.Expiry <= ms {
				continue
			}
			claims = append(claims, t.node.Entry)
		}
	}
	return claims, lookups
}

// stroll draws a start and a step that visit every one of n places once: a
// random order without a permutation of ten thousand.
func (b *Book) stroll(n int) (start, step int) {
	if n < 2 {
		return 0, 1
	}
	start, step = b.rng.IntN(n), 1+b.rng.IntN(n-1)
	for gcd(step, n) != 1 {
		step = 1 + b.rng.IntN(n-1)
	}
	return start, step
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
