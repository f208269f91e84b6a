package episub

import (
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// asksOfOne is how often one peer is asked for one message (gossipsub answers three
// times: GossipRetransmission).
const asksOfOne = 2

// want is a message that is waited for.
type want struct {
	by    []*link // who announced it, first come first
	next  time.Time
	at    time.Time // of the last request
	of    *link     // whom it went to
	asks  int
	since time.Time // of the first announcement
}

func (w *want) askedOf(l *link) bool { return w.of == l }

// forget drops a peer that has gone.
func (w *want) forget(l *link) {
	if w == nil {
		return
	}
	w.by = slices.DeleteFunc(w.by, func(o *link) bool { return o == l })
	if w.of == l {
		w.of = nil
	}
}

// settleWant ends the wait for a message.
func (r *record) settleWant() {
	if r.want == nil {
		return
	}
	for _, l := range r.want.by {
		l.wants--
	}
	r.want = nil
}

// Announced tells of an IHAVE. It returns those of the messages that gossipsub
// would push to that peer when they come.
func (t *Topic) Announced(now time.Time, from core.PeerID, ids []string, out *[]Effect) (ahead []string) {
	l := t.links[from]
	if l == nil {
		return nil
	}
	for _, id := range ids {
		if len(id) > t.cfg.MaxID || !l.allow.Take(now) {
			t.stats.Dropped++
			continue
		}
		if t.heardOf(now, l, id, out) {
			ahead = append(ahead, id)
		}
	}
	if due(now, t.wantAt) {
		t.ask(now, out)
	}
	if !l.mesh {
		return nil
	}
	return ahead
}

// heardOf notes one announced message. It says whether it is not here.
func (t *Topic) heardOf(now time.Time, l *link, id string, out *[]Effect) bool {
	r := t.known[id]
	if r == nil && l.wants >= t.cfg.MaxWanted {
		t.stats.Dropped++
		return false
	}
	if r == nil {
		r = t.know(now, id)
	}
	if !r.has.has(l.slot) {
		r.sign(now, l, t.cfg.Batch)
	}
	r.has.add(l.slot)
	if r.stale(now) {
		r.arrived = time.Time{}
	}
	if r.came() {
		return !r.held
	}
	t.wantFrom(now, l, r)
	if l.in && l.Episub && t.settled(now, l) {
		if l.wrong++; l.wrong >= missteps {
			l.barred = now.Add(t.cfg.MinPause)
			t.move(now, l, Lazy, ReasonAnnounces, out)
			t.wake(now, settle)
		}
	}
	return true
}

// wantFrom adds a peer to those who can be asked for a message.
func (t *Topic) wantFrom(now time.Time, l *link, r *record) {
	if r.want == nil {
		if l.wants >= t.cfg.MaxWanted {
			t.stats.Dropped++
			return
		}
		r.want = &want{since: now, next: now.Add(t.patience())}
		t.wanted = append(t.wanted, r)
	}
	w := r.want
	if !slices.Contains(w.by, l) {
		w.by = append(w.by, l)
		l.wants++
	}
	t.wantAt = core.Earliest(t.wantAt, w.next)
}

// patience is how long an announced message is left to come by a push.
func (t *Topic) patience() time.Duration {
	for _, l := range t.order {
		if l.in {
			return min(t.lag, t.cfg.PullWaitMax)
		}
	}
	return 0
}

// learnLag follows the time by which nine in ten announced messages have been
// pushed: a step up for each that took longer, a ninth of it down for the others.
func (t *Topic) learnLag(now time.Time, r *record, from *link) {
	const step = 4 * time.Millisecond // chosen: twenty messages to learn the wait of another continent
	if from != nil && r.want.askedOf(from) {
		return
	}
	if after(r.want.since, now) > t.lag {
		t.lag = min(t.lag+step, t.cfg.PullWaitMax)
	} else {
		t.lag = max(t.lag-step/9, step)
	}
}

// ask sends the requests that are due, each to one peer.
func (t *Topic) ask(now time.Time, out *[]Effect) {
	t.wantAt = time.Time{}
	asks := make(map[*link][]string)
	var asked []*link
	t.wanted = slices.DeleteFunc(t.wanted, func(r *record) bool {
		if r.want == nil {
			return true
		}
		if due(now, r.want.next) {
			if l := t.request(now, r); l != nil {
				if asks[l] == nil {
					asked = append(asked, l)
				}
				asks[l] = append(asks[l], r.id)
			}
		}
		if r.want == nil {
			return true
		}
		t.wantAt = core.Earliest(t.wantAt, r.want.next)
		return false
	})
	for _, l := range asked {
		t.stats.Asked += uint64(len(asks[l]))
		*out = append(*out, Ask{Peer: l.ID, IDs: asks[l]})
	}
}

// request picks whom to ask for a message, or gives it up until it is announced again.
func (t *Topic) request(now time.Time, r *record) *link {
	w := r.want
	l := t.nextOf(w)
	if l == nil || w.asks >= t.cfg.MaxAsks {
		t.stats.GivenUp++
		r.settleWant()
		return nil
	}
	if w.asks > 0 {
		t.stats.Retried++
	}
	w.asks++
	w.of, w.at, w.next = l, now, now.Add(t.timeout(l))
	r.asked.add(l.slot)
	return l
}

// nextOf is the announcer to ask: the quickest of the three who announced first, then
// the others in turn.
func (t *Topic) nextOf(w *want) *link {
	if len(w.by) == 0 {
		return nil
	}
	if w.asks == 0 {
		best := w.by[0]
		for _, l := range w.by[1:min(3, len(w.by))] {
			if l.rtt != 0 && best.rtt != 0 && l.rtt < best.rtt {
				best = l
			}
		}
		return best
	}
	if w.asks >= asksOfOne*len(w.by) {
		return nil
	}
	i := slices.Index(w.by, w.of)
	return w.by[(i+1)%len(w.by)]
}

// learn follows the time that a peer takes to answer a request.
func (l *link) learn(took time.Duration) {
	if l.rtt == 0 {
		l.rtt = took
		return
	}
	l.rtt += (took - l.rtt) / 8 // TCP: smoothed round trip (RFC 6298)
}

// timeout is how long a peer has to answer a request: three times what it took so far.
func (t *Topic) timeout(l *link) time.Duration {
	if l.rtt == 0 {
		return t.cfg.PullTimeout / 2
	}
	return min(max(3*l.rtt, t.cfg.PullMin), t.cfg.PullTimeout)
}
