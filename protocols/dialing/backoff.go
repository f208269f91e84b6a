package dialing

import (
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// maxDialSecondAfter bounds what slow dials add to Config.DialSecondAfter; chosen
// because half of the connection timeout may be waited for a peer that never dials.
const maxDialSecondAfter = 5 * time.Second

// order is how long to leave the first dial to a peer: of two that know each
// other the one with the lower ID dials. Where dials take long, on a busy machine
// or a slow path, the other waits longer, or every pair would dial twice.
func (m *Machine) order(id core.PeerID) time.Duration {
	if m.cfg.Self > id {
		return max(m.cfg.DialSecondAfter, min(2*m.dialTook, maxDialSecondAfter))
	}
	return 0
}

// redial is when to dial a peer that was lost: soon, but not together with all
// of its other peers, and where it dials first, after the longest that it waits.
func (m *Machine) redial(k *known) time.Duration {
	second := m.order(k.id)
	if k.bootstrapper {
		second = 0
	}
	switch {
	case second > 0 && k.tries() > 0:
		return m.longest(k.tries(), m.cfg.BackoffMax) + second
	case second > 0:
		return m.cfg.BackoffBase + second
	case k.tries() > 0:
		return m.backoff(k)
	}
	return scale(m.cfg.BackoffBase, m.rng.Float64())
}

// backoff is how long to wait after the failures of a peer.
func (m *Machine) backoff(k *known) time.Duration {
	most := m.cfg.BackoffMax
	if k.bootstrapper && m.book.alone() {
		most = min(most, m.cfg.LoneBackoffMax)
	}
	return m.growing(k.tries(), most)
}

// growing doubles from BackoffBase with each time, with jitter, up to most.
func (m *Machine) growing(times int, most time.Duration) time.Duration {
	if d := scale(m.doubled(times-1, most), 1+m.rng.Float64()); d < most {
		return d
	}
	return scale(most, .75+m.rng.Float64()/4)
}

// longest is what growing never exceeds.
func (m *Machine) longest(times int, most time.Duration) time.Duration {
	return min(m.doubled(times, most), most)
}

// doubled is BackoffBase, doubled a number of times or until it reaches most.
func (m *Machine) doubled(times int, most time.Duration) time.Duration {
	d := m.cfg.BackoffBase
	for i := 0; i < times && d < most; i++ {
		d *= 2
	}
	return d
}

// hurry brings the bootstrappers forward when the last peer is gone, also those that
// were full: we need a place now, or at least a list of others.
func (m *Machine) hurry(now time.Time) {
	for _, k := range m.book.bootstrappers {
		if !k.refused || k.full {
			k.due = earlier(k.due, now.Add(scale(m.cfg.LoneBackoffMax, .75+m.rng.Float64()/4)))
			m.book.file(k)
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func scale(d time.Duration, by float64) time.Duration { return time.Duration(float64(d) * by) }
