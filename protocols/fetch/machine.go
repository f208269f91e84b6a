package fetch

import (
	"container/heap"
	"errors"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

// Size is how many bytes of an object are held; 0: none. It is called for every
// request and must not do IO.
type Size func(id object.ID) int

// Machine gets objects from peers, and gives them.
type Machine struct {
	cfg      Config
	size     Size
	peers    map[core.PeerID]*peer
	wants    map[object.ID]*want
	requests map[uint64]*request
	timers   timers
	stats    Stats

	wanted    uint64    // wants so far
	started   time.Time // and first is the number before those of all requests since
	first     uint64
	requested uint64 // the number of the last request
	forgotten uint64 // the highest number that was forgotten before its grace was over
	late      int    // requests in their grace
}

// peer is a connected member: as one that we ask, and as one that we serve.
type peer struct {
	id       core.PeerID
	gone     bool
	inFlight int       // requests without an answer and without a Coming
	coming   int       // requests whose answer a Coming announced
	failed   bool      // it let a request time out, and has not answered any since
	since    time.Time // when it answered last, or later, when something was in flight again
	waiting  waiting   // wants that may be asked of it when it has a free place

	serving
}

// numbersPerMs is how many request numbers there are for a millisecond. Chosen far
// above what can be sent, and so that a number takes eight bytes.
const numbersPerMs = 1 << 12

// New makes a machine from a valid configuration. Its request numbers begin with the
// time, so that an answer to a request of before a restart is not taken for another.
func New(cfg Config, size Size, now time.Time) *Machine {
	first := uint64(max(0, now.UnixMilli())) * numbersPerMs
	return &Machine{
		cfg: cfg, size: size, started: now, first: first, requested: first,
		peers: map[core.PeerID]*peer{}, wants: map[object.ID]*want{}, requests: map[uint64]*request{},
	}
}

// PeerUp takes in a new member.
func (m *Machine) PeerUp(id core.PeerID) {
	if m.peers[id] == nil {
		p := &peer{id: id}
		p.serving = newServing(m.cfg, p)
		m.peers[id] = p
	}
}

// PeerDown forgets a member that disconnected. What was asked of it is asked of the
// next at once.
func (m *Machine) PeerDown(now time.Time, id core.PeerID, out *[]core.Action) {
	p := m.peers[id]
	if p == nil {
		return
	}
	delete(m.peers, id)
	p.gone = true
	m.stopServing(p)
	lost := m.abandon(now, p)
	for _, w := range m.wants {
		if w.forget(p) {
			lost = append(lost, w)
		}
	}
	slices.SortFunc(lost, byAge) // maps have no order, and effects must have one
	for _, w := range slices.Compact(lost) {
		m.next(now, w, out)
	}
}

// Receive takes in a message of these protocols from a member.
func (m *Machine) Receive(now time.Time, from core.PeerID, protocol string, kind frame.Type, payload []byte, out *[]core.Action) {
	p := m.peers[from]
	if p == nil {
		return
	}
	if protocol == BulkProtocol && kind != TypeAnswer {
		m.blame(from, OffenceMalformed, "only answers travel on "+BulkProtocol, out)
		return
	}
	msg, err := Parse(kind, payload)
	switch {
	case errors.Is(err, ErrOversized):
		m.blame(from, OffenceOversized, err.Error(), out)
	case err != nil:
		m.blame(from, OffenceMalformed, err.Error(), out)
	case kind == TypeRequest:
		m.onRequest(now, p, msg, out)
	case kind == TypeAnswer:
		m.onAnswer(now, p, msg, out)
	case kind == TypeComing:
		m.onComing(now, p, msg, out)
	}
}

// ownPause is how late a tick may be. Later than that we were stopped or starved
// ourselves, and answers may wait in our own queue. Chosen well above scheduling
// delays and well below AnswerWithin.
const ownPause = time.Second

// Tick does what is due: requests without an answer, objects that nobody checked,
// and requests of others that were put off.
func (m *Machine) Tick(now time.Time, out *[]core.Action) {
	if due := m.timers.first(); !due.IsZero() && now.Sub(due) > ownPause {
		m.excuse(now)
	}
	for t := m.timers.pop(now); t != nil; t = m.timers.pop(now) {
		switch of := t.of.(type) {
		case *request:
			m.overdue(now, of, out)
		case *want:
			m.exhaust(of, out) // its object was neither accepted nor found wrong: others have no better one
		case *job:
			m.unloaded(now, of, out)
		case *peer:
			m.serve(now, of, out)
		}
	}
}

// excuse gives everything its time anew, as we were away ourselves.
func (m *Machine) excuse(now time.Time) {
	m.stats.Pauses++
	for _, t := range m.timers.heap {
		var more time.Duration
		switch of := t.of.(type) {
		case *request:
			more = m.cfg.AnswerWithin
			if of.late {
				more = m.cfg.Grace
			}
		case *want:
			more = m.cfg.CheckWithin
		case *job:
			more = m.cfg.LoadWithin
		case *peer:
			continue
		}
		if due := now.Add(more); due.After(t.due) {
			t.due = due
		}
	}
	heap.Init(&m.timers.heap)
}

// Deadline is when Tick has something to do.
func (m *Machine) Deadline() time.Time { return m.timers.first() }

// Stats returns the counters and gauges.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Open, s.Late, s.Peers = len(m.wants), m.late, len(m.peers)
	s.InFlight = len(m.requests) - m.late
	for _, p := range m.peers {
		s.Serving += len(p.jobs)
	}
	for _, w := range m.wants {
		if w.state() == waits {
			s.Waiting++
		}
	}
	return s
}
