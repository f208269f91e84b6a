package infect

import (
	"container/heap"
	"container/list"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// state is how far an item has come.
type state uint8

const (
	wanted    state = iota // announced to us; a Get is open
	checking               // here, and not accepted yet: gossip pauses
	spreading              // accepted, and being offered to peers
	finished               // remembered, so that it is not taken for new
	lost                   // nobody gave it; remembered for the sake of who gives it late
	rejected               // finished, because it is invalid
)

// entry is one item.
type entry struct {
	id       ID
	state    state
	item     []byte                   // where it is small; nil: it is announced, and the loop has it
	push     []byte                   // the payload that offers it, of which item is a part
	from     core.PeerID              // who brought it first; empty: ourselves
	holders  map[core.PeerID]struct{} // peers that are never offered it: they have it, or did not answer
	flights  []flight                 // offers that wait for an answer, the oldest first
	offered  map[core.PeerID]uint8    // peers that were offered it, and how often each got it after a Get
	infected int                      // peers that answered StatusNew
	already  int                      // peers that answered StatusAlready
	asked    []core.PeerID            // whom a Get went to, in order
	open     []core.PeerID            // those of them who may still give it
	askedAt  time.Time                // when the last of them was asked
	askable  []core.PeerID            // others that announced it, and were not asked yet
	due      time.Time                // of whatever is next
	place    int                      // in schedule, while unfinished
	done     *list.Element            // in table.finished
}

// closes ends the Get to a peer, if one is open.
func (e *entry) closes(peer core.PeerID) bool {
	at := slices.Index(e.open, peer)
	if at < 0 {
		return false
	}
	e.open = slices.Delete(e.open, at, at+1)
	return true
}

// last is the peer that the last Get went to.
func (e *entry) last() core.PeerID { return e.asked[len(e.asked)-1] }

// flight is one offer without an answer.
type flight struct {
	peer core.PeerID
	due  time.Time
}

// table holds all entries: the unfinished by what is due next, the finished in the
// order of finishing, which is the order in which they are forgotten.
type table struct {
	entries  map[ID]*entry
	schedule schedule
	finished *list.List
	pending  map[core.PeerID]int // entries of each peer that are not accepted yet
}

func newTable() table {
	return table{entries: map[ID]*entry{}, finished: list.New(), pending: map[core.PeerID]int{}}
}

func (t *table) add(e *entry, due time.Time) {
	e.holders, e.due = map[core.PeerID]struct{}{}, due
	t.entries[e.id] = e
	heap.Push(&t.schedule, e)
	if e.isPending() {
		t.pending[e.from]++
	}
}

// isPending says whether an entry counts against who brought it.
func (e *entry) isPending() bool { return e.from != "" && (e.state == wanted || e.state == checking) }

// become moves an unfinished entry on to another state.
func (t *table) become(e *entry, next state) {
	was := e.isPending()
	e.state = next
	if was && !e.isPending() {
		t.release(e.from)
	}
}

func (t *table) release(peer core.PeerID) {
	if t.pending[peer]--; t.pending[peer] == 0 {
		delete(t.pending, peer)
	}
}

// finish ends an entry, to be remembered until due. What only spreading needs is
// dropped; who was offered a large item may still ask for it, and who was asked
// may still give it.
func (t *table) finish(e *entry, as state, due time.Time) {
	t.become(e, as)
	heap.Remove(&t.schedule, e.place)
	e.holders, e.flights, e.askable, e.open, e.due = nil, nil, nil, nil, due
	e.done = t.finished.PushBack(e)
}

// forget drops an entry as if it had never been.
func (t *table) forget(e *entry) {
	if e.isPending() {
		t.release(e.from)
	}
	if e.done != nil {
		t.finished.Remove(e.done)
	} else {
		heap.Remove(&t.schedule, e.place)
	}
	delete(t.entries, e.id)
}

func (t *table) reschedule(e *entry, due time.Time) {
	e.due = due
	heap.Fix(&t.schedule, e.place)
}

// oldest is the finished entry that is forgotten next.
func (t *table) oldest() *entry {
	if front := t.finished.Front(); front != nil {
		return front.Value.(*entry)
	}
	return nil
}

// schedule is a heap of unfinished entries.
type schedule []*entry

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].due.Before(s[j].due) }
func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].place, s[j].place = i, j
}

func (s *schedule) Push(x any) {
	e := x.(*entry)
	e.place = len(*s)
	*s = append(*s, e)
}

func (s *schedule) Pop() any {
	last := len(*s) - 1
	e := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	return e
}
