package simtest

import (
	"cmp"
	"hash/fnv"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dissemination"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

// toyMesh stands for gossipsub: it pushes to a few neighbours what is new and accepted,
// and knows nothing of who lacks what. There are no IHAVEs.
type toyMesh struct {
	k       *keeper
	peers   []core.PeerID // in an order that both ends of a connection like alike
	seen    map[object.ID]time.Duration
	sent    map[object.ID]bool
	judging int
}

const (
	meshProtocol  = "mesh"
	meshDegree    = 6               // gossipsub: D
	meshSeen      = 2 * time.Minute // gossipsub: time cache
	meshInspected = 5 * time.Millisecond
)

// ticket is a message that is being judged.
type ticket struct {
	mesh  *toyMesh
	topic string
	from  core.PeerID
	bytes []byte
}

func (m *toyMesh) up(p core.PeerID) {
	m.peers = append(m.peers, p)
	slices.SortFunc(m.peers, func(a, b core.PeerID) int {
		return cmp.Or(cmp.Compare(m.liking(a), m.liking(b)), cmp.Compare(a, b))
	})
}

func (m *toyMesh) down(p core.PeerID) {
	m.peers = slices.DeleteFunc(m.peers, func(q core.PeerID) bool { return q == p })
}

func (m *toyMesh) liking(p core.PeerID) uint64 {
	h := fnv.New64a()
	a, b := m.k.ID(), p
	h.Write([]byte(min(a, b)))
	h.Write([]byte(max(a, b)))
	return h.Sum64()
}

// receive takes in what a neighbour pushes. What is over the limit is dropped, and not
// taken again.
func (m *toyMesh) receive(ev core.Received) {
	id := object.IDOf(ev.Payload)
	if at, seen := m.seen[id]; seen && m.k.sim.now-at < meshSeen {
		return
	}
	m.seen[id] = m.k.sim.now
	topic := m.k.a.topics[ev.Type-1].Name
	if m.judging >= m.k.a.meshQueue {
		m.k.Command(dissemination.Missed{Peer: ev.Peer, Topic: topic, ID: id})
		return
	}
	m.judging++
	t := &ticket{mesh: m, topic: topic, from: ev.Peer, bytes: ev.Payload}
	m.k.Host.then(meshInspected, func() {
		p, err := dissemination.Inspect(objectsNetwork, id, t.bytes)
		m.k.Command(dissemination.Offered{Ticket: t, Peer: t.from, Topic: t.topic, Parcel: p, Fault: err})
	})
}

func (m *toyMesh) rule(r dissemination.Rule) {
	t := r.Ticket.(*ticket)
	if t.mesh != m {
		return // of an earlier life
	}
	m.judging--
	if r.Verdict == dissemination.Accept {
		m.push(t.topic, t.bytes, t.from)
	}
}

// publish pushes what is valid, whether it was seen before or not.
func (m *toyMesh) publish(topic string, b []byte) {
	m.seen[object.IDOf(b)] = m.k.sim.now
	m.push(topic, b, "")
}

func (m *toyMesh) push(topic string, b []byte, from core.PeerID) {
	if id := object.IDOf(b); !m.sent[id] {
		m.sent[id] = true
		for _, p := range m.peers[:min(meshDegree, len(m.peers))] {
			if p != from {
				m.k.Host.Send(core.Send{Peer: p, Protocol: meshProtocol, Type: m.k.a.number(topic), Payload: b})
			}
		}
	}
}

// number is what stands for a topic in the toy mesh's messages.
func (a *archive) number(topic string) frame.Type {
	at := slices.IndexFunc(a.topics, func(t dissemination.Topic) bool { return t.Name == topic })
	return frame.Type(at + 1)
}
