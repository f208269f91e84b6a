package dissemination

import (
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

// tidyEvery is how often the store is told of what was pruned; chosen because a
// deletion costs it about as much for one object as for many.
const tidyEvery = time.Second

// fadeBytes is the least that an object is charged that was pruned and still has its
// bytes; chosen for 65,536 of them in the default of MaxFading.
const fadeBytes = 1 << 10

// retain prunes what a topic keeps no longer. Who is only a little behind still gets
// it, as its bytes stay for a moment.
func (m *Machine) retain(l *log) {
	n := l.expired(m.now)
	for _, id := range l.cut(n) {
		m.remember(l, id)
	}
	m.stats.Pruned += uint64(n)
	if at := m.tidyDue(l); l.tidyAt.IsZero() || at.Before(l.tidyAt) {
		l.tidyAt = at
	}
}

// remember keeps the ID of an object that counts as held without its bytes, and
// forgets the oldest such one.
func (m *Machine) remember(l *log, id object.ID) {
	if !m.holds(id) {
		m.held[id] = place{log: l}
	}
	l.pruned = append(l.pruned, id)
	for len(l.pruned) > m.cfg.MaxTombstones {
		delete(m.held, l.pruned[0])
		l.pruned = l.pruned[1:]
	}
}

// tidy has the store drop the bytes of what was pruned and landed long enough ago.
func (m *Machine) tidy(out *[]core.Effect) {
	for _, name := range m.names() {
		l := m.topics[name]
		if !due(l.tidyAt, m.now) {
			continue
		}
		l.tidyAt = time.Time{}
		before := l.goneTo
		m.retain(l)
		l.fade(m.now, m.cfg.Fade, m.maxFading(l))
		if l.goneTo > before {
			perform(out, Prune{Topic: name, Upto: l.goneTo, Tombstones: m.cfg.MaxTombstones})
		}
		l.tidyAt = m.tidyDue(l)
	}
}

func (m *Machine) maxFading(l *log) int64 { return min(int64(m.cfg.MaxFading), l.Keep.Bytes) }

// tidyDue is when something of a log will be too old, or is too much; zero: never.
func (m *Machine) tidyDue(l *log) (at time.Time) {
	if len(l.entries) > 0 {
		at = l.entries[0].Landed.Add(l.Keep.Age)
	}
	if len(l.fading) == 0 {
		return at
	}
	gone, soon := l.fading[0].Landed.Add(m.cfg.Fade), m.now.Add(tidyEvery)
	if l.fadingBytes > m.maxFading(l) || gone.Before(soon) {
		gone = soon
	}
	return core.Earliest(at, gone)
}

// expired is how many of the oldest entries are beyond what the topic keeps.
func (l *log) expired(now time.Time) (n int) {
	bytes := l.bytes
	for n < len(l.entries) {
		e := l.entries[n]
		if len(l.entries)-n <= l.Keep.Objects && bytes <= l.Keep.Bytes && now.Sub(e.Landed) < l.Keep.Age {
			break
		}
		bytes -= int64(e.Size)
		n++
	}
	return n
}

// cut prunes the oldest entries and returns their IDs.
func (l *log) cut(n int) (ids []object.ID) {
	for _, e := range l.entries[:n] {
		ids = append(ids, e.ID)
		l.bytes -= int64(e.Size)
		l.prunedTo = e.Seq
		l.fading = append(l.fading, e)
		l.fadingBytes += e.charge()
	}
	l.entries = l.entries[n:] // append copies what is left when it needs room
	return ids
}

// fade gives up the bytes of what was pruned and landed some time ago, or takes too
// much room.
func (l *log) fade(now time.Time, after time.Duration, most int64) {
	for len(l.fading) > 0 {
		e := l.fading[0]
		if l.fadingBytes <= most && now.Sub(e.Landed) < after {
			return
		}
		l.goneTo = e.Seq
		l.fadingBytes -= e.charge()
		l.fading = l.fading[1:]
	}
}

func (e Entry) charge() int64 { return int64(max(e.Size, fadeBytes)) }
