package dissemination

import (
	"time"

	"github.com/weftnet/weft/protocols/object"
)

// Bounds of a locator: so many of the newest IDs, and then ever sparser ones.
const (
	locatorDense = 32
	maxLocator   = 64
)

// quiet is how long nothing may have landed for a single missing object to count as a
// sign that more is missing. Chosen above the time in which an object reaches everybody.
const quiet = time.Second

// behind says whether what a missing object depends on is likely to be missing, too:
// where what was fetched needs more again, or nothing landed lately. Else an object has
// just overtaken the one that it depends on, and a closure would bring what is held.
func (m *Machine) behind(depth int) bool {
	return depth > 1 || m.now.Sub(m.landedAt) > quiet
}

// locator samples what we hold, so that who sends us what an object depends on knows
// where to stop: the newest of all topics, as objects may depend on those of others,
// and ever older ones of the topic of the object. Chosen like Bitcoin's block locator.
func (m *Machine) locator(of *log) []object.ID {
	ids, left := m.newest(of)
	for i, step := left-1, 1; i >= 0 && len(ids) < maxLocator; i -= step {
		ids = append(ids, of.entries[i].ID)
		step *= 2
	}
	return ids
}

// newest are the objects that landed last, and how many of a log are older.
func (m *Machine) newest(of *log) (ids []object.ID, left int) {
	left = len(of.entries)
	tops := make([]*log, 0, len(m.topics))
	at := make([]int, 0, len(m.topics)) // entries of each that are not taken yet
	for _, name := range m.names() {
		if l := m.topics[name]; len(l.entries) > 0 {
			tops, at = append(tops, l), append(at, len(l.entries))
		}
	}
	for len(ids) < locatorDense {
		last := -1
		for i, l := range tops {
			if at[i] > 0 && (last < 0 || l.entries[at[i]-1].Landed.After(tops[last].entries[at[last]-1].Landed)) {
				last = i
			}
		}
		if last < 0 {
			break
		}
		at[last]--
		ids = append(ids, tops[last].entries[at[last]].ID)
		if tops[last] == of {
			left = at[last]
		}
	}
	return ids, left
}
