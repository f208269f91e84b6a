package infect

import (
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// onOffer takes in an item, or the announcement of one, and answers whether it was
// known.
func (m *Machine) onOffer(now time.Time, from core.PeerID, msg Message, out *[]core.Action) {
	if e := m.table.entries[msg.ID]; e != nil && e.state != lost {
		m.onKnown(now, from, e, msg, out)
		return
	} else if e != nil {
		m.table.forget(e) // another chance
	}
	if m.held(from, msg.ID, msg.Item) {
		m.stats.Repeated++
		m.send(from, TypeAnswer, Message{ID: msg.ID, Status: StatusAlready}, out)
		return
	}
	if m.table.pending[from] >= m.cfg.MaxPending || !m.mayBring[from].Take(now) || !m.makeRoom() {
		m.stats.NoRoom++
		m.send(from, TypeAnswer, Message{ID: msg.ID, Status: StatusRefused}, out)
		return
	}
	m.stats.Received++
	e := &entry{id: msg.ID, state: wanted, from: from}
	m.table.add(e, now)
	e.holders[from] = struct{}{}
	if msg.Item == nil {
		m.ask(now, e, from, out)
		return
	}
	m.send(from, TypeAnswer, Message{ID: msg.ID, Status: StatusNew}, out)
	m.check(now, e, from, msg.Item, out)
}

// onKnown answers the offer of an item that is in the table.
func (m *Machine) onKnown(now time.Time, from core.PeerID, e *entry, msg Message, out *[]core.Action) {
	m.stats.Repeated++
	m.send(from, TypeAnswer, Message{ID: msg.ID, Status: StatusAlready}, out)
	if e.state == rejected {
		m.blame(from, OffenceRejected, "it offers "+e.id.String()+", which is invalid", out)
		return
	}
	if e.holders == nil { // finished
		return
	}
	_, before := e.holders[from]
	e.holders[from] = struct{}{}
	switch {
	case e.state != wanted:
	case msg.Item != nil:
		m.check(now, e, from, msg.Item, out)
	case !before:
		e.askable = append(e.askable, from)
		if !now.Before(e.askedAt.Add(m.cfg.ItemWithin)) { // it is the one that was waited for
			m.askNext(now, e, out)
		}
	}
}

// onItem takes in an item that was asked for, also when another peer is asked for it
// by now. One that comes when another gave it, or when all hope was given up, is
// dropped without blame.
func (m *Machine) onItem(now time.Time, from core.PeerID, msg Message, out *[]core.Action) {
	e := m.table.entries[msg.ID]
	switch {
	case e != nil && e.state == wanted && e.closes(from):
		m.check(now, e, from, msg.Item, out)
	case e == nil || !slices.Contains(e.asked, from):
		m.blame(from, OffenceUnsolicited, "it sends "+msg.ID.String(), out)
	}
}

// notGiven asks another peer for an item that did not come in time. Who was asked
// may still give it.
func (m *Machine) notGiven(now time.Time, e *entry, out *[]core.Action) {
	if now.Sub(e.due) > ownPause {
		e.askedAt = now
		m.table.reschedule(e, now.Add(m.cfg.ItemWithin))
		return
	}
	first := e.due.Equal(e.askedAt.Add(m.cfg.ItemWithin))
	if m.cfg.BlameSilence && first && slices.Contains(e.open, e.last()) {
		m.blame(e.last(), OffenceWithheld, "it announced "+e.id.String()+" and did not give it", out)
	}
	m.askNext(now, e, out)
}

// ask asks one peer for an item. A Get says at the same time that the item is new.
func (m *Machine) ask(now time.Time, e *entry, peer core.PeerID, out *[]core.Action) {
	e.asked, e.open, e.askedAt = append(e.asked, peer), append(e.open, peer), now
	m.table.reschedule(e, now.Add(m.cfg.ItemWithin))
	m.send(peer, TypeGet, Message{ID: e.id}, out)
}

// askNext turns to another peer that announced the item. When nobody is left it
// waits for those who were asked before, and in the end gives up.
func (m *Machine) askNext(now time.Time, e *entry, out *[]core.Action) {
	end := e.askedAt.Add(m.cfg.LostWithin)
	switch {
	case len(e.askable) > 0:
		next := e.askable[0]
		e.askable = e.askable[1:]
		m.ask(now, e, next, out)
	case len(e.open) > 0 && now.Before(end):
		m.table.reschedule(e, end)
	default:
		m.stats.Lost++
		m.table.finish(e, lost, now.Add(m.cfg.KeepFinished))
		*out = append(*out, Lost{e.id})
	}
}

// check pauses the gossip of an item until it is accepted.
func (m *Machine) check(now time.Time, e *entry, from core.PeerID, item []byte, out *[]core.Action) {
	m.table.become(e, checking)
	m.table.reschedule(e, now.Add(m.cfg.CheckWithin))
	*out = append(*out, Check{e.id, from, item})
}
