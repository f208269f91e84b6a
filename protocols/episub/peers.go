package episub

import (
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// maxSlots is how many peers a topic looks after: chosen as five times a node's
// peer limit. Who has a message is a bit for each.
const maxSlots = 256

// slotSet is a set of peers, by slot.
type slotSet [maxSlots / 64]uint64

func (s *slotSet) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s *slotSet) drop(i int)     { s[i/64] &^= 1 << (i % 64) }
func (s *slotSet) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

// settle is after how long the tiers are looked at when peers have come: chosen so
// that a start, where many come at once, is looked at once.
const settle = 100 * time.Millisecond

// missteps is after how many messages that come the wrong way a peer is taken to
// see its tier otherwise than we do: chosen so that what was under way when the
// tier changed does not count.
const missteps = 3

// refusal is the least back-off, in a PRUNE, that says that the sender does not
// push to us: a choke has 1 s, pubsub itself writes 10 s or more.
const refusal = 2 * time.Second

// link is a peer in the topic.
type link struct {
	Peer
	slot int

	in     bool // it pushes to us
	mesh   bool // gossipsub pushes to it
	push   bool // we push to it: a plain peer that we joined
	asked  bool // it sent GRAFT, and gossipsub is about to decide
	random bool // eager by chance

	changed time.Time // when we last sent choke or unchoke
	barred  time.Time // until when it is not to be unchoked
	wrong   int       // messages in a row that came the wrong way
	begun   []begun   // its pushes under way
	timed   bool      // it has pushed
	debt    debt      // of promises that it kept too late, or not yet
	broken  debt      // of promises that it never kept
	trial   bool      // eager for what it promises: it has not pushed yet
	instead *link     // that it takes the place of when it has; nil: none
	since   time.Time
	reason  Reason

	ways     ways
	transfer time.Duration // that its pushes take
	rtt      time.Duration // of requests; zero: none was answered
	wants    int           // messages waited for that it announced first
	allow    core.Bucket   // message IDs that it may announce
	first    uint64
	copies   uint64
}

func (l *link) pushed() bool { return l.mesh || l.push }

// settled says that what it sends now is its answer to our last change.
func (t *Topic) settled(now time.Time, l *link) bool {
	return l.changed.IsZero() || now.Sub(l.changed) >= t.cfg.MinPause
}

// PeerUp takes in a peer that carries the topic.
func (t *Topic) PeerUp(now time.Time, p Peer) {
	if t.links[p.ID] != nil || len(t.order) >= t.cfg.MaxPeers {
		return
	}
	l := &link{Peer: p, since: now, allow: core.Bucket{PerSecond: float64(t.cfg.IDsPerSec), Most: float64(t.cfg.IDsPerSec)}}
	for t.slots.has(l.slot) {
		l.slot++
	}
	t.slots.add(l.slot)
	t.links[p.ID] = l
	t.order = append(t.order, l)
	t.wake(now, settle)
}

// PeerDown forgets a peer that has left the topic or the network.
func (t *Topic) PeerDown(now time.Time, id core.PeerID) {
	l := t.links[id]
	if l == nil {
		return
	}
	delete(t.links, id)
	t.order = slices.DeleteFunc(t.order, func(o *link) bool { return o == l })
	t.slots.drop(l.slot)
	for _, o := range t.order {
		o.ways.known.drop(l.slot)
	}
	for _, r := range t.oldest {
		r.has.drop(l.slot)
		r.told.drop(l.slot)
		r.asked.drop(l.slot)
		r.spare.drop(l.slot)
		r.sample.clear(l.slot)
	}
	for _, s := range t.samples {
		s.clear(l.slot)
	}
	for _, r := range t.wanted {
		r.want.forget(l)
	}
	t.wake(now, settle) // another takes its place
}

// Grafted tells of a GRAFT that a peer sent, before gossipsub decides about it.
func (t *Topic) Grafted(id core.PeerID) {
	if l := t.links[id]; l != nil && !l.mesh {
		l.asked = true
		t.stats.Unchoked++
	}
}

// Room says whether a peer that sent GRAFT can be pushed to.
func (t *Topic) Room(id core.PeerID) bool {
	n := 0
	for _, l := range t.order {
		if l.pushed() && l.ID != id {
			n++
		}
	}
	return n < t.maxPushed()
}

// Mesh tells that gossipsub now pushes to a peer, or does no more.
func (t *Topic) Mesh(now time.Time, id core.PeerID, on bool, out *[]Effect) {
	l := t.links[id]
	if l == nil {
		return
	}
	asked := l.asked
	l.asked, l.mesh = false, on
	switch {
	case !on:
		return // what it says about our direction is in Pruned
	case !l.Episub:
		l.push = false
		t.move(now, l, Eager, ReasonAsked, out)
	case !asked: // gossipsub's own GRAFT asks the peer to push as well
		l.changed = now
		t.move(now, l, Eager, ReasonMesh, out)
	}
}

// Pruned tells of a PRUNE that a peer sent. From an episub peer it is a choke, which
// says nothing of the other direction, unless its back-off is longer than a choke's.
func (t *Topic) Pruned(now time.Time, id core.PeerID, backoff time.Duration, out *[]Effect) {
	l := t.links[id]
	if l == nil {
		return
	}
	t.stats.Choked++
	l.push, l.asked = false, false
	l.ways.through = slotSet{} // nor what we push of our own choice
	if l.Episub && backoff < refusal {
		return
	}
	if l.in {
		t.stats.Refused++
	}
	l.barred = now.Add(max(backoff, t.cfg.MinPause) + time.Second)
	t.move(now, l, Lazy, ReasonRefused, out)
	t.wake(now, settle)
}

// move notes a change of tier.
func (t *Topic) move(now time.Time, l *link, to Tier, why Reason, out *[]Effect) {
	if l.in == (to == Eager) {
		return
	}
	l.in, l.wrong, l.since, l.reason = to == Eager, 0, now, why
	if !l.in {
		l.random, l.trial, l.instead = false, false, nil
	}
	*out = append(*out, Changed{Peer: l.ID, To: to, Reason: why})
}

// choke makes an episub peer lazy.
func (t *Topic) choke(now time.Time, l *link, why Reason, out *[]Effect) {
	l.changed = now
	t.stats.Chokes++
	*out = append(*out, Choke{Peer: l.ID})
	t.move(now, l, Lazy, why, out)
}

// unchoke makes a peer eager. A plain one is then pushed to as well.
func (t *Topic) unchoke(now time.Time, l *link, why Reason, out *[]Effect) {
	l.changed = now
	l.push = !l.Episub && !l.mesh
	t.stats.Unchokes++
	*out = append(*out, Unchoke{Peer: l.ID})
	t.move(now, l, Eager, why, out)
}
