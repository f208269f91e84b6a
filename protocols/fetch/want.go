package fetch

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

// Want names an object to get, and who may hold it.
type Want struct {
	ID      object.ID
	Holders []core.PeerID // in the order in which to ask; those that are no members are left out
	Closure bool          // with what it depends on
	Have    []object.ID   // with Closure: what is held here; nothing behind these is sent. At most MaxHave
	Urgent  bool          // it is asked for before others, as what is here waits for it
}

// want is an object that is being got. It waits for a free place, or its request is
// open, or what came is being checked.
type want struct {
	id      object.ID
	age     uint64 // the lower the older
	urgent  bool
	closure bool
	have    []object.ID
	holders []*holder // to be asked, in order
	replies []Reply   // of those who were asked; what is found is being checked
	open    *request  // none: nil
	check   timer     // set since an object came
}

// holder is a peer that may have the object of a want.
type holder struct {
	peer  *peer
	want  *want
	place int // in the peer's waiting, from 1; 0: not there
}

// state is what happens to a want. While a request is open an object that came late
// from another peer may be in check too.
type state uint8

const (
	waits  state = iota // for a free place
	asks                // a request is open
	checks              // what came is being checked
)

func (w *want) state() state {
	switch {
	case w.open != nil:
		return asks
	case slices.ContainsFunc(w.replies, func(r Reply) bool { return r.Status == StatusFound }):
		return checks
	}
	return waits
}

func byAge(a, b *want) int { return cmp.Compare(a.age, b.age) }

// before says whether a want has precedence over another.
func (w *want) before(other *want) bool {
	if w.urgent != other.urgent {
		return w.urgent
	}
	return w.age < other.age
}

// Want gets an object. If it is wanted already, the holders are added.
func (m *Machine) Want(now time.Time, want Want, out *[]core.Action) {
	w := m.wants[want.ID]
	switch {
	case w != nil:
		m.stats.Coalesced++
	case len(m.wants) >= m.cfg.MaxWants:
		m.stats.Full++
		*out = append(*out, Exhausted{ID: want.ID, Full: true})
		return
	default:
		w = m.add(want.ID)
	}
	if want.Urgent && !w.urgent {
		w.leave() // it is queued anew
		w.urgent = true
	}
	if want.Closure && !w.closure {
		w.closure, w.have = true, slices.Clone(want.Have[:min(len(want.Have), MaxHave)])
	}
	for _, id := range want.Holders {
		m.note(w, id)
	}
	m.next(now, w, out)
}

// Holder adds a holder of an object that is wanted.
func (m *Machine) Holder(now time.Time, id object.ID, peer core.PeerID, out *[]core.Action) {
	if w := m.wants[id]; w != nil && m.note(w, peer) {
		m.next(now, w, out)
	}
}

// Accepted ends a want: the object is here, whether it came from the peer that was
// asked, with another one, or in another way.
func (m *Machine) Accepted(_ time.Time, id object.ID) {
	if w := m.wants[id]; w != nil {
		m.stats.Accepted++
		m.end(w)
	}
}

// Cancel ends a want: nobody needs the object any more.
func (m *Machine) Cancel(_ time.Time, id object.ID) {
	if w := m.wants[id]; w != nil {
		m.stats.Cancelled++
		m.end(w)
	}
}

// Wrong says that the bytes which a peer gave are not those that the ID names. The
// next holder is asked.
func (m *Machine) Wrong(now time.Time, id object.ID, peer core.PeerID, out *[]core.Action) {
	m.stats.Wrong++
	m.blame(peer, OffenceWrong, "what it sent is not "+id.String(), out)
	if w := m.wants[id]; w != nil && w.asked(peer) {
		w.reply(peer).Status = StatusWrong
		m.next(now, w, out)
	}
}

func (m *Machine) add(id object.ID) *want {
	m.wanted++
	m.stats.Wants++
	w := &want{id: id, age: m.wanted}
	w.check.of = w
	m.wants[id] = w
	return w
}

// note adds a holder that can be asked and was not.
func (m *Machine) note(w *want, id core.PeerID) bool {
	p := m.peers[id]
	known := func(h *holder) bool { return h.peer == p }
	if p == nil || len(w.holders) >= m.cfg.MaxHolders || w.asked(id) || slices.ContainsFunc(w.holders, known) {
		return false
	}
	w.holders = append(w.holders, &holder{peer: p, want: w})
	return true
}

func (w *want) asked(id core.PeerID) bool {
	return slices.ContainsFunc(w.replies, func(r Reply) bool { return r.Peer == id })
}

// answered notes what became of a request. An object that came is not undone by what
// the same peer says to another request.
func (w *want) answered(r *request, s Status) {
	if w.open == r {
		w.open = nil
	}
	if !w.asked(r.peer.id) {
		return
	}
	switch reply := w.reply(r.peer.id); reply.Status {
	case statusAsked, StatusTimedOut, StatusGone:
		reply.Status, reply.Asked = s, r.sent
	}
}

// reply is the place for what a peer says. One that answers a request of an earlier
// want of the same object counts as asked.
func (w *want) reply(id core.PeerID) *Reply {
	at := slices.IndexFunc(w.replies, func(r Reply) bool { return r.Peer == id })
	if at < 0 {
		at = len(w.replies)
		w.replies = append(w.replies, Reply{Peer: id})
	}
	return &w.replies[at]
}

// forget drops a holder, and says whether it was one.
func (w *want) forget(p *peer) bool {
	at := slices.IndexFunc(w.holders, func(h *holder) bool { return h.peer == p })
	if at < 0 {
		return false
	}
	p.waiting.remove(w.holders[at])
	w.holders = slices.Delete(w.holders, at, at+1)
	return true
}

// end forgets a want. A request that is open keeps its place until it is answered
// or overdue: the peer is still at work on it.
func (m *Machine) end(w *want) {
	w.leave()
	m.timers.stop(&w.check)
	delete(m.wants, w.id)
}

func (m *Machine) exhaust(w *want, out *[]core.Action) {
	m.stats.Exhausted++
	m.end(w)
	*out = append(*out, Exhausted{ID: w.id, Replies: w.replies})
}

// leave takes a want from all queues.
func (w *want) leave() {
	for _, h := range w.holders {
		h.peer.waiting.remove(h)
	}
}

// wait queues a want with some of its holders.
func (w *want) wait(at []*holder) {
	for _, h := range at {
		heap.Push(&h.peer.waiting, h)
	}
}

// waiting is a heap of what waits for a place of one peer: urgent wants first, then
// the oldest.
type waiting []*holder

func (q *waiting) remove(h *holder) {
	if h.place > 0 {
		heap.Remove(q, h.place-1)
	}
}

// Len, Less, Swap, Push and Pop are for container/heap.
func (q waiting) Len() int           { return len(q) }
func (q waiting) Less(i, j int) bool { return q[i].want.before(q[j].want) }
func (q waiting) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i+1, j+1
}

func (q *waiting) Push(x any) {
	h := x.(*holder)
	*q = append(*q, h)
	h.place = len(*q)
}

func (q *waiting) Pop() any {
	last := len(*q) - 1
	h := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	h.place = 0
	return h
}
