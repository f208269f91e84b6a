package peerlist

import (
	"encoding/binary"

	"github.com/weftnet/weft/protocols/core"
)

// The filter's parameters are AvalancheGo's (network/ip_tracker.go).
const (
	targetFalsePositives = 0.001
	maxFalsePositives    = 0.01 // of the estimate: rebuilt above
	entriesPerNode       = 2    // added between two rebuilds: the first claim and one change
	minFilterEntries     = 128  // what the filter is sized for at least
)

// index is the filter over the book's newest claims under one salt.
type index struct {
	query Query
	keyer *Keyer
	limit int                   // additions after which it is rebuilt
	added map[core.PeerID]uint8 // additions per node; at most limit in all
}

// newSalt draws a salt.
func (b *Book) newSalt() (salt [SaltSize]byte) {
	for i := 0; i < SaltSize; i += 8 {
		binary.LittleEndian.PutUint64(salt[i:], b.rng.Uint64())
	}
	return salt
}

// rebuild makes a filter of the right size with a new salt and enters every
// newest claim.
func (b *Book) rebuild() {
	filter := newBloom(max(entriesPerNode*b.tracked(), minFilterEntries), targetFalsePositives)
	salt := b.newSalt()
	b.known = &index{
		query: Query{filter: filter, salt: salt},
		keyer: NewKeyer(salt),
		limit: filter.capacity(maxFalsePositives),
		added: make(map[core.PeerID]uint8, len(b.order)),
	}
	for _, n := range b.order {
		b.known.add(n)
	}
	b.stats.Rebuilds++
}

// tracked is how many nodes the filter should have room for: those in the book
// and the trusted ones whose claim is yet to come.
func (b *Book) tracked() int {
	count := len(b.order)
	for p := range b.trusted {
		if _, known := b.nodes[p]; !known {
			count++
		}
	}
	return count
}

// remember enters the newest claim of a node in the filter. A third change
// waits for the next rebuild, so that no node can fill the filter alone.
func (b *Book) remember(n *node) {
	if b.known.added[n.Peer] >= entriesPerNode {
		b.stats.Deferred++
		return
	}
	if b.known.query.filter.count >= b.known.limit {
		b.rebuild()
		return
	}
	b.known.add(n)
}

func (x *index) add(n *node) {
	x.added[n.Peer]++
	x.query.filter.Add(x.keyer.Key(&n.id))
}

// Query returns what the book knows, to be asked with. It is valid until the
// book changes.
func (b *Book) Query() Query { return b.known.query }
