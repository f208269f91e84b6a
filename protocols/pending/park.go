package pending

import (
	"container/list"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

// parking is an object that found no room.
type parking struct {
	id    object.ID
	acc   *account
	cost  int
	due   time.Time     // zero: it is not coming; else until when its room is kept
	place *list.Element // in account.parked, or in Machine.coming
}

// park remembers an object that found no room, and says whether it did. One that is
// parked keeps its place, unless another sender has fewer.
func (m *Machine) park(now time.Time, id object.ID, sender core.PeerID, cost int) bool {
	acc := m.account(sender)
	if p := m.parked[id]; p != nil && p.due.IsZero() && p.acc.parked.Len() <= acc.parked.Len()+1 {
		m.settle(acc)
		return true
	}
	m.forgetParked(id)
	acc = m.account(sender)
	if acc.parked.Len() >= m.cfg.MaxPeerParked || len(m.parked) >= m.cfg.MaxParked {
		m.stats.Dropped++
		m.settle(acc)
		return false
	}
	m.stats.Parks++
	if m.parkers.Len() == 0 {
		m.unparkAt = now.Add(m.cfg.UnparkEvery)
	}
	p := &parking{id: id, acc: acc, cost: cost}
	p.place = acc.parked.PushBack(p)
	m.parked[id] = p
	if acc.ring == nil {
		acc.ring = m.parkers.PushBack(acc)
	}
	return true
}

// forgetParked says whether the object was parked.
func (m *Machine) forgetParked(id object.ID) bool {
	p := m.parked[id]
	if p == nil {
		return false
	}
	if p.due.IsZero() {
		m.leave(p)
	} else {
		m.coming.Remove(p.place)
		m.reserve(p, -p.cost)
	}
	delete(m.parked, id)
	m.settle(p.acc)
	return true
}

// leave takes p from those that wait for room.
func (m *Machine) leave(p *parking) {
	acc := p.acc
	acc.parked.Remove(p.place)
	if acc.parked.Len() == 0 {
		m.parkers.Remove(acc.ring)
		acc.ring = nil
	}
}

// unpark asks for what there is room for, the oldest of each peer first and the
// peers in turn.
func (m *Machine) unpark(now time.Time, out *[]core.Action) {
	m.unparkAt = now.Add(m.cfg.UnparkEvery)
	for left, passed := m.cfg.UnparkBatch, 0; left > 0 && passed < m.parkers.Len(); {
		acc := m.parkers.Front().Value.(*account)
		m.parkers.MoveToBack(acc.ring)
		p := acc.parked.Front().Value.(*parking)
		if acc.bytes+acc.reserved+p.cost > m.cfg.MaxPeerBytes || m.bytes+m.reserved+p.cost > m.cfg.MaxBytes {
			passed++
			continue
		}
		left, passed = left-1, 0
		m.callBack(now, p, out)
	}
}

// callBack asks for a parked object again and keeps its room until it comes.
func (m *Machine) callBack(now time.Time, p *parking, out *[]core.Action) {
	m.leave(p)
	p.due = now.Add(m.cfg.UnparkWithin)
	p.place = m.coming.PushBack(p)
	m.reserve(p, p.cost)
	m.stats.Unparks++
	*out = append(*out, Unpark{p.id, p.acc.peer})
}

func (m *Machine) reserve(p *parking, cost int) {
	p.acc.reserved += cost
	m.reserved += cost
}

// sweepComing drops what did not come again in time.
func (m *Machine) sweepComing(now time.Time) {
	for e := m.coming.Front(); e != nil && !e.Value.(*parking).due.After(now); e = m.coming.Front() {
		m.stats.Dropped++
		m.forgetParked(e.Value.(*parking).id)
	}
}
