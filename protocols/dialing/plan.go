package dialing

import (
	"fmt"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// plan gives up dials that were never answered, dials everyone who is due and
// for whom there is room, and sets the next deadline.
func (m *Machine) plan(now time.Time, out *[]core.Effect) {
	m.sweep(now, out)
	m.book.trim(now)
	saved := m.fallBack(out)
	wanted := func(k *known) bool { return k.heard || saved && k.saved }
	for m.freeDials() > 0 && m.dialFirst(now, m.book.pinned, everyone, out) {
	}
	for m.room() > 0 && m.dialFirst(now, m.book.all, wanted, out) {
	}
	m.deadline = m.next(wanted)
}

func everyone(*known) bool { return true }

// sweep fails the dials whose answer never came.
func (m *Machine) sweep(now time.Time, out *[]core.Effect) {
	for i := len(m.book.all) - 1; i >= 0 && m.book.links[dialling] > 0; i-- {
		k := m.book.all[i]
		if k.link == dialling && now.Sub(k.since) >= m.cfg.DialSweep {
			m.stats.Swept++
			m.unanswered(now, k, fmt.Sprintf("no answer in %v", m.cfg.DialSweep), out)
		}
	}
}

// fallBack says whether saved peers may be tried: every bootstrapper has failed
// since it was last connected. The first time it is told.
func (m *Machine) fallBack(out *[]core.Effect) bool {
	if m.awaiting {
		return false
	}
	for _, k := range m.book.pinned {
		if k.link.connected() || k.failures == 0 {
			return false
		}
	}
	if !m.fallback && len(m.book.pinned) > 0 {
		m.fallback = true
		notify(out, "bootstrap.fallback", "", "no bootstrapper can be reached: trying peers saved before")
	}
	return true
}

// freeDials is how many more dials may be outstanding.
func (m *Machine) freeDials() int { return m.cfg.MaxDialing - m.book.links[dialling] }

// room is how many candidates may be dialled now, if every dial succeeds.
func (m *Machine) room() int {
	b := &m.book
	degree := m.cfg.TargetDegree - b.links[outbound] - b.links[dialling]
	if m.cfg.Topology == Mesh {
		degree = m.cfg.MaxPeers
	}
	return min(m.freeDials(), degree, m.cfg.MaxPeers-b.connected()-b.links[dialling])
}

// dialFirst dials the one that has been due for longest, then by rank, so that
// nobody waits behind peers that fail again and again.
func (m *Machine) dialFirst(now time.Time, among []*known, want func(*known) bool, out *[]core.Effect) bool {
	var first *known
	for _, k := range among {
		if k.link != idle || !want(k) || !k.reachable() || k.dialAt().After(now) {
			continue
		}
		if first == nil || k.before(first) {
			first = k
		}
	}
	if first == nil {
		return false
	}
	m.stats.Dials++
	m.book.setLink(first, dialling, now)
	*out = append(*out, core.Dial{Peer: first.id, Addrs: first.addrs(m.cfg.MaxAddrs)})
	return true
}

func (k *known) before(other *known) bool {
	if c := k.dialAt().Compare(other.dialAt()); c != 0 {
		return c < 0
	}
	return k.rank < other.rank
}

// next is the earliest time at which plan would do something. Who has no room
// now is left out: room comes with an event.
func (m *Machine) next(wanted func(*known) bool) time.Time {
	free, room := m.freeDials() > 0, m.room() > 0
	var next time.Time
	for _, k := range m.book.all {
		switch {
		case k.link == dialling:
			next = core.Earliest(next, k.since.Add(m.cfg.DialSweep))
		case k.link == idle && k.reachable() && ((k.bootstrapper || k.validator) && free || wanted(k) && room):
			next = core.Earliest(next, k.dialAt())
		}
	}
	return next
}

// backoff is how long to wait after a number of failures in a row.
func (m *Machine) backoff(failures int) time.Duration {
	d := m.cfg.BackoffBase
	for range failures - 1 {
		if d *= 2; d >= m.cfg.BackoffMax {
			break
		}
	}
	d = scale(d, 1+m.rng.Float64())
	if d < m.cfg.BackoffMax {
		return d
	}
	return scale(m.cfg.BackoffMax, .75+m.rng.Float64()/4)
}

func scale(d time.Duration, by float64) time.Duration { return time.Duration(float64(d) * by) }
