package infect

import (
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// spread offers an item to as many peers as there are places: Targets, less those
// infected and those whose answer is open. So a peer that had it already, or did
// not answer, is replaced by another, and one that was infected is not.
func (m *Machine) spread(now time.Time, e *entry, out *[]core.Action) {
	if ended := m.enough(e); ended != nil {
		*ended++
		m.table.finish(e, finished, now.Add(m.cfg.KeepFinished))
		return
	}
	places := m.cfg.Targets - e.infected - len(e.flights)
	places = min(places, m.cfg.MaxAttempts-len(e.offered))
	for range places {
		peer, any := m.draw(e)
		if !any {
			break
		}
		m.offer(now, e, peer, out)
	}
	if len(e.flights) == 0 { // fewer peers than places, and all have answered
		m.stats.ByPeers++
		m.table.finish(e, finished, now.Add(m.cfg.KeepFinished))
		return
	}
	m.table.reschedule(e, e.flights[0].due)
}

// enough returns the counter of the reason why an item is spread no further; nil:
// there is none.
func (m *Machine) enough(e *entry) *uint64 {
	switch {
	case e.infected >= m.cfg.Infect:
		return &m.stats.ByInfection
	case e.already >= m.cfg.Saturate:
		return &m.stats.BySaturation
	case len(e.offered) >= m.cfg.MaxAttempts && len(e.flights) == 0:
		return &m.stats.ByAttempts
	}
	return nil
}

// draw picks a random peer that may be offered the item and does not hold it as far
// as we know. It is the shuffle of Fisher and Yates, as far as it is needed.
func (m *Machine) draw(e *entry) (core.PeerID, bool) {
	for i := range m.peers {
		j := i + m.rng.IntN(len(m.peers)-i)
		m.peers[i], m.peers[j] = m.peers[j], m.peers[i]
		if _, holds := e.holders[m.peers[i]]; !holds && m.may(m.peers[i], e.id) {
			return m.peers[i], true
		}
	}
	return "", false
}

func (m *Machine) offer(now time.Time, e *entry, peer core.PeerID, out *[]core.Action) {
	m.stats.Offers++
	e.holders[peer] = struct{}{} // whatever it answers, it is not asked twice
	e.offered[peer] = 0
	e.flights = append(e.flights, flight{peer, now.Add(m.cfg.AnswerWithin)})
	if e.item != nil {
		m.sendPayload(peer, TypePush, e.push, out)
		return
	}
	m.send(peer, TypeAnnounce, Message{ID: e.id}, out)
}

// landed ends the offer to a peer, if one is open.
func (e *entry) landed(peer core.PeerID) bool {
	at := slices.IndexFunc(e.flights, func(f flight) bool { return f.peer == peer })
	if at < 0 {
		return false
	}
	e.flights = slices.Delete(e.flights, at, at+1)
	return true
}

// onAnswer counts what a peer had.
func (m *Machine) onAnswer(now time.Time, from core.PeerID, msg Message, out *[]core.Action) {
	e := m.table.entries[msg.ID]
	if e == nil {
		return // an answer so late that the item is forgotten
	}
	if _, offered := e.offered[from]; !offered {
		m.blame(from, OffenceUnsolicited, "an answer about "+msg.ID.String(), out)
		return
	}
	if e.state == spreading && e.landed(from) {
		m.count(e, msg.Status)
		m.spread(now, e, out)
	}
}

func (m *Machine) count(e *entry, s Status) {
	switch s {
	case StatusNew:
		e.infected++
		m.stats.Infected++
	case StatusAlready:
		e.already++
		m.stats.Already++
	case StatusRefused:
		m.stats.Refused++
	}
}

// maxGets is how often a peer may ask for an item that it was offered. Chosen so
// that an item that was lost on the way can be had again.
const maxGets = 2

// onGet gives an item to a peer that it was offered to.
func (m *Machine) onGet(now time.Time, from core.PeerID, id ID, out *[]core.Action) {
	e := m.table.entries[id]
	if e == nil {
		return // forgotten: who asks will turn to another
	}
	gets, offered := e.offered[from]
	if !offered || gets == maxGets {
		m.blame(from, OffenceUnsolicited, "it asks for "+id.String(), out)
		return
	}
	e.offered[from]++
	if e.item != nil {
		m.send(from, TypeItem, Message{ID: id, Item: e.item}, out)
	} else {
		*out = append(*out, Provide{from, id})
	}
	if e.state == spreading && e.landed(from) {
		m.count(e, StatusNew)
		m.spread(now, e, out)
	}
}

func (m *Machine) send(to core.PeerID, kind frame.Type, msg Message, out *[]core.Action) {
	m.sendPayload(to, kind, msg.Append(kind, nil), out)
}

func (m *Machine) sendPayload(to core.PeerID, kind frame.Type, payload []byte, out *[]core.Action) {
	*out = append(*out, core.Send{Peer: to, Protocol: m.cfg.Protocol, Type: kind, Payload: payload})
}
