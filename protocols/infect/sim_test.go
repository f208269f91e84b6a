package infect

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

var start = time.Unix(1_800_000_000, 0)

// simNet is a full mesh of machines in virtual time.
type simNet struct {
	rng   *rand.Rand
	now   time.Time
	queue simQueue
	nodes map[core.PeerID]*simNode
	order []*simNode
	loss  float64 // of messages

	offers, items, bytes int // offers sent; items sent in a Push or Item; their bytes
}

type simNode struct {
	*Machine
	id    core.PeerID
	store map[ID][]byte
	dead  bool
	wake  time.Time
}

// simEvent is a message on its way, or with kind 0 a tick.
type simEvent struct {
	at       time.Time
	seq      int // of equal times, the first sent comes first
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

func newSim(n int, seed uint64, cfg Config) *simNet {
	s := &simNet{rng: rand.New(rand.NewPCG(seed, 0)), now: start, nodes: map[core.PeerID]*simNode{}}
	for i := range n {
		node := &simNode{id: core.PeerID(fmt.Sprintf("%05d", i)), store: map[ID][]byte{}}
		held := func(_ core.PeerID, id ID, _ []byte) bool { return node.store[id] != nil }
		node.Machine = New(cfg, held, rand.New(rand.NewPCG(seed, uint64(i+1))))
		s.nodes[node.id] = node
		s.order = append(s.order, node)
	}
	for _, a := range s.order {
		for _, b := range s.order {
			if a != b {
				a.PeerUp(b.id)
			}
		}
	}
	return s
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
			n.store[a.ID] = a.Item
			s.do(n, func(out *[]core.Action) { _ = n.Gossip(s.now, a.ID, a.Item, out) })
		case Provide:
			s.send(n, send(a.Peer, TypeItem, Message{ID: a.ID, Item: n.store[a.ID]}.Append(TypeItem, nil)))
		}
	}
	if d := n.Deadline(); !d.IsZero() && !d.Equal(n.wake) {
		n.wake = d
		heap.Push(&s.queue, simEvent{at: d, to: n.id})
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
	heap.Push(&s.queue, simEvent{s.now.Add(delay), len(s.queue), n.id, a.Peer, a.Type, a.Payload})
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
// it in the end.
func (s *simNet) gossip(item []byte) (coverage float64) {
	id := IDOf(item)
	n := s.order[0]
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
		}
	}
	return float64(have) / float64(live)
}

// The model of Casper's gossip with k = L = 3: how far an item gets, and at what
// cost, is set by S.
func TestCoverageAndCostAreThoseOfTheModel(t *testing.T) {
	for _, tc := range []struct {
		s, attempts int
		coverage    float64 // at least
		offers      float64 // per node, within 10 %; fewer where there are hardly more peers than S
	}{
		{3, 20, 0.98, 4.7},
		{6, 20, 0.997, 7.3},
		{12, 20, 1, 12.3},
		{99, 15, 1, 13.2},
	} {
		for _, n := range []int{20, 100, 1000} {
			t.Run(fmt.Sprintf("S=%d, N=%d", tc.s, n), func(t *testing.T) {
				items := map[int]int{20: 100, 100: 25, 1000: 2}[n]
				cfg := DefaultConfig()
				cfg.Saturate, cfg.MaxAttempts = tc.s, tc.attempts
				sim, sum := newSim(n, 7, cfg), 0.0
				for i := range items {
					sum += sim.gossip([]byte(fmt.Sprint("item ", i)))
				}
				coverage, offers := sum/float64(items), float64(sim.offers)/float64(items*n)
				t.Logf("coverage %.2f %%, %.2f offers per node", 100*coverage, offers)
				if coverage < tc.coverage || n > 20 && offers < 0.9*tc.offers || offers > 1.1*tc.offers {
					t.Errorf("coverage %.4f, want %.4f; %.2f offers per node, want %.1f", coverage, tc.coverage, offers, tc.offers)
				}
			})
		}
	}
}

// A large item is announced to many and sent to each node once.
func TestALargeItemReachesEveryNodeOnce(t *testing.T) {
	const n = 100
	sim := newSim(n, 3, DefaultConfig())
	item := make([]byte, 64<<10)
	if got := sim.gossip(item); got != 1 {
		t.Errorf("coverage %.3f", got)
	}
	if sim.items != n-1 || sim.bytes > (n-1)*(len(item)+64) {
		t.Errorf("%d items in %d bytes, want %d", sim.items, sim.bytes, n-1)
	}
}

// With messages lost and nodes dead without anybody's knowledge, the others still
// get it.
func TestLossAndDeadNodesAreSurvived(t *testing.T) {
	const n = 300
	for name, item := range map[string][]byte{"small": []byte("item"), "large": make([]byte, MaxInline+1)} {
		sim := newSim(n, 5, DefaultConfig())
		sim.loss = 0.05
		for _, n := range sim.order[1:] {
			n.dead = sim.rng.Float64() < 0.2
		}
		if got := sim.gossip(item); got != 1 {
			t.Errorf("%s: coverage %.4f", name, got)
		}
		t.Logf("%s: %.1f offers per node", name, float64(sim.offers)/n)
	}
}

// In the end nothing is left in any table.
func TestTablesAreEmptyInTheEnd(t *testing.T) {
	sim := newSim(30, 1, DefaultConfig())
	for i := range 20 {
		sim.gossip([]byte(fmt.Sprint(i)))
	}
	sim.run(5 * time.Minute)
	for _, n := range sim.order {
		if s := n.Stats(); s.Entries != 0 || s.Pending != 0 || !n.Deadline().IsZero() {
			t.Fatalf("%s: %+v", n.id, s)
		}
	}
}

func BenchmarkGossip100Nodes(b *testing.B) {
	sim, i := newSim(100, 1, DefaultConfig()), 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		sim.gossip([]byte(fmt.Sprint(i)))
	}
	b.ReportMetric(float64(sim.offers)/float64(i*100), "offers/node")
}
