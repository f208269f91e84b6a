package peerlist

import (
	"encoding/binary"

	"github.com/weftnet/weft/protocols/bloom"
	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
)

// The filter's parameters are AvalancheGo's (network/ip_tracker.go).
const (
	targetFalsePositives = 0.001
	maxFalsePositives    = 0.01 // of the estimate: rebuilt above
	entriesPerNode       = 2    // added between two rebuilds: the first claim and one change
	minFilterEntries     = 128  // what the filter is sized for at least
	maxTracked           = 36_000
)

// index is the filter over the book's newest claims under one salt.
type index struct {
	query bloom.Query
	keyer *bloom.Keyer
	limit int                   // additions after which it is rebuilt
	added map[core.PeerID]uint8 // additions per node; at most limit in all
}

// rebuild makes a filter of the right size with a new salt and enters every
// newest claim.
func (t *Tracker) rebuild() {
	filter := bloom.New(max(entriesPerNode*t.tracked(), minFilterEntries), targetFalsePositives, MaxFilterBytes)
	salt := t.newSalt()
	t.known = &index{
		query: bloom.Query{Filter: filter, Salt: salt},
		keyer: bloom.NewKeyer(salt),
		limit: filter.Capacity(maxFalsePositives),
		added: make(map[core.PeerID]uint8, t.book.Len()),
	}
	for i := range t.book.Len() {
		t.known.add(t.book.At(i))
	}
	t.stats.Rebuilds++
}

func (t *Tracker) newSalt() (salt [bloom.SaltSize]byte) {
	for i := 0; i < bloom.SaltSize; i += 8 {
		binary.LittleEndian.PutUint64(salt[i:], t.rng.Uint64())
	}
	return salt
}

// tracked is how many nodes the filter should have room for: those in the book
// and the trusted ones whose claim is yet to come.
func (t *Tracker) tracked() int {
	count := t.book.Len()
	for p := range t.trusted {
		if _, known := t.book.Get(p); !known {
			count++
		}
	}
	return count
}

// remember enters the newest claim of a node in the filter. A third change waits
// for the next rebuild, so that no node can fill the filter alone.
func (t *Tracker) remember(s claim.Signed) {
	if t.known.added[s.Peer] >= entriesPerNode {
		t.stats.Deferred++
		return
	}
	if t.known.query.Filter.Keys() >= t.known.limit {
		t.rebuild()
		return
	}
	t.known.add(s)
}

func (x *index) add(s claim.Signed) {
	x.added[s.Peer]++
	x.query.Filter.Add(x.keyer.Key(entryOf(s)))
}

func entryOf(s claim.Signed) EntryID { return NewEntryID(s.Peer, uint64(s.Time.UnixMilli())) }

// Query returns what the book knows, to be asked with. It is valid until the
// book changes.
func (t *Tracker) Query() bloom.Query { return t.known.query }
