package dialing

import (
	"slices"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

// lane is a kind of peers to dial.
type lane uint8

const (
	pinned     lane = iota // bootstrappers and validators
	back                   // with symmetry: who dialled us, and is dialled back
	candidates             // everyone else
	lanes
)

// book holds the known peers. At most max of them, give or take the dials under
// way, are neither connected nor pinned. Every peer has its place in the queues,
// so that no event costs more than the logarithm of their number.
type book struct {
	max      int
	symmetry bool
	byID     map[core.PeerID]*known
	seq      uint32

	bootstrappers, validators []*known
	dials                     []*known // without an answer, the oldest first
	open                      [lanes]int

	pinned, back queue   // to dial, by lane
	tellers      tellers // the candidates that somebody named
	saved        *teller // the candidates of an earlier run, beside tellers
	leaving      queue   // without an address, kept while it cools down or is rejected
	failing      queue   // to make room, the worst first
	cooling      queue   // spared, so that its cool-down is not forgotten
	settling     queue   // claims an address, and not connected for long enough to save that

	tally
}

// tally counts the peers.
type tally struct {
	links  [directions]int
	guests int // connected, without a place
	own    int // connected by a dial of our own accord
	loose  int // neither connected nor pinned
}

// class is what counts of one peer.
type class struct {
	there, guest, own, loose bool
	direction                direction
}

func (k *known) class() class {
	return class{there: true, direction: k.direction, guest: k.guest, own: k.own, loose: !k.connected() && !k.pinned()}
}

func (t *tally) add(c class, n int) {
	if c.there {
		t.links[c.direction] += n
		t.guests += n * one(c.guest)
		t.own += n * one(c.own)
		t.loose += n * one(c.loose)
	}
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

func newBook(cfg *Config) *book {
	b := &book{
		max: cfg.MaxKnown, symmetry: cfg.Symmetry, byID: make(map[core.PeerID]*known),
		tellers: newTellers(), saved: newTeller(origin{from: core.SourceSaved}),
	}
	for _, q := range []*queue{&b.pinned, &b.back, &b.leaving} {
		*q = queue{slot: waits, before: sooner}
	}
	b.failing = queue{slot: spares, before: worse}
	b.cooling = queue{slot: spares, before: cooledSooner}
	b.settling = queue{slot: spares, before: connectedSooner}
	return b
}

func (b *book) get(id core.PeerID) *known { return b.byID[id] }

// always returns the entry of a peer, made even in a full book: for peers whose
// number is bounded elsewhere. A new entry is to be filed.
func (b *book) always(id core.PeerID, rank uint32) *known {
	k := b.byID[id]
	if k == nil {
		b.seq++
		k = &known{id: id, rank: rank, source: core.SourceDHT, seq: b.seq}
		b.byID[id] = k
	}
	return k
}

// file gives a peer its place after a change, and drops it when nothing is left
// to know: no address, no connection, no cool-down.
func (b *book) file(k *known) {
	if b.useless(k) {
		b.remove(k)
		return
	}
	if d := k.dial; d != nil {
		b.open[d.lane]--
		d.lane = k.lane()
		b.open[d.lane]++
	}
	b.count(k, k.class())
	k.move(waits, b.line(k))
	b.fileTeller(k.by)
	k.move(spares, b.spare(k))
}

func (b *book) fileTeller(t *teller) {
	if t != nil && t != b.saved {
		b.tellers.file(t)
	}
}

// told notes that somebody named a peer, and says whether that changes whose turn it
// waits for. Named by two it waits for the one with fewer candidates, so that nobody
// can hide it among others. A peer that we reached stays with those that we reached.
func (b *book) told(k *known, o origin) bool {
	if was := k.by; was != nil && was != b.saved {
		if was.origin == o || was.origin == reached || b.tellers.candidates(o) >= was.Len() {
			return false
		}
	}
	b.assign(k, b.tellers.of(o))
	return true
}

// reached is the origin of peers that we dialled with success.
var reached = origin{from: core.SourceSaved}

// assign makes a peer wait for the turn of another teller. It is to be filed.
func (b *book) assign(k *known, t *teller) {
	was := k.by
	if was == t {
		return
	}
	if k.by = t; t != nil {
		t.uses++
	}
	if was != nil {
		if k.in[waits] == &was.queue {
			k.move(waits, nil)
			b.fileTeller(was)
		}
		b.tellers.drop(was)
	}
}

func (b *book) useless(k *known) bool {
	return !k.connected() && k.dial == nil && !k.pinned() && !k.reachable() && !k.refused && k.coolUntil.IsZero()
}

func (b *book) remove(k *known) {
	b.count(k, class{})
	k.move(waits, nil)
	b.fileTeller(k.by)
	b.assign(k, nil)
	k.move(spares, nil)
	delete(b.byID, k.id)
}

// line is the queue in which a peer waits.
func (b *book) line(k *known) *queue {
	switch {
	case k.dial != nil:
		return nil
	case k.direction == inbound && b.symmetry && len(k.claimed) > 0:
		return &b.back
	case k.connected():
		return nil
	case k.pinned() && k.reachable():
		return &b.pinned
	case k.pinned():
		return nil
	case !k.reachable():
		return &b.leaving
	case k.heard || k.saved:
		return &k.by.queue
	}
	return nil
}

// spare is the queue from which a peer is taken to make room, or to be saved.
func (b *book) spare(k *known) *queue {
	switch {
	case k.connected() && !k.settled && len(k.claimed) > 0:
		return &b.settling
	case k.dial != nil || k.connected() || k.pinned():
		return nil
	case !k.coolUntil.IsZero():
		return &b.cooling
	}
	return &b.failing
}

// count replaces what the counters hold of a peer.
func (b *book) count(k *known, now class) {
	b.add(k.counted, -1)
	b.add(now, 1)
	k.counted = now
}

func (b *book) connected() int { return b.links[inbound] + b.links[outbound] + b.links[both] }
func (b *book) alone() bool    { return b.connected() == 0 }
func (b *book) full() bool     { return b.loose >= b.max }

// victim is who makes room for a newcomer that has some trust; nil when all are
// better than it. One that cools down is spared, unless they fill half the book.
func (b *book) victim(trust int) *known {
	if b.cooling.Len() > b.max/2 {
		return b.cooling.first()
	}
	if k := b.failing.first(); k != nil && (k.tries() > 0 || k.trust() < trust) {
		return k
	}
	return nil
}

// beginDial and endDial keep the list of dials without an answer. The peer is to
// be filed.
func (b *book) beginDial(k *known, at time.Time, addrs []multiaddr.Multiaddr, charged []string) {
	k.dial = &dial{at: at, lane: k.lane(), addrs: addrs, charged: charged, by: k.by}
	b.dials = append(b.dials, k)
	if k.by != nil {
		b.tellers.began(k.by)
	}
	b.open[k.dial.lane]++
}

func (b *book) endDial(k *known) (d *dial) {
	if d = k.dial; d != nil {
		k.dial = nil
		b.dials = slices.DeleteFunc(b.dials, func(other *known) bool { return other == k })
		b.open[d.lane]--
		if d.by != nil {
			b.tellers.ended(d.by)
			b.fileTeller(d.by)
		}
	}
	return d
}

// tidy ends what is over and drops whoever is too much because connections ended.
func (b *book) tidy(now time.Time) {
	for k := b.leaving.first(); k != nil && !k.dialAt().After(now); k = b.leaving.first() {
		k.refused, k.coolUntil = false, time.Time{}
		b.file(k)
	}
	for k := b.cooling.first(); k != nil && !k.coolUntil.After(now); k = b.cooling.first() {
		k.coolUntil, k.banned = time.Time{}, false
		b.file(k)
	}
	for b.loose > b.max {
		k := b.victim(3)
		if k == nil {
			k = b.cooling.first()
		}
		if k == nil {
			return // all that are left are being dialled
		}
		b.remove(k)
	}
}
