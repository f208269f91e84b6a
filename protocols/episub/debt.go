package episub

import (
	"math"
	"time"
)

// A peer that announces and does not give costs a request's time for each message, and an
// eager one that does not push all its use. Honest peers lapse as well, when they lose
// something or are overloaded: so a lapse is made good by what the peer gives, even late,
// fades, and has little weight. Whoever has more of them is asked after the others and is
// not taken as eager.

const (
	// forgive is the time in which half of the lapses are forgotten: chosen so that an
	// overload of seconds is forgotten in minutes.
	forgive = time.Minute
	// mostLapses bounds them: chosen so that the worst of peers may be tried again
	// after three minutes.
	mostLapses = 8
	// shunned is from how many lapses on a peer that pushes to us is made lazy; below
	// trusted it may push again. Chosen so that one may always happen.
	shunned, trusted = 2, 1
	// blamed is from how many messages on that a peer never gave each further one is an
	// offence: chosen because queues to us overflow.
	blamed = 4
)

// debt are the lapses of a peer.
type debt struct {
	sum float64
	at  time.Time
}

func (d *debt) lapses(now time.Time) float64 {
	if d.sum == 0 {
		return 0
	}
	return d.sum * math.Exp2(-after(d.at, now).Minutes()/forgive.Minutes())
}

func (d *debt) add(now time.Time, n float64) {
	d.sum, d.at = min(max(d.lapses(now)+n, 0), mostLapses), now
}

// overdue counts the requests for a message that were not answered in time. When the clock
// rang late, it was we who had no time.
func (t *Topic) overdue(now time.Time, w *want) {
	ours := now.Sub(w.next) >= t.cfg.PullMin
	for i := range w.offers {
		o := &w.offers[i]
		if o.due && !ours {
			t.stats.Unanswered++
			o.by.debt.add(now, 1)
		}
		o.due = false
	}
}

// gave notes that a peer gave what nobody else had given, or what it was asked for.
func (r *record) gave(now time.Time, l *link, author bool) {
	if r.asked.has(l.slot) || !r.came() && !author {
		r.asked.drop(l.slot)
		l.debt.add(now, -1)
	}
}

// withheld blames those who were asked for a message and have not given it when it is
// forgotten: to be late is no offence.
func (t *Topic) withheld(now time.Time, r *record, out *[]Effect) {
	if r.asked == (slotSet{}) {
		return
	}
	for _, l := range t.order {
		if !r.asked.has(l.slot) {
			continue
		}
		if l.broken.add(now, 1); l.broken.lapses(now) > blamed-1 {
			*out = append(*out, Withheld{Peer: l.ID})
		}
	}
}
