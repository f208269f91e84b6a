package infect

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

var start = time.Unix(1_800_000_000, 0)

// simNet is a network of machines in virtual time.
type simNet struct {
	rng   *rand.Rand
	now   time.Time
	queue simQueue
	nodes map[core.PeerID]*simNode
	order []*simNode
	loss  float64 // of messages
	sent  int     // messages

	offers, items, bytes int // offers sent; items sent in a Push or Item; their bytes
}

type simNode struct {
	*Machine
	id    core.PeerID
	store map[ID][]byte
	since time.Time // when it got the last item
	dead  bool      // connected and silent
	wake  time.Time
}

// simEvent is a message on its way, or with kind 0 a tick.
type simEvent struct {
	at       time.Time
	seq      int // of equal times the first comes first
	from, to core.PeerID
	kind     frame.Type
	payload  []byte
}

type simQueue []simEvent

func (q simQueue) Len() int      { return len(q) }
func (q simQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q simQueue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q *simQueue) Push(x any) { *q = append(*q, x.(simEvent)) }
func (q *simQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// newSim connects n machines, each with so many others at least, drawn at random,
// or each with each.
func newSim(n, peers int, seed uint64, cfg Config) *simNet {
	s := &simNet{rng: rand.New(rand.NewPCG(seed, 0)), now: start, nodes: map[core.PeerID]*simNode{}}
	for i := range n {
		node := &simNode{id: core.PeerID(fmt.Sprintf("%05d", i)), store: map[ID][]byte{}}
		held := func(_ core.PeerID, id ID, _ []byte) bool { return node.store[id] != nil }
		node.Machine = New(cfg, held, nil, rand.New(rand.NewPCG(seed, uint64(i+1))))
		s.nodes[node.id] = node
		s.order = append(s.order, node)
	}
	for i, a := range s.order {
		if peers >= n-1 {
			for _, b := range s.order[:i] {
				connect(a, b)
			}
			continue
		}
		for range peers / 2 { // as many draw it
			if b := s.order[s.rng.IntN(n)]; a != b {
				connect(a, b)
			}
		}
	}
	return s
}

func connect(a, b *simNode) {
	a.PeerUp(b.id)
	b.PeerUp(a.id)
}

// do runs one input of a node and what the loop around it does.
func (s *simNet) do(n *simNode, input func(out *[]core.Action)) {
	var out []core.Action
	input(&out)
	for _, a := range out {
		switch a := a.(type) {
		case core.Send:
			s.send(n, a)
		case Check:
			n.store[a.ID], n.since = a.Item, s.now
			s.do(n, func(out *[]core.Action) { _ = n.Gossip(s.now, a.ID, a.Item, out) })
		case Provide:
			s.send(n, core.Send{Peer: a.Peer, Type: TypeItem, Payload: Message{ID: a.ID, Item: n.store[a.ID]}.Append(TypeItem, nil)})
		}
	}
	if d := n.Deadline(); !d.IsZero() && !d.Equal(n.wake) {
		n.wake = d
		s.sent++
		heap.Push(&s.queue, simEvent{at: d, seq: s.sent, to: n.id})
	}
}

func (s *simNet) send(n *simNode, a core.Send) {
	switch a.Type {
	case TypePush, TypeAnnounce:
		s.offers++
	}
	if a.Type == TypePush || a.Type == TypeItem {
		s.items++
		s.bytes += len(a.Payload)
	}
	if s.rng.Float64() < s.loss {
		return
	}
	delay := time.Duration(5+s.rng.IntN(145)) * time.Millisecond
	s.sent++
	heap.Push(&s.queue, simEvent{s.now.Add(delay), s.sent, n.id, a.Peer, a.Type, a.Payload})
}

// run lets everything happen that happens within d.
func (s *simNet) run(d time.Duration) {
	until := s.now.Add(d)
	for len(s.queue) > 0 && !s.queue[0].at.After(until) {
		e := heap.Pop(&s.queue).(simEvent)
		s.now = e.at
		n := s.nodes[e.to]
		switch {
		case n.dead:
		case e.kind == 0:
			s.do(n, func(out *[]core.Action) { n.Tick(s.now, out) })
		default:
			s.do(n, func(out *[]core.Action) { n.Receive(s.now, e.from, e.kind, e.payload, out) })
		}
	}
	s.now = until
}

// gossip lets node 0 spread a new item and says which part of the live nodes holds
// it in the end, and how long the last of them waited for it.
func (s *simNet) gossip(item []byte) (coverage float64, last time.Duration) {
	id := IDOf(item)
	n := s.order[0]
	began := s.now
	n.store[id] = item
	s.do(n, func(out *[]core.Action) { _ = n.Gossip(s.now, id, item, out) })
	s.run(2 * time.Minute)
	have, live := 0, 0
	for _, n := range s.order {
		if n.dead {
			continue
		}
		live++
		if n.store[id] != nil {
			have++
			last = max(last, n.since.Sub(began))
		}
	}
	return float64(have) / float64(live), last
}
