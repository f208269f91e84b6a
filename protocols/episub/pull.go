package episub

import (
	"math"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// asksOfOne is how often one peer is asked for one message (gossipsub answers three
// times: GossipRetransmission).
const asksOfOne = 2

// want is a message that is waited for.
type want struct {
	offers []offer   // who announced it, first come first
	next   time.Time // when others are asked
	rounds int       // of requests
	asks   int
	since  time.Time // of the first announcement
}

// offer is a peer that announced a message.
type offer struct {
	by   *link
	at   time.Time // of the last request
	asks int
	due  bool // it may still answer
}

// of finds the offer of a peer; nil: it made none.
func (w *want) of(l *link) *offer {
	if i := slices.IndexFunc(w.offers, func(o offer) bool { return o.by == l }); i >= 0 {
		return &w.offers[i]
	}
	return nil
}

// dueFrom finds the offer of a peer that is to answer; nil: it is not.
func (w *want) dueFrom(l *link) *offer {
	if o := w.of(l); o != nil && o.due {
		return o
	}
	return nil
}

// forget drops a peer that has gone.
func (w *want) forget(l *link) {
	if w != nil {
		w.offers = slices.DeleteFunc(w.offers, func(o offer) bool { return o.by == l })
	}
}

// settleWant ends the wait for a message.
func (r *record) settleWant() {
	if r.want == nil {
		return
	}
	for _, o := range r.want.offers {
		o.by.wants--
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
	if !l.in {
		l.wrong = 0 // it pushes some only
	}
	pushing := l.in && l.Episub && t.settled(now, l)
	if !r.has.has(l.slot) && !pushing { // of such a peer only a push is a sign
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
	if pushing {
		if l.wrong++; l.wrong >= missteps || l.trial {
			l.barred = now.Add(t.cfg.MinPause)
			l.debt.add(now, shunned)
			t.failed(now)
			t.move(now, l, Lazy, ReasonAnnounces, out)
			t.wake(now, settle)
		}
	}
	return true
}

// wantFrom adds a peer to those who can be asked for a message.
func (t *Topic) wantFrom(now time.Time, l *link, r *record) {
	if l.wants >= t.cfg.MaxWanted {
		t.stats.Dropped++
		return
	}
	if r.want == nil {
		r.want = &want{since: now, next: now.Add(t.patience())}
		t.wanted = append(t.wanted, r)
	}
	w := r.want
	if w.of(l) == nil {
		w.offers = append(w.offers, offer{by: l})
		l.wants++
	}
	t.wantAt = core.Earliest(t.wantAt, w.next)
}

// patience is how long an announced message is left to come by a push.
func (t *Topic) patience() time.Duration {
	for _, l := range t.order {
		if l.in {
			return t.wait()
		}
	}
	return 0
}

// learnLag follows the time by which nine in ten announced messages have been
// pushed: a step up for each that took longer, a ninth of it down for the others.
func (t *Topic) learnLag(now time.Time, r *record, from *link) {
	const step = 4 * time.Millisecond // chosen: twenty messages to learn the wait of another continent
	if from != nil && r.want.dueFrom(from) != nil {
		return
	}
	if after(r.want.since, now) > t.lag {
		t.lag = min(t.lag+step, t.cfg.PullWaitMax)
	} else {
		t.lag = max(t.lag-step/9, step)
	}
}

// ask sends the requests that are due.
func (t *Topic) ask(now time.Time, out *[]Effect) {
	t.wantAt = time.Time{}
	asks := make(map[*link][]string)
	var asked []*link
	t.wanted = slices.DeleteFunc(t.wanted, func(r *record) bool {
		if r.want == nil {
			return true
		}
		if due(now, r.want.next) {
			for _, l := range t.request(now, r) {
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
func (t *Topic) request(now time.Time, r *record) (asked []*link) {
	w, wait := r.want, time.Duration(0)
	t.overdue(now, w)
	for range w.width() {
		o := t.nextOf(now, w)
		if o == nil {
			break
		}
		if w.asks > 0 {
			t.stats.Retried++
		}
		w.asks++
		o.asks, o.at, o.due = o.asks+1, now, true
		r.asked.add(o.by.slot)
		wait = max(wait, t.timeout(o.by))
		asked = append(asked, o.by)
	}
	w.rounds, w.next = w.rounds+1, now.Add(wait)
	if len(asked) == 0 {
		t.stats.GivenUp++
		r.settleWant()
	}
	return asked
}

// width is how many are asked at a time: one, and when nothing came of three requests
// twice as many each time, so that many who announce and do not give win seconds only.
func (w *want) width() int { return 1 << max(0, w.rounds-narrow+1) }

// narrow is how many rounds of requests go to one peer: chosen so that a message which is
// slow only, because links are full, is not asked of many.
const narrow = 3

// nextOf is the announcer to ask; nil: each was asked, and enough of them twice.
func (t *Topic) nextOf(now time.Time, w *want) (best *offer) {
	for i := range w.offers {
		o := &w.offers[i]
		if o.due || o.asks >= asksOfOne || o.asks > 0 && w.asks >= t.cfg.MaxAsks {
			continue
		}
		if best == nil || w.before(now, o, best, i) {
			best = o
		}
	}
	return best
}

// before says whether the i-th offer is to be asked before one that came sooner: who was
// asked less, then who kept its promises; then in each second round those that we dialled,
// whom no attacker chose, and in the first one the quickest of the first three.
func (w *want) before(now time.Time, o, sooner *offer, i int) bool {
	if o.asks != sooner.asks {
		return o.asks < sooner.asks
	}
	if a, b := math.Round(o.by.debt.lapses(now)), math.Round(sooner.by.debt.lapses(now)); a != b {
		return a < b
	}
	if w.rounds%2 == 1 && o.by.Dialled != sooner.by.Dialled {
		return o.by.Dialled
	}
	return w.rounds == 0 && i < 3 && o.by.rtt != 0 && sooner.by.rtt != 0 && o.by.rtt < sooner.by.rtt
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
		return t.pullTimeout() / 2
	}
	return min(max(3*l.rtt, t.cfg.PullMin), t.pullTimeout())
}
