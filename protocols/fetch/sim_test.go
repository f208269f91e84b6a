package fetch

import (
	"cmp"
	"container/heap"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

// simNet is a full mesh of machines in virtual time, with a composer each.
type simNet struct {
	t     testing.TB
	rng   *rand.Rand
	now   time.Time
	queue simQueue
	nodes map[core.PeerID]*simNode
	order []*simNode
	sent  int // messages
	delay func() time.Duration
}

// simNode keeps objects. It wants what these depend on, of whom they came from.
type simNode struct {
	*Machine
	id     core.PeerID
	store  map[object.ID][]byte
	stalls bool
	wake   time.Time
	blamed int
}

// simEvent is a message on its way, or with kind 0 a tick.
type simEvent struct {
	at       time.Time
	seq      int
	from, to core.PeerID
	core.Send
}

type simQueue []simEvent

func (q simQueue) Len() int      { return len(q) }
func (q simQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q simQueue) Less(i, j int) bool {
	return cmp.Or(q[i].at.Compare(q[j].at), cmp.Compare(q[i].seq, q[j].seq)) < 0
}
func (q *simQueue) Push(x any) { *q = append(*q, x.(simEvent)) }
func (q *simQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func newSim(t testing.TB, n int, seed uint64, cfg Config) *simNet {
	s := &simNet{t: t, rng: rand.New(rand.NewPCG(seed, 0)), now: start, nodes: map[core.PeerID]*simNode{}}
	s.delay = func() time.Duration { return time.Duration(5+s.rng.IntN(145)) * time.Millisecond }
	for i := range n {
		node := &simNode{id: peerN(i), store: map[object.ID][]byte{}}
		node.Machine = New(cfg, func(id object.ID) int { return len(node.store[id]) }, start)
		s.nodes[node.id] = node
		s.order = append(s.order, node)
		for _, other := range s.order[:i] {
			node.PeerUp(other.id)
			other.PeerUp(node.id)
		}
	}
	return s
}

// do runs one input of a node, and what the composer around it does.
func (s *simNet) do(n *simNode, input func(out *[]core.Action)) {
	var out []core.Action
	input(&out)
	for _, a := range out {
		switch a := a.(type) {
		case core.Send:
			s.sent++
			heap.Push(&s.queue, simEvent{s.now.Add(s.delay()), s.sent, n.id, a.Peer, a})
		case core.Penalize:
			n.blamed++
		case Serve:
			s.do(n, func(out *[]core.Action) { s.serve(n, a, out) })
		case Got:
			s.do(n, func(out *[]core.Action) { s.got(n, a, out) })
		}
	}
	if d := n.Deadline(); !d.IsZero() && !d.Equal(n.wake) {
		n.wake = d
		heap.Push(&s.queue, simEvent{at: d, to: n.id})
	}
}

// run lets everything happen within d, or until done.
func (s *simNet) run(d time.Duration, done func() bool) {
	until := s.now.Add(d)
	for len(s.queue) > 0 && !s.queue[0].at.After(until) && !done() {
		e := heap.Pop(&s.queue).(simEvent)
		s.now = e.at
		n := s.nodes[e.to]
		switch {
		case n.stalls:
		case e.Type == 0:
			s.do(n, func(out *[]core.Action) { n.Tick(s.now, out) })
		default:
			s.do(n, func(out *[]core.Action) { n.Receive(s.now, e.from, e.Protocol, e.Type, e.Payload, out) })
		}
	}
}

// An object here is the number of its dependencies, their IDs, and a payload.
func encode(payload []byte, deps ...object.ID) []byte {
	b := []byte{byte(len(deps))}
	for _, d := range deps {
		b = append(b, d[:]...)
	}
	return append(b, payload...)
}

func depsOf(b []byte) (deps []object.ID) {
	for i := range int(b[0]) {
		deps = append(deps, object.ID(b[1+32*i:]))
	}
	return deps
}

// chain puts a chain of n objects into the store of a node, and returns its head.
func (n *simNode) chain(length, size int) (head object.ID) {
	var deps []object.ID
	for i := range length {
		b := encode(binary.BigEndian.AppendUint32(make([]byte, size), uint32(i)), deps...)
		head = object.IDOf(b)
		n.store[head], deps = b, []object.ID{head}
	}
	return head
}

func (s *simNet) serve(n *simNode, q Serve, out *[]core.Action) {
	if n.store[q.ID] == nil {
		n.Answer(s.now, q.Peer, q.Request, StatusNotFound, nil, out)
		return
	}
	objects, known, total := [][]byte{n.store[q.ID]}, slices.Clone(q.Have), len(n.store[q.ID])
	for at := 0; q.Closure && at < len(objects); at++ {
		for _, d := range depsOf(objects[at]) {
			if total += len(n.store[d]); slices.Contains(known, d) || len(objects) == q.MaxObjects || total > q.MaxBytes {
				continue
			}
			known, objects = append(known, d), append(objects, n.store[d])
		}
	}
	slices.Reverse(objects)
	n.Answer(s.now, q.Peer, q.Request, StatusFound, objects, out)
}

// got takes an object in and wants what is missing of its dependencies.
func (s *simNet) got(n *simNode, g Got, out *[]core.Action) {
	id := object.IDOf(g.Object)
	if !g.Extra && id != g.ID {
		n.Wrong(s.now, g.ID, g.Peer, out)
		return
	}
	n.store[id] = slices.Clone(g.Object)
	n.Accepted(s.now, id)
	for _, d := range depsOf(g.Object) {
		if n.store[d] == nil {
			n.Want(s.now, Want{ID: d, Holders: []core.PeerID{g.Peer}, Closure: true}, out)
		}
	}
}

// A chain that is unknown comes in one round trip, or when closures are not given in
// one for each level.
func TestAChainOfOneHundred(t *testing.T) {
	const length, trip = 100, 100 * time.Millisecond
	for _, tc := range []struct {
		name    string
		size    int
		objects int // of a closure
		have    int // of the chain are here, or at the end of the locator
		trips   int
	}{
		{"with its closure", 1 << 10, MaxObjects, 0, 1},
		{"with its closure of 800 KiB", 8 << 10, MaxObjects, 0, 1},
		{"with half of it here", 1 << 10, MaxObjects, 50, 1},
		{"without closures", 1 << 10, 1, 0, 100},
		{"with closures of ten", 1 << 10, 10, 0, 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.ClosureObjects = tc.objects
			s := newSim(t, 2, 1, cfg)
			s.delay = func() time.Duration { return trip / 2 }
			a, b := s.order[0], s.order[1]
			var have []object.ID
			if tc.have > 0 {
				have = append(have, a.chain(tc.have, tc.size))
			}
			for id, o := range a.store {
				b.store[id] = o
			}
			head := a.chain(length, tc.size)
			s.do(b, func(out *[]core.Action) {
				b.Want(s.now, Want{ID: head, Holders: []core.PeerID{a.id}, Closure: true, Have: have}, out)
			})
			s.run(time.Minute, func() bool { return len(b.store) == length })
			took, st := s.now.Sub(start), b.Stats()
			t.Logf("%v, %d requests, %d objects beside those asked for, %d bytes", took, st.Requests, st.Extras, st.BytesIn)
			if len(b.store) != length || took != time.Duration(tc.trips)*trip || int(st.Requests) != tc.trips || int(st.Found+st.Extras) != length-tc.have {
				t.Errorf("%d of %d objects after %v: %+v", len(b.store), length, took, st)
			}
		})
	}
}

// Of the holders 30 % never answer. Twenty objects come all the same, of others, and
// nobody is blamed. One time-out tells of all that were asked at first; of one that
// was not, only a second.
func TestHoldersThatStall(t *testing.T) {
	const objects, holders = 20, 10
	var times []time.Duration
	for seed := range uint64(20) {
		s := newSim(t, 1+holders, seed, DefaultConfig())
		b := s.order[0]
		s.rng.Shuffle(holders, func(i, j int) { s.order[1+i], s.order[1+j] = s.order[1+j], s.order[1+i] })
		for i, n := range s.order[1:] {
			n.stalls = i < holders*3/10
		}
		for i := range objects {
			o := encode(fmt.Appendf(nil, "object %d", i))
			named := peersN(1 + holders)[1:]
			s.rng.Shuffle(holders, func(i, j int) { named[i], named[j] = named[j], named[i] })
			for _, p := range named {
				s.nodes[p].store[object.IDOf(o)] = o
			}
			s.do(b, func(out *[]core.Action) { b.Want(s.now, Want{ID: object.IDOf(o), Holders: named}, out) })
		}
		s.run(time.Minute, func() bool { return len(b.store) == objects })
		st := b.Stats()
		times = append(times, s.now.Sub(start))
		if len(b.store) != objects || b.blamed > 0 {
			t.Errorf("seed %d: %d objects after %v, %d faults: %+v", seed, len(b.store), s.now.Sub(start), b.blamed, st)
		}
	}
	slices.Sort(times)
	t.Logf("half took at most %v, all %v", times[len(times)/2], times[len(times)-1])
	if times[len(times)/2] > 11*time.Second || times[len(times)-1] > 21*time.Second {
		t.Errorf("it took %v", times)
	}
}

// Many objects of one holder, small and large ones together: all arrive, and no
// small one later than without the large.
func TestLargeObjectsDoNotBlockSmallOnes(t *testing.T) {
	took := map[bool]time.Duration{}
	for _, withLarge := range []bool{false, true} {
		s := newSim(t, 2, 1, DefaultConfig())
		a, b := s.order[0], s.order[1]
		want := func(o []byte) {
			a.store[object.IDOf(o)] = o
			s.do(b, func(out *[]core.Action) { b.Want(s.now, Want{ID: object.IDOf(o), Holders: []core.PeerID{a.id}}, out) })
		}
		large := 0
		for i := range 10 {
			if withLarge {
				want(encode(append(make([]byte, 2<<20), byte(i))))
				large++
			}
		}
		for i := range 1000 {
			want(encode(fmt.Appendf(nil, "%d", i)))
		}
		smalls := func() (n int) {
			for _, o := range b.store {
				if len(o) < 100 {
					n++
				}
			}
			return n
		}
		s.run(time.Minute, func() bool { return smalls() == 1000 })
		took[withLarge] = s.now.Sub(start)
		s.run(2*time.Minute, func() bool { return len(b.store) == 1000+large })
		if len(b.store) != 1000+large || b.blamed+a.blamed > 0 {
			t.Errorf("%d objects, %+v", len(b.store), b.Stats())
		}
		t.Logf("with large ones %v: small ones %v, all %v", withLarge, took[withLarge], s.now.Sub(start))
	}
	if took[true] > took[false]*3/2 {
		t.Errorf("%v with large ones, %v without", took[true], took[false])
	}
}

func BenchmarkWantAndGot(b *testing.B) {
	r := newRig(b, 8)
	holders, out := peersN(3), make([]core.Action, 0, 8)
	answer := found(string(make([]byte, 1<<10)))
	payload := make([]byte, 0, 2<<10)
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		out = out[:0]
		var id object.ID
		binary.BigEndian.PutUint64(id[:], i)
		r.Want(start, Want{ID: id, Holders: holders}, &out)
		answer.Request, answer.ID = r.requested, id
		payload = answer.Append(TypeAnswer, payload[:0])
		r.Receive(start, holders[0], Protocol, TypeAnswer, payload, &out)
		r.Accepted(start, id)
	}
	if s := r.Stats(); s.Accepted == 0 || s.Open != 0 {
		b.Fatalf("%+v", s)
	}
}

func BenchmarkServe(b *testing.B) {
	r := newRig(b, 1, func(c *Config) { c.RequestsPerSecond, c.BytesPerSecond = 1<<20, 1<<40 })
	out := make([]core.Action, 0, 8)
	objects := [][]byte{make([]byte, 1<<10)}
	payload := make([]byte, 0, 100)
	now := start
	b.ReportAllocs()
	for i := uint64(1); b.Loop(); i++ {
		out, now = out[:0], now.Add(time.Millisecond)
		payload = Message{Request: i, ID: id1}.Append(TypeRequest, payload[:0])
		r.Receive(now, peerN(0), Protocol, TypeRequest, payload, &out)
		r.Answer(now, peerN(0), i, StatusFound, objects, &out)
	}
	if s := r.Stats(); s.GaveFound == 0 || s.GaveFound != s.Asked {
		b.Fatalf("%+v", s)
	}
}

func BenchmarkParseAnswer(b *testing.B) {
	closure := found(string(make([]byte, 1<<10)))
	for range 99 {
		closure.Extras = append(closure.Extras, make([]byte, 1<<10))
	}
	for name, m := range map[string]Message{"1KiB": found(string(make([]byte, 1<<10))), "closure of 100": closure} {
		m.Request = 1
		payload := m.Append(TypeAnswer, nil)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(frame.Type(TypeAnswer), payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// One peer lets everything time out while the others' places are full: what many
// wants cost when they must be asked anew.
func BenchmarkPeerDownWithAllWants(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		r := newRig(b, 50)
		for i := range uint64(r.cfg.MaxWants) {
			var id object.ID
			binary.BigEndian.PutUint64(id[:], i)
			r.want(id, peersN(17)[i%3:]...)
		}
		b.StartTimer()
		r.down(peerN(2))
	}
}
