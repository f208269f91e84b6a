package dissemination

import (
	"github.com/weftnet/weft/protocols/object"
	"github.com/weftnet/weft/protocols/pending"
)

// place is where a held object is; an anchor has no number in the log.
type place struct {
	log *log
	seq uint64
}

// entry is what the log has of a held object; false: it is pruned, or an anchor.
func (p place) entry() (Entry, bool) {
	if p.seq <= p.log.prunedTo {
		return Entry{}, false
	}
	return p.log.entries[p.log.from(p.seq-1)], true
}

// size is how many bytes of an object are held.
func (m *Machine) size(id object.ID) int {
	p := m.held[id]
	if p.log == nil {
		return 0
	}
	e, _ := p.entry()
	return e.Size
}

// holds says whether an object counts as held.
func (m *Machine) holds(id object.ID) bool { return m.held[id].log != nil }

// known says that an object is held, or on its way to be.
func (m *Machine) known(id object.ID) bool {
	return m.holds(id) || m.judging[id] != nil || m.waits(id) || m.condemned.has(m.now, id) || m.shunned.has(m.now, id)
}

// waits says that an object is here, and waits for others.
func (m *Machine) waits(id object.ID) bool { return m.pending.State(id).State == pending.StateWaiting }

// parked says that an object came, found no room, and is fetched when there is some.
func (m *Machine) parked(id object.ID) bool { return m.pending.State(id).State == pending.StateParked }
