package infect

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// ErrFull means that the table has no room for an item of our own.
var ErrFull = errors.New("too many items are being gossiped: try again in a few seconds")

// Held says whether an item that is not in the table is here all the same: booked,
// stored, or older than what is. item is nil when it was only announced. It is
// called for every offer of an unknown item and must not do IO.
type Held func(from core.PeerID, id ID, item []byte) bool

// May says whether a member may be offered an item at all, for items that are of
// interest to some only. It is called for every peer that is drawn and must not do
// IO.
type May func(peer core.PeerID, id ID) bool

// Machine spreads items of one kind.
type Machine struct {
	cfg   Config
	held  Held
	may   May
	rng   *rand.Rand
	table table
	peers []core.PeerID // connected members, in the order of the last draws
	stats Stats

	// mayBring are the new items that each member may bring. Without that one could
	// have everybody pass on, to a dozen others each, whatever it can sign.
	mayBring map[core.PeerID]*core.Bucket
}

// New makes a machine from a valid configuration. Without may every member may be
// offered every item.
func New(cfg Config, held Held, may May, rng *rand.Rand) *Machine {
	if may == nil {
		may = func(core.PeerID, ID) bool { return true }
	}
	return &Machine{cfg: cfg, held: held, may: may, rng: rng, table: newTable(), mayBring: map[core.PeerID]*core.Bucket{}}
}

// PeerUp takes in a new member.
func (m *Machine) PeerUp(peer core.PeerID) {
	if m.mayBring[peer] == nil {
		m.mayBring[peer] = &core.Bucket{PerSecond: float64(m.cfg.NewPerSecond), Most: float64(m.cfg.NewBurst)}
		m.peers = append(m.peers, peer)
	}
}

// PeerDown forgets a member that disconnected. Offers to it count as timed out,
// and items asked of it are asked of others.
func (m *Machine) PeerDown(now time.Time, peer core.PeerID, out *[]core.Action) {
	if m.mayBring[peer] == nil {
		return
	}
	delete(m.mayBring, peer)
	m.peers = slices.DeleteFunc(m.peers, func(p core.PeerID) bool { return p == peer })
	for _, e := range slices.Clone(m.table.schedule) {
		e.askable = slices.DeleteFunc(e.askable, func(p core.PeerID) bool { return p == peer })
		switch {
		case e.state == wanted && e.closes(peer):
			if e.last() == peer || len(e.open) == 0 {
				m.askNext(now, e, out)
			}
		case e.state == spreading && e.landed(peer):
			m.stats.TimedOut++
			m.spread(now, e, out)
		}
	}
}

// Gossip spreads an item that is valid and held here: one of our own, or one that
// Check handed over. A small item comes along; without it, it is announced, and
// the loop answers Provide. What was finished a short time ago is not spread again.
func (m *Machine) Gossip(now time.Time, id ID, item []byte, out *[]core.Action) error {
	e := m.table.entries[id]
	switch {
	case e == nil:
		if !m.makeRoom() {
			return ErrFull
		}
		e = &entry{id: id, state: spreading}
		m.table.add(e, now)
	case e.state == lost: // it was had in another way
		m.table.forget(e)
		return m.Gossip(now, id, item, out)
	case e.state >= spreading:
		return nil
	}
	if len(item) > 0 && len(item) <= MaxInline {
		e.push = Message{Item: item}.Append(TypePush, nil) // one copy for all offers; it may be a small part of a large message
		e.item = e.push[len(e.push)-len(item):]
	}
	e.offered = make(map[core.PeerID]uint8, m.cfg.Targets)
	m.table.become(e, spreading)
	m.stats.Spread++
	m.spread(now, e, out)
	return nil
}

// Reject ends an item that is invalid for everybody, whose bytes are those that the
// ID names. Who offers it in the next minute is blamed without another check.
func (m *Machine) Reject(now time.Time, id ID) {
	if e := m.table.entries[id]; e != nil && e.state < spreading {
		m.stats.Rejected++
		m.table.finish(e, rejected, now.Add(m.cfg.KeepFinished))
	}
}

// Drop ends an item that is of no use here and nobody's fault: it came in another
// way meanwhile, or is outdated. Who offers it is told that it is known.
func (m *Machine) Drop(now time.Time, id ID) {
	if e := m.table.entries[id]; e != nil && e.state < spreading {
		m.stats.Dropped++
		m.table.finish(e, finished, now.Add(m.cfg.KeepFinished))
	}
}

// Retry turns to another peer that announced an item, because the bytes that came
// are not those that the ID names. Nothing is known of the item itself then: who
// offers it is not to be blamed.
func (m *Machine) Retry(now time.Time, id ID, out *[]core.Action) {
	if e := m.table.entries[id]; e != nil && e.state == checking {
		m.table.become(e, wanted)
		m.askNext(now, e, out)
	}
}

// Receive takes in a message of this protocol from a member.
func (m *Machine) Receive(now time.Time, from core.PeerID, kind frame.Type, payload []byte, out *[]core.Action) {
	if m.mayBring[from] == nil {
		return
	}
	msg, err := Parse(kind, payload)
	if err == nil && len(msg.Item) > m.cfg.MaxItem {
		err = fmt.Errorf("%w: an item of %d bytes, at most %d", ErrMalformed, len(msg.Item), m.cfg.MaxItem)
	}
	if err != nil {
		m.blame(from, OffenceMalformed, err.Error(), out)
		return
	}
	switch kind {
	case TypePush, TypeAnnounce:
		m.onOffer(now, from, msg, out)
	case TypeAnswer:
		m.onAnswer(now, from, msg, out)
	case TypeGet:
		m.onGet(now, from, msg.ID, out)
	case TypeItem:
		m.onItem(now, from, msg, out)
	}
}

// Tick does what is due: offers without an answer, items that did not come or were
// not accepted, and finished ones to be forgotten.
func (m *Machine) Tick(now time.Time, out *[]core.Action) {
	for len(m.table.schedule) > 0 && !m.table.schedule[0].due.After(now) {
		m.overdue(now, m.table.schedule[0], out)
	}
	for e := m.table.oldest(); e != nil && !e.due.After(now); e = m.table.oldest() {
		m.table.forget(e)
	}
}

// ownPause is how late a tick may be. Later than that we were stopped or starved
// ourselves, and an item that was asked for may wait in our own queue. Chosen well
// above scheduling delays and well below ItemWithin.
const ownPause = time.Second

func (m *Machine) overdue(now time.Time, e *entry, out *[]core.Action) {
	switch e.state {
	case wanted:
		m.notGiven(now, e, out)
	case checking:
		m.stats.Expired++
		m.table.forget(e)
	case spreading:
		for len(e.flights) > 0 && !e.flights[0].due.After(now) {
			m.stats.TimedOut++
			e.flights = e.flights[1:]
		}
		m.spread(now, e, out)
	}
}

// Deadline is when Tick has something to do.
func (m *Machine) Deadline() (next time.Time) {
	if len(m.table.schedule) > 0 {
		next = m.table.schedule[0].due
	}
	if e := m.table.oldest(); e != nil {
		next = core.Earliest(next, e.due)
	}
	return next
}

// makeRoom forgets a finished entry when the table is full; false: there is none.
func (m *Machine) makeRoom() bool {
	if len(m.table.entries) < m.cfg.MaxEntries {
		return true
	}
	e := m.table.oldest()
	if e == nil {
		return false
	}
	m.table.forget(e)
	return true
}

func (m *Machine) blame(peer core.PeerID, f core.Offence, detail string, out *[]core.Action) {
	m.stats.Faults++
	*out = append(*out, core.Penalize{Peer: peer, Offence: f, Detail: detail})
}

// Stats returns counters and gauges.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Entries, s.Finished, s.Peers = len(m.table.entries), m.table.finished.Len(), len(m.peers)
	for _, n := range m.table.pending {
		s.Pending += n
	}
	return s
}
