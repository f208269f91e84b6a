package peerlist

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// Entry is one signed claim: who can be reached where since when. Signature and
// contents were checked before it gets here.
type Entry struct {
	Peer      core.PeerID
	Timestamp uint64 // Unix ms; the newest claim of a node counts
	Expiry    uint64 // Unix ms; not told to anybody from then on
	Envelope  []byte // as signed, opaque here
}

// evictionSamples is how many entries compete to be evicted. Chosen because a
// source that fills half the book is missed by all 16 once in 65,536.
const evictionSamples = 16

// Book holds the newest claim of every node that is tracked, and the filter that
// says so. It is bounded: when it is full, an entry of the source that filled it
// most makes room, so who floods the book displaces himself.
type Book struct {
	cfg     Config
	rng     *rand.Rand
	nodes   map[core.PeerID]*node
	order   []*node               // the nodes again, to draw from
	sources map[core.PeerID]int   // entries by who told them first
	live    map[core.PeerID]Entry // members connected now, with the claim they gave us themselves
	trusted map[core.PeerID]role
	known   *index
	tell    [2]tellable // tellTrusted, tellOthers
	stats   Stats
}

// role is why a node is trusted: it is tracked, never evicted, and told first.
type role uint8

const (
	bootstrapper role = 1 << iota
	validator
)

// node is one line of the book.
type node struct {
	Entry
	id     EntryID
	source core.PeerID
	place  int // in Book.order
	told   int // in Book.tell[list]; -1: not tellable
	list   int
}

// NewBook makes an empty book. Salts are drawn from rng, so on a real network
// its source must be unpredictable: rand.NewChaCha8 with a seed of the system's.
func NewBook(cfg Config, rng *rand.Rand) *Book {
	b := &Book{
		cfg:     cfg,
		rng:     rng,
		nodes:   map[core.PeerID]*node{},
		sources: map[core.PeerID]int{},
		live:    map[core.PeerID]Entry{},
		trusted: map[core.PeerID]role{},
	}
	for _, p := range cfg.Bootstrappers {
		b.trusted[p] |= bootstrapper
	}
	b.rebuild()
	return b
}

// Wanted says whether a claim would be news, so that its signature is worth
// checking.
func (b *Book) Wanted(peer core.PeerID, timestamp uint64) bool {
	if !b.tracks(peer) {
		return false
	}
	n, known := b.nodes[peer]
	return !known || n.Timestamp < timestamp
}

// Add enters a verified claim that from told us, and says whether it was news.
func (b *Book) Add(e Entry, from core.PeerID) bool {
	if !b.Wanted(e.Peer, e.Timestamp) {
		return false
	}
	n, known := b.nodes[e.Peer]
	if !known {
		if !b.makeRoom() {
			b.stats.Refused++
			return false
		}
		n = b.insert(e.Peer, from)
	}
	e.Envelope = bytes.Clone(e.Envelope) // it may be a small part of a large message
	n.Entry, n.id = e, NewEntryID(e.Peer, e.Timestamp)
	b.refresh(n)
	b.remember(n)
	return true
}

// Connected enters the claim that a member gave us itself, in its handshake or
// later on its own link, where it replaces the handshake's. It says whether the
// claim was news.
func (b *Book) Connected(e Entry) bool {
	if old, again := b.live[e.Peer]; again && old.Timestamp > e.Timestamp {
		return false
	}
	b.live[e.Peer] = e
	news := b.Add(e, e.Peer)
	if n, known := b.nodes[e.Peer]; known {
		b.refresh(n)
	}
	return news
}

// Disconnected notes that a member is gone. Its claim is kept, but not told.
func (b *Book) Disconnected(peer core.PeerID) {
	delete(b.live, peer)
	if n, known := b.nodes[peer]; known {
		b.refresh(n)
	}
}

// SetValidators replaces the validator set.
func (b *Book) SetValidators(peers []core.PeerID) {
	for p := range b.trusted {
		if b.trusted[p] &^= validator; b.trusted[p] == 0 {
			delete(b.trusted, p)
		}
	}
	for _, p := range peers {
		b.trusted[p] |= validator
	}
	for i := len(b.order) - 1; i >= 0; i-- { // backwards: remove swaps in the last
		b.retrack(b.order[i])
	}
	for _, p := range slices.Sorted(maps.Keys(b.live)) { // sorted: a run repeats from its seed
		b.Add(b.live[p], p) // a member that was not tracked may be now
	}
}

// Forget drops the claim of a node that cannot be reached, unless it is
// connected. The filter affirms it until the next rebuild, so nobody tells it to
// us again at once.
func (b *Book) Forget(peer core.PeerID) {
	_, live := b.live[peer]
	if n, known := b.nodes[peer]; known && !live {
		b.remove(n)
	}
}

// Get returns the newest claim of a node.
func (b *Book) Get(peer core.PeerID) (Entry, bool) {
	n, known := b.nodes[peer]
	if !known {
		return Entry{}, false
	}
	return n.Entry, true
}

// expire drops the claims whose time is over.
func (b *Book) expire(now time.Time) {
	ms := uint64(now.UnixMilli())
	for i := len(b.order) - 1; i >= 0; i-- {
		if n := b.order[i]; n.Expiry <= ms {
			b.remove(n)
			b.stats.Expired++
		}
	}
}

func (b *Book) isValidator(peer core.PeerID) bool {
	return b.trusted[peer]&validator != 0
}

// tracks says whether a node's claims belong in the book.
func (b *Book) tracks(peer core.PeerID) bool {
	if peer == b.cfg.Self {
		return false
	}
	return b.trusted[peer] != 0 || b.cfg.Open
}

func (b *Book) retrack(n *node) {
	if !b.tracks(n.Peer) {
		b.remove(n)
		return
	}
	b.refresh(n)
}

// makeRoom evicts an entry when the book is full; false: none may go.
func (b *Book) makeRoom() bool {
	if len(b.order) < b.cfg.MaxEntries {
		return true
	}
	var victim *node
	for range evictionSamples {
		n := b.order[b.rng.IntN(len(b.order))]
		if b.pinned(n) || (victim != nil && b.sources[n.source] <= b.sources[victim.source]) {
			continue
		}
		victim = n
	}
	if victim == nil {
		return false
	}
	b.remove(victim)
	b.stats.Evicted++
	return true
}

// pinned entries are never evicted: their number is bounded by the peer limit
// and the validator set.
func (b *Book) pinned(n *node) bool {
	_, live := b.live[n.Peer]
	return live || b.trusted[n.Peer] != 0
}

func (b *Book) insert(peer, from core.PeerID) *node {
	n := &node{source: from, place: len(b.order), told: -1}
	b.nodes[peer] = n
	b.order = append(b.order, n)
	b.sources[from]++
	return n
}

func (b *Book) remove(n *node) {
	b.untell(n)
	last := len(b.order) - 1
	b.order[n.place] = b.order[last]
	b.order[n.place].place = n.place
	b.order[last] = nil
	b.order = b.order[:last]
	delete(b.nodes, n.Peer)
	if b.sources[n.source]--; b.sources[n.source] == 0 {
		delete(b.sources, n.source)
	}
}
