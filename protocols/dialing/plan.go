package dialing

import (
	"fmt"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// share of MaxDialing that a lane has for itself, so that none waits for another;
// chosen because it leaves candidates TargetDegree dials.
const share = 8

// plan ends what is over, dials everyone who is due and for whom there is room,
// and sets the next deadline.
func (m *Machine) plan(now time.Time, out *[]core.Effect) {
	m.sweep(now, out)
	m.book.tidy(now)
	m.settle(now, out)
	saved := m.fallBack(now, out)
	before := m.stats.Dials
	for i := range lanes {
		m.serve(now, (m.turn+i)%lanes, saved, out)
	}
	switch {
	case m.rate.Ready(now):
		m.turn = pinned
	case m.stats.Dials > before: // the rate decides: the lanes take turns
		m.turn = (m.turn + 1) % lanes
	}
	m.deadline = m.next(now, saved)
}

// sweep fails the dials whose answer never came.
func (m *Machine) sweep(now time.Time, out *[]core.Effect) {
	for len(m.book.dials) > 0 && now.Sub(m.book.dials[0].dial.at) >= m.cfg.DialSweep {
		m.stats.Swept++
		m.unanswered(now, m.book.dials[0], fmt.Sprintf("no answer in %v", m.cfg.DialSweep), out)
	}
}

// fallBack says whether saved peers may be tried: every bootstrapper has failed
// since it was last connected. The first time it is told.
func (m *Machine) fallBack(now time.Time, out *[]core.Effect) bool {
	if m.awaiting {
		return false
	}
	for _, k := range m.book.bootstrappers {
		if k.connected() || k.tries() == 0 && !k.coolUntil.After(now) {
			return false
		}
	}
	if !m.fallback && len(m.book.bootstrappers) > 0 {
		m.fallback = true
		notify(out, "bootstrap.fallback", "", "no bootstrapper is connected, all were tried: trying peers saved before")
	}
	return true
}

// serve dials those of a lane that are due.
func (m *Machine) serve(now time.Time, l lane, saved bool, out *[]core.Effect) {
	for m.room(l) > 0 && m.rate.Ready(now) {
		k := m.first(now, l, saved)
		if k == nil || k.dialAt().After(now) {
			return
		}
		m.dial(now, k, l, out)
	}
}

// first is the one of a lane whose turn it is, or else, who is due first.
func (m *Machine) first(now time.Time, l lane, saved bool) *known {
	switch b := m.book; l {
	case pinned:
		return b.pinned.first()
	case back:
		return b.back.first()
	default:
		return b.candidate(now, saved)
	}
}

// candidate is the one whose turn it is, or else, who is due first.
func (b *book) candidate(now time.Time, saved bool) *known {
	turn, old := b.tellers.due(now), b.saved.first()
	if !saved {
		old = nil
	}
	if turn != nil {
		if old != nil && !old.dialAt().After(now) && b.saved.before(turn) {
			return old
		}
		return turn.first()
	}
	if next := b.tellers.waiting.first(); next != nil && (old == nil || sooner(next.first(), old)) {
		return next.first()
	}
	return old
}

// dial dials one peer, or puts the dial off where every address is over budget.
func (m *Machine) dial(now time.Time, k *known, l lane, out *[]core.Effect) {
	addrs := k.addrs(&m.cfg)
	if l == back { // observed and rumoured addresses prove nothing
		addrs = k.claimed.addrs()
	}
	may, charged, wait := m.ips.admit(now, k, addrs)
	m.stats.LeftOut += uint64(len(addrs) - len(may))
	if len(may) == 0 && len(addrs) > 0 {
		m.postpone(now, k, wait)
		return
	}
	m.rate.Spend(now, 1)
	m.stats.Dials++
	if l == back {
		m.stats.DialBacks++
	}
	k.chose = l != back
	m.book.beginDial(k, now, may, charged)
	m.book.file(k)
	*out = append(*out, core.Dial{Peer: k.id, Addrs: may})
}

// extend adds the addresses of a new claim to the dial under way, which may be to a
// dead one. It is bound by the budgets of a dial, and all of them together by the
// number of addresses of one; else they wait for the end of the dial.
func (m *Machine) extend(now time.Time, k *known, out *[]core.Effect) {
	d := k.dial
	fresh := without(k.claimed.addrs(), d.addrs)
	fresh = fresh[:min(len(fresh), m.cfg.MaxAddrs-len(d.addrs))]
	if len(fresh) == 0 || k.dialAt().After(now) || !m.rate.Ready(now) {
		return
	}
	may, charged, _ := m.ips.admit(now, k, fresh)
	m.stats.LeftOut += uint64(len(fresh) - len(may))
	if len(may) == 0 {
		return
	}
	m.rate.Spend(now, 1)
	m.stats.Dials++
	d.addrs, d.charged = slices.Concat(d.addrs, may), slices.Concat(d.charged, charged)
	*out = append(*out, core.Dial{Peer: k.id, Addrs: may})
}

// postpone lets those that wait for one IP come back at different times.
func (m *Machine) postpone(now time.Time, k *known, wait time.Duration) {
	m.stats.Postponed++
	k.postponed++
	k.due = now.Add(max(wait, m.growing(int(k.postponed), m.cfg.BackoffMax)))
	k.reason = "its IP is dialled too often: waiting"
	m.book.file(k)
}

// room is how many of a lane may be dialled now, if every dial succeeds.
func (m *Machine) room(l lane) int {
	b := m.book
	free := m.cfg.MaxDialing - len(b.dials)
	for other := range lanes {
		if other != l && (other != back || m.cfg.Symmetry) {
			free -= max(0, max(1, m.cfg.MaxDialing/share)-b.open[other])
		}
	}
	if l != candidates {
		return free
	}
	coming := b.open[pinned] + b.open[candidates]
	free = min(free, m.cfg.MaxPeers-b.connected()+b.guests-coming)
	if m.cfg.Topology == Bounded {
		free = min(free, m.cfg.TargetDegree-b.own-coming)
	}
	return free
}

// next is the earliest time at which plan would do something. Who has no room
// now is left out: room comes with an event.
func (m *Machine) next(now time.Time, saved bool) (next time.Time) {
	if len(m.book.dials) > 0 {
		next = m.book.dials[0].dial.at.Add(m.cfg.DialSweep)
	}
	if k := m.book.settling.first(); k != nil {
		next = core.Earliest(next, k.since.Add(m.cfg.StableAfter))
	}
	if k := m.book.leaving.first(); k != nil {
		next = core.Earliest(next, k.dialAt())
	}
	for l := range lanes {
		k := m.first(now, l, saved)
		if k == nil || m.room(l) <= 0 {
			continue
		}
		at := k.dialAt()
		if !at.After(now) { // the rate holds it up
			at = now.Add(m.rate.Wait(now))
		}
		next = core.Earliest(next, at)
	}
	return next
}
