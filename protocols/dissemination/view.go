package dissemination

import (
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/broadcast"
	"github.com/weftnet/weft/protocols/catchup"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/fetch"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/object"
	"github.com/weftnet/weft/protocols/pending"
)

// Stats are counters since the start and, at the end, gauges.
type Stats struct {
	Accepted     uint64 // held, and delivered
	Repeated     uint64 // came again
	Paused       uint64 // had to wait for dependencies
	Expired      uint64 // waited too long
	Invalid      uint64
	Unauthorised uint64
	Ignored      uint64 // by the application
	Unjudged     uint64 // the application was too slow
	NoRoom       uint64 // the disk was too slow
	Missed       uint64 // dropped unseen by pubsub
	NotPassed    uint64 // the gossip had no room
	Fetched      uint64
	Served       uint64
	Pruned       uint64
	Faults       uint64 // of peers

	Judging, Unsaved int // objects, bytes

	Pending   pending.Stats
	Fetch     fetch.Stats
	Catchup   catchup.Stats
	Infect    infect.Stats
	Broadcast broadcast.Stats
}

// Stats returns counters and gauges.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Judging, s.Unsaved = len(m.judging), m.unsaved
	s.Pending, s.Fetch, s.Catchup = m.pending.Stats(), m.fetch.Stats(), m.catchup.Stats()
	s.Infect, s.Broadcast = m.gossip.Stats(), m.broadcast.Stats()
	return s
}

// State is what the node knows of an object.
type State uint8

// The states.
const (
	Unknown State = iota
	Held
	Pruned  // or an anchor: it counts as held, and its bytes are not here
	Paused  // it waits for dependencies
	Parked  // it waits, and there was no room for its bytes
	Judging // it waits for the application
	Invalid
	Missing // others wait for it
)

var states = [...]string{"unknown", "held", "pruned", "paused", "parked", "judging", "invalid", "missing"}

func (s State) String() string { return states[s] }

// ObjectState is what the node knows of an object.
type ObjectState struct {
	ID      object.ID
	State   State
	Topic   string        // empty when it is not known
	Seq     uint64        // Held: in the topic's log
	Size    int           // Held: bytes
	Landed  time.Time     // Held
	Missing []object.ID   // Paused: what it waits for
	From    []core.PeerID // Paused: who sent it
}

// Object returns what is known of an object.
func (m *Machine) Object(now time.Time, id object.ID) ObjectState {
	s := ObjectState{ID: id}
	if p := m.held[id]; p.log != nil {
		return m.heldState(s, p)
	}
	switch it := m.judging[id]; {
	case it != nil:
		s.State, s.Topic, s.Size, s.From = Judging, it.log.Name, len(it.Bytes), []core.PeerID{it.from}
	case m.condemned.has(now, id):
		s.State = Invalid
	default:
		m.pausedState(&s)
	}
	return s
}

func (m *Machine) pausedState(s *ObjectState) {
	v := m.pending.State(s.ID)
	if v.Sender != "" {
		s.From = []core.PeerID{v.Sender}
	}
	switch v.State {
	case pending.StateWaiting:
		s.State, s.Missing = Paused, v.Missing
	case pending.StateParked:
		s.State = Parked
	case pending.StateMissing:
		s.State = Missing
	}
}

func (m *Machine) heldState(s ObjectState, p place) ObjectState {
	s.Topic, s.State = p.log.Name, Pruned
	if e, whole := p.entry(); whole {
		s.State, s.Seq, s.Size, s.Landed = Held, e.Seq, e.Size, e.Landed
	}
	return s
}

// TopicState is what the node holds of a topic.
type TopicState struct {
	Topic
	Objects  int
	Bytes    int64
	Pruned   int
	First    uint64 // sequence numbers of what is held; zero: nothing
	Last     uint64
	Carriers int // members that carry it, too
	Judging  int
}

// Topics are the topics, by name.
func (m *Machine) Topics(time.Time) []TopicState {
	var all []TopicState
	for _, name := range m.names() {
		l := m.topics[name]
		s := TopicState{
			Topic: l.Topic, Objects: len(l.entries), Bytes: l.bytes, Pruned: len(l.pruned),
			Last: l.next - 1, Carriers: len(m.catchup.Carriers(name)),
		}
		if len(l.entries) > 0 {
			s.First = l.entries[0].Seq
		}
		for _, it := range m.judging {
			if it.log == l {
				s.Judging++
			}
		}
		all = append(all, s)
	}
	return all
}

// Has says whether a topic is carried.
func (m *Machine) Has(topic string) bool { return m.topics[topic] != nil }

// ClassOf is the class of a topic; "" when it is not carried.
func (m *Machine) ClassOf(topic string) string {
	if l := m.topics[topic]; l != nil {
		return l.Class.String()
	}
	return ""
}

// List returns up to most entries of a topic's log after a sequence number.
func (m *Machine) List(topic string, after uint64, most int) []Entry {
	l := m.topics[topic]
	if l == nil {
		return nil
	}
	rest := l.entries[l.from(after):]
	return slices.Clone(rest[:min(most, len(rest))])
}

// PrunedTo is the number up to which a topic's log is pruned since the start.
func (m *Machine) PrunedTo(topic string) uint64 {
	if l := m.topics[topic]; l != nil {
		return l.prunedTo
	}
	return 0
}

// Failed is why nothing can be kept; nil: all is well.
func (m *Machine) Failed() error { return m.failed }
