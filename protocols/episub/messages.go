package episub

import (
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// record is a message that is known: announced, received, or here.
type record struct {
	id      string
	born    time.Time // when it was first heard of
	arrived time.Time // when a copy came; zero: none
	held    bool      // it is valid, and can be given
	has     slotSet   // who has it
	told    slotSet   // who was sent it or told of it
	spare   slotSet   // who pushed it though it was here
	asked   slotSet   // who was asked for it
	author  *link     // if it sent the message itself; nil: another did
	ticks   int       // for which it is told again
	want    *want     // nil: it is not waited for
	sample  *sample   // nil: it is not compared
}

// know finds a message or takes it in as new.
func (t *Topic) know(now time.Time, id string) *record {
	if r := t.known[id]; r != nil {
		return r
	}
	if len(t.oldest) >= t.cfg.MaxMessages {
		t.forget(t.oldest[0])
		t.oldest[0] = nil
		t.oldest = t.oldest[1:]
	}
	r := &record{id: id, born: now, sample: t.sampled(now)}
	t.known[id] = r
	t.oldest = append(t.oldest, r)
	return r
}

func (t *Topic) forget(r *record) {
	if t.known[r.id] == r {
		delete(t.known, r.id)
	}
	r.settleWant()
	r.held, r.ticks = false, 0
}

// expire forgets old messages, and closes the comparison of those whose late copies
// have come.
func (t *Topic) expire(now time.Time, out *[]Effect) {
	n := 0
	for n < len(t.oldest) && now.Sub(t.oldest[n].born) > t.cfg.Remember {
		t.withheld(now, t.oldest[n], out)
		t.forget(t.oldest[n])
		t.oldest[n] = nil
		n++
	}
	t.oldest = t.oldest[n:]
}

// Arrived tells of a copy of a message that a peer sent, before anybody has judged it.
func (t *Topic) Arrived(now time.Time, from core.PeerID, author core.PeerID, id string, out *[]Effect) {
	if len(id) > t.cfg.MaxID {
		return
	}
	r, l := t.know(now, id), t.links[from]
	if l != nil {
		t.came(now, l, r, from == author, out)
	}
	if r.came() {
		t.stats.Copies++
		return
	}
	r.arrived, r.author = now, r.straight(l, from == author, author != "")
	t.stats.First++
	if r.want != nil {
		t.learnLag(now, r, l)
		r.settleWant()
	}
}

// came notes a copy at the peer that sent it.
func (t *Topic) came(now time.Time, l *link, r *record, author bool, out *[]Effect) {
	var answer *offer
	if r.want != nil {
		answer = r.want.dueFrom(l)
	}
	if !r.sample.signed(l) {
		r.sign(now, l, 0)
	}
	r.has.add(l.slot)
	if r.came() {
		l.copies++
	} else {
		l.first++
	}
	if answer != nil && !r.came() {
		t.stats.Pulled++
		l.learn(now.Sub(answer.at))
	}
	asked := r.asked.has(l.slot)
	r.gave(now, l, author)
	switch {
	case l.in:
		l.wrong = 0
		if !author && !asked {
			t.learnTransfer(now, l, r.id)
			t.passed(now, l, out)
		}
	case author || !r.came() || asked || !l.Episub || !t.settled(now, l):
	default:
		r.spare.add(l.slot)
		if l.wrong++; l.wrong >= missteps {
			l.wrong = 0
			t.choke(now, l, ReasonCopies, out) // it missed the first, or pushes by its own choice
		}
	}
}

// Accepted tells that a message is valid, own that this node published it. Who is not
// pushed to by gossipsub is told soon; a small message that nobody else brought goes
// to everyone, one that came from its author to those that it reaches soonest through us.
func (t *Topic) Accepted(now time.Time, id string, size int, own bool, author core.PeerID, out *[]Effect) {
	if len(id) > t.cfg.MaxID {
		return
	}
	r := t.know(now, id)
	if r.held {
		return
	}
	extra := t.extra(r, own && !r.came(), size)
	r.arrived, r.held, r.ticks = now, true, t.cfg.GossipTicks
	r.settleWant()
	t.keep(r.sample)
	if l := t.links[author]; l != nil {
		r.has.add(l.slot)
	}
	for _, l := range t.order {
		switch {
		case r.has.has(l.slot):
		case l.mesh:
			r.told.add(l.slot)
		case l.push || extra > 0 && (r.author == nil || t.through(r.author, l)):
			if !l.push {
				extra--
			}
			r.told.add(l.slot)
			t.stats.Pushed++
			*out = append(*out, Push{Peer: l.ID})
		}
	}
	t.recent = append(t.recent, r)
	t.wake(now, t.cfg.Every)
	t.announce(now, r, size, out)
}

// extra is how many peers beyond those that want our pushes a message may go to.
func (t *Topic) extra(r *record, own bool, size int) int {
	switch {
	case r.author != nil && size <= t.cfg.FloodSize:
		return t.maxPushed() - t.count((*link).pushed)
	case !own:
		return 0
	case size <= t.cfg.FloodSize:
		return len(t.order)
	}
	return t.cfg.Sow - t.count((*link).pushed)
}

// Lost tells that a copy was dropped unseen, because too many were waiting or because
// it was not genuine: the message is to come again.
func (t *Topic) Lost(now time.Time, id string) {
	r := t.known[id]
	if r == nil || r.held || !r.came() {
		return
	}
	r.arrived = time.Time{}
	for _, l := range t.order {
		if r.has.has(l.slot) {
			t.wantFrom(now, l, r)
		}
	}
}

func (r *record) came() bool { return !r.arrived.IsZero() }

// stale says that a copy came long ago and was not accepted: it may have been forged, or
// dropped.
func (r *record) stale(now time.Time) bool {
	return r.came() && !r.held && now.Sub(r.arrived) > judging
}

// judging is how long a copy usually takes to be accepted: chosen below the time of the
// first gossip.
const judging = 900 * time.Millisecond
