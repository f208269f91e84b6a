package catchup

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

// Log is what the machine has to know of the objects that are held here: also of
// those that were pruned or anchored. It is called for each question and must not do
// IO.
type Log interface {
	// Recent calls each with the ID of every object of a topic that landed here at
	// since or later, the newest first, until it returns false.
	Recent(topic string, since time.Time, each func(object.ID) bool)
	// Horizon is the landing time from which on objects of a topic are wanted: those
	// before are no longer kept. Zero: all are wanted.
	Horizon(topic string) time.Time
}

// Machine finds out which object topics each peer carries, and what we lack of ours.
type Machine struct {
	cfg    Config
	log    Log
	rng    *rand.Rand
	topics map[string]*topic // ours, at most MaxTopics
	order  []*topic          // the same by name, so that a run repeats from its seed
	peers  map[core.PeerID]*peer
	ranks  []*peer // the same in the order of their joining

	requests uint64 // so far
	stats    Stats

	due   time.Time // of whatever is next,
	stale bool      // unless something has changed
}

// peer is a member, as one who is asked and who asks.
type peer struct {
	id      core.PeerID
	carries map[string]struct{} // its topics, at most MaxTopics
	marks   map[string]marks    // by topics of ours, at most MaxTopics

	pulls    []*pull     // what is being asked of it, in turns
	open     *pull       // the one whose answer is awaited
	answerBy time.Time   // of open
	late     int         // questions that were given up: the answer may be on its way
	mayAsk   core.Bucket // our questions
	askAt    time.Time   // when there is a token for the next; zero: nothing to ask

	mayTell core.Bucket // its messages
	steps   core.Bucket // that its questions may cost. One may overdraw it, so that its cost need not be known before
	list    *List       // its question that is to be answered; nil: none
	listAt  time.Time   // when there are steps for it; zero: it is with the composer
}

// New makes a machine from a valid configuration. Salts are drawn from rng, so on a
// real network its source must be unpredictable.
func New(cfg Config, log Log, rng *rand.Rand) *Machine {
	return &Machine{cfg: cfg, log: log, rng: rng, topics: map[string]*topic{}, peers: map[core.PeerID]*peer{}}
}

// PeerUp takes in a new member, and tells it what we carry.
func (m *Machine) PeerUp(id core.PeerID, out *[]core.Action) {
	if m.peers[id] != nil {
		return
	}
	p := &peer{
		id: id, marks: map[string]marks{},
		mayAsk:  core.Bucket{PerSecond: float64(m.cfg.AskPerSecond), Most: float64(m.cfg.AskBurst)},
		mayTell: core.Bucket{PerSecond: float64(m.cfg.TellPerSecond), Most: float64(m.cfg.TellBurst)},
		steps:   core.Bucket{PerSecond: float64(m.cfg.StepsPerSecond), Most: float64(m.cfg.StepBurst)},
	}
	m.peers[id] = p
	m.ranks = append(m.ranks, p)
	if len(m.order) > 0 {
		m.send(id, TypeTopics, m.ours().Append(nil), out)
	}
}

// PeerDown forgets a member that disconnected. What was asked of it on joining is
// asked of another.
func (m *Machine) PeerDown(now time.Time, id core.PeerID, out *[]core.Action) {
	p := m.peers[id]
	if p == nil {
		return
	}
	m.carry(now, p, nil)
	delete(m.peers, id)
	m.ranks = slices.DeleteFunc(m.ranks, func(q *peer) bool { return q == p })
	m.Tick(now, out)
}

// SetTopics replaces the object topics that we carry, and tells everybody. Names that
// break a bound are refused with ErrTopics, and then nothing changes.
func (m *Machine) SetTopics(now time.Time, names []string, out *[]core.Action) error {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if len(names) > MaxTopics {
		return fmt.Errorf("%w: %d, carry at most %d", ErrTopics, len(names), MaxTopics)
	}
	for _, name := range names {
		if err := checkTopic(name); err != nil {
			return err
		}
	}
	if slices.EqualFunc(m.order, names, func(t *topic, name string) bool { return t.name == name }) {
		return nil
	}
	m.replaceTopics(now, names)
	told := m.ours().Append(nil)
	for _, p := range m.ranks {
		m.send(p.id, TypeTopics, told, out)
	}
	m.Tick(now, out)
	return nil
}

func (m *Machine) ours() (all Topics) {
	for _, t := range m.order {
		all.Names = append(all.Names, t.name)
	}
	return all
}

// Carries says whether a peer carries an object topic.
func (m *Machine) Carries(id core.PeerID, topic string) bool {
	p := m.peers[id]
	if p == nil {
		return false
	}
	_, carries := p.carries[topic]
	return carries
}

// Carriers are the peers that carry an object topic, in the order of their joining.
func (m *Machine) Carriers(topic string) (all []core.PeerID) {
	for _, p := range m.ranks {
		if _, carries := p.carries[topic]; carries {
			all = append(all, p.id)
		}
	}
	return all
}

// Receive takes in a message of this protocol from a member.
func (m *Machine) Receive(now time.Time, from core.PeerID, kind frame.Type, payload []byte, out *[]core.Action) {
	p := m.peers[from]
	if p == nil {
		return
	}
	if kind != TypeRecent && !p.mayTell.Take(now) { // a page is paid for by our question
		m.blame(from, OffenceTooMany, "it sends more messages than allowed", out)
		return
	}
	var err error
	switch kind {
	case TypeTopics:
		err = m.onTopics(now, p, payload, out)
	case TypeGetRecent:
		err = m.onGetRecent(now, p, payload, out)
	case TypeRecent:
		err = m.onRecent(now, p, payload, out)
	default:
		err = fmt.Errorf("%w: type %d", ErrMalformed, kind)
	}
	if err != nil {
		m.blame(from, faultOf(err), err.Error(), out)
	}
}

func faultOf(err error) core.Offence {
	switch {
	case errors.Is(err, errUnsolicited):
		return OffenceUnsolicited
	case errors.Is(err, ErrTopics):
		return OffenceTopics
	}
	return OffenceMalformed
}

// onTopics takes in what a peer carries.
func (m *Machine) onTopics(now time.Time, p *peer, payload []byte, out *[]core.Action) error {
	told, err := ParseTopics(payload)
	if err != nil {
		return err
	}
	m.carry(now, p, told.Names)
	m.Tick(now, out)
	return nil
}

// Tick does what is due: gives up on late answers, begins pulls, and asks what had
// to wait for its turn.
func (m *Machine) Tick(now time.Time, out *[]core.Action) {
	m.stale = true
	for _, p := range m.ranks {
		if p.open != nil && !p.answerBy.After(now) {
			m.stats.TimedOut++
			m.abandon(now, p, p.open)
		}
	}
	for _, t := range m.order {
		m.begin(now, t)
	}
	for _, p := range m.ranks {
		m.ask(now, p, out)
		m.handOver(now, p, out)
	}
}

// Deadline is when Tick has something to do.
func (m *Machine) Deadline() time.Time {
	if !m.stale {
		return m.due
	}
	m.due, m.stale = time.Time{}, false
	for _, t := range m.order {
		m.due = core.Earliest(core.Earliest(m.due, t.askAt), t.deepAt)
	}
	for _, p := range m.ranks {
		next := p.askAt
		if p.open != nil {
			next = p.answerBy
		}
		m.due = core.Earliest(core.Earliest(m.due, next), p.listAt)
	}
	return m.due
}

// Stats returns counters and gauges.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Peers, s.Topics = len(m.ranks), len(m.order)
	for _, p := range m.ranks {
		s.Pulls += len(p.pulls)
	}
	for _, t := range m.order {
		if t.carriers == 0 {
			s.Alone++
		}
	}
	return s
}
