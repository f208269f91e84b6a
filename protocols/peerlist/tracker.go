package peerlist

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
)

// Tracker keeps, beside the node's claim book, the filter that says what is in
// it and the lists of claims that may be told. Every claim enters the book
// through it.
type Tracker struct {
	cfg     Config
	rng     *rand.Rand
	book    *claim.Book
	members map[core.PeerID]*member // connected now, bounded by the peer limit
	trusted map[core.PeerID]role
	known   *index
	tell    [2]tellable // tellTrusted, tellOthers
	stats   Stats
}

// member is a peer that completed the handshake and is connected.
type member struct {
	own  claim.Signed // the newest claim that it gave us itself
	told int          // in Tracker.tell[list]; -1: not tellable
	list int
}

// role is why a peer is trusted: it is tracked in a closed network too, never
// displaced, and told first.
type role uint8

const (
	bootstrapper role = 1 << iota
	validator
)

// NewTracker makes a tracker with an empty book. Salts are drawn from rng, so on
// a real network its source must be unpredictable: rand.NewChaCha8 with a seed of
// the system's. cfg.Open decides whose claims are wanted, in place of book.Want.
func NewTracker(cfg Config, book claim.Config, rng *rand.Rand) (*Tracker, error) {
	t := &Tracker{cfg: cfg, rng: rng, members: map[core.PeerID]*member{}, trusted: map[core.PeerID]role{}}
	if book.Want = nil; !cfg.Open {
		book.Want = func(p core.PeerID) bool { return t.trusted[p] != 0 }
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := book.Validate(); err != nil {
		return nil, err
	}
	if book.Capacity > maxTracked {
		return nil, fmt.Errorf("%w: the claim book has room for %d, the filter for %d: lower its Capacity", ErrConfig, book.Capacity, maxTracked)
	}
	t.book = claim.NewBook(book)
	for _, p := range cfg.Bootstrappers {
		t.trusted[p] |= bootstrapper
		t.book.Hold(p)
	}
	t.rebuild()
	return t, nil
}

// Book is the claim book, to be read.
func (t *Tracker) Book() *claim.Book { return t.book }

// Add books a claim that from told us. The error is the book's claim.Reason.
func (t *Tracker) Add(now time.Time, from core.PeerID, s claim.Signed) error {
	if err := t.book.Add(now, from, s); err != nil {
		return err
	}
	t.remember(s)
	t.refresh(s.Peer)
	return nil
}

// Connected takes in the claim that a member gave us itself: in its handshake, or
// later on its own link, where it replaces the handshake's.
func (t *Tracker) Connected(now time.Time, s claim.Signed) error {
	m := t.members[s.Peer]
	switch {
	case m == nil:
		t.members[s.Peer] = &member{own: s, told: -1}
		t.book.Hold(s.Peer)
	case s.Time.After(m.own.Time):
		m.own = s
	}
	err := t.Add(now, s.Peer, s)
	t.refresh(s.Peer)
	return err
}

// Disconnected notes that a member is gone. Its claim is kept, but not told.
func (t *Tracker) Disconnected(peer core.PeerID) {
	if m := t.members[peer]; m != nil {
		t.untell(m)
		delete(t.members, peer)
		t.release(peer)
	}
}

// SetValidators replaces the validator set.
func (t *Tracker) SetValidators(now time.Time, peers []core.PeerID) {
	before := slices.Sorted(maps.Keys(t.trusted)) // sorted: a run repeats from its seed
	for _, p := range before {
		if t.trusted[p] &^= validator; t.trusted[p] == 0 {
			delete(t.trusted, p)
		}
	}
	for _, p := range peers {
		t.trusted[p] |= validator
		t.book.Hold(p)
	}
	for _, p := range before {
		t.release(p)
	}
	for _, p := range slices.Sorted(maps.Keys(t.members)) {
		if _, known := t.book.Get(p); !known && t.tracks(p) {
			_ = t.Add(now, p, t.members[p].own) // refused: it is not told, that is all
		}
		t.refresh(p)
	}
}

// release lets go of the claim of a peer that nothing holds any more. In a closed
// network nobody may know of it.
func (t *Tracker) release(peer core.PeerID) {
	_, live := t.members[peer]
	if t.trusted[peer] != 0 {
		return
	}
	if !live {
		t.book.Release(peer)
	}
	if !t.cfg.Open {
		t.book.Forget(peer)
	}
}

// Forget drops the claim of a peer that cannot be reached, unless it is
// connected. The filter affirms it until the next rebuild, so nobody tells it to
// us again at once.
func (t *Tracker) Forget(peer core.PeerID) {
	if _, live := t.members[peer]; !live {
		t.book.Forget(peer)
	}
}

// renew drops expired claims and rebuilds the filter with a new salt.
func (t *Tracker) renew(now time.Time) {
	t.book.Expire(now)
	for _, p := range slices.Sorted(maps.Keys(t.members)) {
		t.refresh(p)
	}
	t.rebuild()
}

func (t *Tracker) tracks(peer core.PeerID) bool { return t.cfg.Open || t.trusted[peer] != 0 }

func (t *Tracker) isValidator(peer core.PeerID) bool { return t.trusted[peer]&validator != 0 }
