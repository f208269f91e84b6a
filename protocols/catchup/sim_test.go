package catchup

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

// simNet is a mesh of machines in virtual time, whose links can be cut. Objects go
// round within reach at once; what was missed comes by catching up alone.
type simNet struct {
	rng   *rand.Rand
	now   time.Time
	seq   int
	queue simQueue
	nodes []*simNode
	byID  map[core.PeerID]*simNode
	loss  float64 // of objects on their way to each node
	drop  float64 // of questions and pages

	questions, pages, bytes, fetched int
}

type simNode struct {
	*Machine
	*shelf
	id    core.PeerID
	links map[*simNode]bool
	wake  time.Time
}

// simEvent is something that happens at a time; of equal times, the first entered
// comes first.
type simEvent struct {
	at  time.Time
	seq int
	do  func()
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
	s := &simNet{rng: seeded(seed), now: start, byID: map[core.PeerID]*simNode{}}
	for i := range n {
		s.add(core.PeerID(fmt.Sprintf("%02d", i)), newShelf(), cfg)
	}
	return s
}

// add starts a node, which carries the topic t, on what it holds already.
func (s *simNet) add(id core.PeerID, held *shelf, cfg Config) *simNode {
	n := &simNode{shelf: held, id: id, links: map[*simNode]bool{}}
	n.Machine = New(cfg, held, rand.New(rand.NewPCG(s.rng.Uint64(), 0)))
	s.nodes, s.byID[id] = append(s.nodes, n), n
	s.carry(n, true)
	return n
}

// carry lets a node carry the topic t, or not.
func (s *simNet) carry(n *simNode, topic bool) {
	names := []string{"t"}
	if !topic {
		names = nil
	}
	s.do(n, func(out *[]core.Action) {
		if err := n.SetTopics(s.now, names, out); err != nil {
			panic(err)
		}
	})
}

func (s *simNet) after(d time.Duration, do func()) {
	s.seq++
	heap.Push(&s.queue, simEvent{s.now.Add(d), s.seq, do})
}

func (s *simNet) delay() time.Duration {
	return time.Duration(5+s.rng.IntN(145)) * time.Millisecond
}

// link connects or disconnects two nodes.
func (s *simNet) link(a, b *simNode, up bool) {
	if a.links[b] == up {
		return
	}
	a.links[b], b.links[a] = up, up
	for _, ends := range [][2]*simNode{{a, b}, {b, a}} {
		s.do(ends[0], func(out *[]core.Action) {
			if up {
				ends[0].PeerUp(ends[1].id, out)
			} else {
				ends[0].PeerDown(s.now, ends[1].id, out)
			}
		})
	}
}

// connect links all pairs for which linked is true, and cuts the others.
func (s *simNet) connect(linked func(i, j int) bool) {
	for i, a := range s.nodes {
		for j, b := range s.nodes[:i] {
			s.link(a, b, linked(i, j))
		}
	}
}

func all(int, int) bool { return true }

func halves(n int) func(i, j int) bool {
	return func(i, j int) bool { return (i < n) == (j < n) }
}

// do runs one input of a node and what its composer does.
func (s *simNet) do(n *simNode, input func(out *[]core.Action)) {
	var out []core.Action
	input(&out)
	for _, a := range out {
		switch a := a.(type) {
		case core.Send:
			s.send(n, a)
		case List:
			ids, next, more := n.walk(a)
			s.do(n, func(out *[]core.Action) { n.Listed(s.now, a.Peer, a.Request, ids, next, more, out) })
		case Missing:
			s.fetch(n, a)
		case core.Penalize:
			panic(fmt.Sprintf("%s blames %s: %s: %s", n.id, a.Peer, a.Offence, a.Detail))
		}
	}
	if d := n.Deadline(); !d.IsZero() && !d.Equal(n.wake) {
		n.wake = d
		s.after(max(d.Sub(s.now), 0), func() {
			if n.wake.Equal(d) {
				n.wake = time.Time{}
				s.do(n, func(out *[]core.Action) { n.Tick(s.now, out) })
			}
		})
	}
}

func (s *simNet) send(n *simNode, a core.Send) {
	s.bytes += len(a.Payload)
	switch a.Type {
	case TypeGetRecent:
		s.questions++
	case TypeRecent:
		s.pages++
	}
	if a.Type != TypeTopics && s.rng.Float64() < s.drop {
		return
	}
	to := s.byID[a.Peer]
	s.after(s.delay(), func() {
		if n.links[to] {
			s.do(to, func(out *[]core.Action) { to.Receive(s.now, n.id, a.Type, a.Payload, out) })
		}
	})
}

// fetch gets from the peer what is not held, and goes on with the next page.
func (s *simNet) fetch(n *simNode, a Missing) {
	from := s.byID[a.Peer]
	s.after(s.delay()+s.delay(), func() {
		if !n.links[from] {
			return
		}
		news := 0
		for _, id := range a.IDs {
			if n.land(a.Topic, id, s.now) {
				news++
			}
		}
		s.fetched += news
		s.do(n, func(out *[]core.Action) { n.Continue(s.now, a.Peer, a.Request, news, out) })
	})
}

// make lets a node make an object, which reaches the nodes that it is linked to.
func (s *simNet) make(n *simNode, id object.ID) {
	n.land("t", id, s.now)
	for _, to := range s.nodes {
		if n.links[to] && s.rng.Float64() >= s.loss {
			s.after(s.delay(), func() { to.land("t", id, s.now) })
		}
	}
}

// run lets everything happen that happens within d.
func (s *simNet) run(d time.Duration) {
	until := s.now.Add(d)
	for len(s.queue) > 0 && !s.queue[0].at.After(until) {
		e := heap.Pop(&s.queue).(simEvent)
		s.now = e.at
		e.do()
	}
	s.now = until
}

// makeFor lets random nodes make so many objects in all, evenly over d.
func (s *simNet) makeFor(d time.Duration, count, first int) {
	for i := range count {
		s.make(s.nodes[s.rng.IntN(len(s.nodes))], idN(first+i))
		s.run(d / time.Duration(count))
	}
}

// settled is how long it takes until every node holds so many objects.
func (s *simNet) settled(want int, within time.Duration) (took time.Duration, ok bool) {
	began := s.now
	for s.now.Sub(began) < within {
		done := true
		for _, n := range s.nodes {
			done = done && len(n.held) == want
		}
		if done {
			return s.now.Sub(began), true
		}
		s.run(100 * time.Millisecond)
	}
	return within, false
}

// mark notes the counters, to report what came since.
func (s *simNet) mark() (report func(t *testing.T, what string)) {
	q, p, b, f := s.questions, s.pages, s.bytes, s.fetched
	return func(t *testing.T, what string) {
		t.Helper()
		t.Logf("%s: %d questions, %d pages, %d bytes, %d objects fetched", what, s.questions-q, s.pages-p, s.bytes-b, s.fetched-f)
	}
}

// Two halves of ten nodes are cut for five minutes while both make objects.
func TestHealedHalvesHoldTheSame(t *testing.T) {
	for _, perMinute := range []int{60, 1200} {
		t.Run(fmt.Sprintf("%d objects a minute", perMinute), func(t *testing.T) {
			s := newSim(20, 1, DefaultConfig())
			s.connect(all)
			s.makeFor(5*time.Minute, 5*perMinute, 0)
			s.connect(halves(10))
			s.makeFor(5*time.Minute, 5*perMinute, 5*perMinute)
			s.connect(all)
			report := s.mark()
			took, ok := s.settled(10*perMinute, 2*time.Minute)
			report(t, fmt.Sprintf("same after %v", took))
			if !ok {
				t.Errorf("not the same within %v", took)
			}
		})
	}
}

// A cut that lasts longer than the window is healed by the deep questions.
func TestALongCutIsHealedToo(t *testing.T) {
	s := newSim(10, 2, DefaultConfig())
	s.connect(all)
	s.makeFor(time.Minute, 100, 0)
	s.connect(halves(5))
	s.makeFor(time.Minute, 100, 100)
	s.run(time.Hour)
	s.connect(all)
	took, ok := s.settled(200, 10*time.Minute)
	t.Logf("same after %v", took)
	if !ok {
		t.Errorf("not the same within %v", took)
	}
}

// What only one node holds, since longer ago than the window, is found by the deep
// questions though no link was ever cut.
func TestWhatWasMissedLongAgoIsFound(t *testing.T) {
	s := newSim(10, 7, DefaultConfig())
	s.connect(all)
	s.run(time.Minute)
	s.nodes[0].land("t", idN(0), s.now.Add(-time.Hour))
	took, ok := s.settled(1, 30*time.Minute) // it is chance who is asked: nobody asks this one in 0.2 %
	t.Logf("found after %v", took)
	if !ok {
		t.Errorf("not everywhere within %v", took)
	}
}

// A node that nobody could reach for hours asks at once for what came meanwhile.
func TestANodeThatWasAloneCatchesUpAtOnce(t *testing.T) {
	s := newSim(5, 3, DefaultConfig())
	s.connect(all)
	s.makeFor(10*time.Minute, 1000, 0)
	s.connect(func(i, j int) bool { return i != 4 && j != 4 })
	s.makeFor(3*time.Hour, 1000, 1000)
	s.connect(all)
	report := s.mark()
	s.run(3 * time.Second)
	report(t, "three seconds later")
	if got := len(s.nodes[4].held); got != 2000 {
		t.Errorf("%d of 2000 after three seconds", got)
	}
	if took, ok := s.settled(2000, 40*time.Second); !ok {
		t.Errorf("what it made meanwhile is not everywhere within %v", took)
	}
}

// Every fifth copy of a burst is dropped everywhere.
func TestABurstIsRepaired(t *testing.T) {
	s := newSim(20, 4, DefaultConfig())
	s.connect(all)
	s.run(time.Minute)
	s.loss = 0.2
	s.makeFor(time.Second, 20_000, 0)
	report := s.mark()
	took, ok := s.settled(20_000, time.Minute)
	report(t, fmt.Sprintf("repaired after %v", took))
	if !ok {
		t.Errorf("not repaired within %v", took)
	}
}

// Someone joins late and pages through a log of 100,000; then nobody lists it again.
func TestALateJoinerPagesThroughEverything(t *testing.T) {
	const count = 100_000
	s := newSim(5, 5, DefaultConfig())
	for i := range count {
		id := idN(i)
		for _, n := range s.nodes {
			n.land("t", id, start.Add(-24*time.Hour+time.Duration(i)*time.Millisecond))
		}
	}
	s.connect(all)
	s.run(time.Minute)
	late := s.add("late", newShelf(), DefaultConfig())
	report := s.mark()
	s.connect(all)
	took, ok := s.settled(count, 5*time.Minute)
	report(t, fmt.Sprintf("caught up after %v", took))
	if !ok {
		t.Fatalf("%d of %d within %v", len(late.held), count, took)
	}
	report = s.mark()
	listed := late.Stats().Listed
	s.run(3 * time.Minute)
	report(t, "three minutes at rest")
	if again := late.Stats().Listed - listed; again > count/4 {
		t.Errorf("it told others %d IDs that they hold", again)
	}
}

// A late joiner that stops half-way does not take what it has for everything.
func TestAStopHalfWayIsMadeUpFor(t *testing.T) {
	const count = 30_000
	s := newSim(4, 6, DefaultConfig())
	for i := range count {
		for _, n := range s.nodes {
			n.land("t", idN(i), start.Add(-24*time.Hour))
		}
	}
	s.connect(all)
	held := newShelf()
	first := s.add("first", held, DefaultConfig())
	s.connect(all)
	s.run(2 * time.Second)
	if got := len(held.held); got == 0 || got == count {
		t.Fatalf("%d of %d are there when it stops: the test needs some", got, count)
	}
	for _, n := range s.nodes[:4] {
		s.link(first, n, false)
	}
	s.nodes = s.nodes[:4]
	s.run(time.Second)
	s.add("again", held, DefaultConfig())
	s.connect(all)
	if took, ok := s.settled(count, time.Minute); !ok {
		t.Errorf("%d of %d within %v", len(held.held), count, took)
	}
}
