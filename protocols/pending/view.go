package pending

import (
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

// State says where an object stands.
type State uint8

// The states of an object.
const (
	StateUnknown  State = iota
	StateMissing        // not here; items wait for it
	StateWaiting        // here, and waits for others
	StateParked         // came and found no room
	StateReleased       // handed over as Ready, not held yet, and waited for
)

func (s State) String() string {
	return [...]string{"unknown", "missing", "waiting", "parked", "released"}[s]
}

// View is what is known of one object.
type View struct {
	State   State
	Sender  core.PeerID // of one that waits or is parked
	Since   time.Time   // that it waits
	Missing []object.ID // what it waits for; such an object may be here and wait itself
}

// State returns a view of an object.
func (m *Machine) State(id object.ID) View {
	n := m.nodes[id]
	switch p := m.parked[id]; {
	case n != nil && n.wait != nil:
		v := View{State: StateWaiting, Sender: n.wait.item.Sender, Since: n.wait.since}
		for i := range n.wait.edges {
			if dep := n.wait.edges[i].to; dep != nil {
				v.Missing = append(v.Missing, dep.id)
			}
		}
		return v
	case p != nil:
		return View{State: StateParked, Sender: p.acc.peer}
	case n != nil && n.phase == released:
		return View{State: StateReleased}
	case n != nil:
		return View{State: StateMissing}
	}
	return View{}
}

// Waiters are up to most items that wait for an object, in the order in which they
// came.
func (m *Machine) Waiters(id object.ID, most int) (items []Item) {
	n := m.nodes[id]
	if n == nil {
		return nil
	}
	for e := n.first; e != nil && len(items) < most; e = e.next {
		items = append(items, e.from.wait.item)
	}
	return items
}

// Oldest is since when the oldest item waits; zero: none does.
func (m *Machine) Oldest() (since time.Time) {
	if n := m.oldest(); n != nil {
		since = n.wait.since
	}
	return since
}

// Stats returns counters and gauges.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Waiting, s.Bytes = m.ages.Len(), m.bytes
	s.Missing = len(m.nodes) - s.Waiting
	s.Wanted, s.Queued = m.wants, m.queued
	s.Parked, s.Peers = len(m.parked), len(m.peers)
	return s
}
