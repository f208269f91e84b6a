package episub

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// world is a network of machines with gossipsub's part of the work: it keeps the meshes,
// forwards, and answers requests. Control and messages take the delay of their link.
type world struct {
	t     testing.TB
	rng   *rand.Rand
	cfg   Config
	now   time.Time
	nodes []*node
	queue events
	seq   int
	loss  float64 // of announcements, requests and control
	delay func(a, b int) time.Duration
	size  int                            // of a message
	carry func(from, to *node, f func()) // a message; nil: it takes the delay
	got   map[string]map[int]time.Time
	sent  map[string]time.Time
	copies,
	controls,
	blamed int
}

type node struct {
	id     core.PeerID
	w      *world
	i      int
	plain  bool // plain gossipsub: GRAFT and PRUNE concern both directions
	down   bool
	m      *Topic
	mesh   map[int]bool
	nbrs   map[int]bool
	cache  map[string]string // message ID to author
	unwant map[int]map[string]bool
	last   map[core.PeerID]time.Time // choke or unchoke sent
}

type event struct {
	at  time.Time
	seq int
	run func()
}
type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || e[i].at.Equal(e[j].at) && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

func name(i int) core.PeerID { return core.PeerID(fmt.Sprintf("node-%03d", i)) }

func newWorld(t testing.TB, n int, seed uint64, cfg Config) *world {
	w := &world{
		size: 1024, t: t, rng: rand.New(rand.NewPCG(seed, 1)), cfg: cfg, now: start,
		got: make(map[string]map[int]time.Time), sent: make(map[string]time.Time),
	}
	w.delay = func(a, b int) time.Duration {
		d := (a/7 - b/7) * 17 % 90     // groups of seven are near each other
		tie := (a*a + b*b) * 37 % 1999 // none: chance would decide who is first
		return time.Duration(5+max(d, -d))*time.Millisecond + time.Duration(tie)*time.Microsecond
	}
	for i := range n {
		w.nodes = append(w.nodes, w.newNode(i))
	}
	return w
}

func (w *world) newNode(i int) *node {
	return &node{
		id: name(i), w: w, i: i, m: New(w.cfg, uint64(i)), mesh: map[int]bool{}, nbrs: map[int]bool{},
		cache: map[string]string{}, unwant: map[int]map[string]bool{}, last: map[core.PeerID]time.Time{},
	}
}

func (w *world) at(d time.Duration, run func()) {
	w.seq++
	heap.Push(&w.queue, event{w.now.Add(d), w.seq, run})
}

// run lets the time pass.
func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); ; {
		next := end
		var ticking *node
		for _, n := range w.nodes {
			if at := n.m.Deadline(); !n.down && !n.plain && !at.IsZero() && at.Before(next) {
				next, ticking = at, n
			}
		}
		if len(w.queue) > 0 && !w.queue[0].at.After(next) {
			e := heap.Pop(&w.queue).(event)
			w.now = e.at
			e.run()
			continue
		}
		if ticking == nil {
			w.now = end
			return
		}
		w.now = later(w.now, next)
		ticking.do(func(out *[]Effect) { ticking.m.Tick(w.now, out) }, "")
		if at := ticking.m.Deadline(); !at.IsZero() && !at.After(w.now) {
			w.t.Fatalf("%s: Tick at %s leaves the deadline %s", ticking.id, w.now, at)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// uplinks lets messages queue at whoever sends them, each for so long.
func (w *world) uplinks(each time.Duration) {
	free := make(map[*node]time.Time)
	w.carry = func(from, to *node, f func()) {
		free[from] = later(free[from], w.now).Add(each)
		w.at(free[from].Sub(w.now), func() { from.send(to, f) })
	}
}

func (w *world) connect(a, b int) {
	for _, p := range [][2]int{{a, b}, {b, a}} {
		n, o := w.nodes[p[0]], w.nodes[p[1]]
		n.nbrs[o.i] = true
		n.m.PeerUp(w.now, Peer{ID: o.id, Episub: !o.plain, Dialled: p[0] == a})
	}
}

// ring connects each node to those so many places on.
func (w *world) ring(steps ...int) {
	for i := range w.nodes {
		for _, s := range steps {
			w.connect(i, (i+s)%len(w.nodes))
		}
	}
}

func (n *node) do(f func(*[]Effect), id string) {
	var out []Effect
	f(&out)
	for _, e := range out {
		n.act(e, id)
	}
}

func (n *node) act(e Effect, id string) {
	w := n.w
	switch e := e.(type) {
	case Choke:
		n.spaced(e.Peer)
		to := n.other(e.Peer)
		if to.plain {
			w.t.Fatalf("%s chokes the plain peer %s", n.id, e.Peer)
		}
		n.control(to, func() { to.pruned(n, time.Second) })
	case Unchoke:
		n.spaced(e.Peer)
		to := n.other(e.Peer)
		n.control(to, func() { to.grafted(n) })
	case Announce:
		to := n.other(e.Peer)
		n.control(to, func() { to.announced(n, e.IDs) })
	case Ask:
		to := n.other(e.Peer)
		n.control(to, func() { to.asked(n, e.IDs) })
	case Withheld:
		w.blamed++
	case Push:
		n.push(n.other(e.Peer), id)
	}
}

func (n *node) other(id core.PeerID) *node {
	var i int
	if _, err := fmt.Sscanf(string(id), "node-%d", &i); err != nil {
		n.w.t.Fatal(err)
	}
	return n.w.nodes[i]
}

// spaced checks that choke and unchoke of one peer are two seconds apart.
func (n *node) spaced(p core.PeerID) {
	if last, ok := n.last[p]; ok && n.w.now.Sub(last) < 2*time.Second {
		n.w.t.Fatalf("%s sends choke or unchoke to %s after %s", n.id, p, n.w.now.Sub(last))
	}
	n.last[p] = n.w.now
}

func (n *node) control(to *node, f func()) {
	n.w.controls++
	if n.w.rng.Float64() >= n.w.loss {
		n.send(to, f)
	}
}

func (n *node) send(to *node, f func()) {
	n.w.at(n.w.delay(n.i, to.i), func() {
		if !to.down && !n.down && to.nbrs[n.i] {
			f()
		}
	})
}

func (n *node) push(to *node, id string) {
	if n.w.carry != nil {
		n.w.carry(n, to, func() { to.arrived(n, id) })
		return
	}
	n.send(to, func() { to.arrived(n, id) })
}

func (n *node) grafted(from *node) {
	if n.plain {
		n.mesh[from.i] = true
		return
	}
	if !n.m.Room(from.id) {
		n.control(from, func() { from.pruned(n, 10*time.Second) })
		return
	}
	n.m.Grafted(from.id)
	if !n.mesh[from.i] {
		n.mesh[from.i] = true
		n.do(func(out *[]Effect) { n.m.Mesh(n.w.now, from.id, true, out) }, "")
	}
}

func (n *node) pruned(from *node, backoff time.Duration) {
	delete(n.mesh, from.i)
	if n.plain {
		return
	}
	n.do(func(out *[]Effect) {
		n.m.Pruned(n.w.now, from.id, backoff, out)
		n.m.Mesh(n.w.now, from.id, false, out)
	}, "")
}

func (n *node) announced(from *node, ids []string) {
	if n.plain {
		var ask []string
		for _, id := range ids {
			if _, have := n.cache[id]; !have {
				ask = append(ask, id)
			}
		}
		n.control(from, func() { from.asked(n, ask) })
		return
	}
	n.do(func(out *[]Effect) {
		for _, id := range n.m.Announced(n.w.now, from.id, ids, out) {
			if n.unwant[from.i] == nil {
				n.unwant[from.i] = map[string]bool{}
			}
			n.unwant[from.i][id] = true
		}
	}, "")
}

func (n *node) asked(from *node, ids []string) {
	for _, id := range ids {
		if _, have := n.cache[id]; have {
			n.push(from, id)
		}
	}
}

func (n *node) arrived(from *node, id string) {
	n.w.copies++
	author := from.cache[id]
	if !n.plain {
		n.do(func(out *[]Effect) { n.m.Arrived(n.w.now, from.id, core.PeerID(author), id, out) }, "")
	}
	if _, have := n.cache[id]; !have {
		n.unwanted(id, from)
		n.accept(id, author, from)
	}
}

// unwanted tells those that are pushed to that they need not push a large message back.
func (n *node) unwanted(id string, from *node) {
	for i := range n.w.nodes {
		if to := n.w.nodes[i]; n.mesh[i] && to != from && !n.plain && n.w.size >= n.w.cfg.UrgentSize {
			n.send(to, func() { to.m.Begun(n.w.now, n.id, []string{id}) })
		}
	}
}

func (n *node) accept(id, author string, from *node) {
	n.cache[id] = author
	n.w.got[id][n.i] = n.w.now
	if !n.plain {
		n.do(func(out *[]Effect) { n.m.Accepted(n.w.now, id, n.w.size, from == nil, core.PeerID(author), out) }, id)
	}
	for i := range len(n.w.nodes) {
		if to := n.w.nodes[i]; n.mesh[i] && to != from && string(to.id) != author && !n.unwant[i][id] {
			n.push(to, id)
		}
	}
}

func (w *world) publish(i int) string {
	id := fmt.Sprintf("message-%d", len(w.got))
	w.got[id], w.sent[id] = map[int]time.Time{}, w.now
	w.nodes[i].accept(id, string(w.nodes[i].id), nil)
	return id
}

// publishAll lets nodes publish in turn.
func (w *world) publishAll(n int, each time.Duration) {
	for range n {
		i := w.rng.IntN(len(w.nodes))
		for w.nodes[i].down {
			i = w.rng.IntN(len(w.nodes))
		}
		w.publish(i)
		w.run(each)
	}
}

// missing are the deliveries to living nodes that did not happen.
func (w *world) missing() (lost []string) {
	for id, got := range w.got {
		for i, n := range w.nodes {
			if _, ok := got[i]; !ok && !n.down {
				lost = append(lost, fmt.Sprintf("%s at %s", id, n.id))
			}
		}
	}
	return lost
}

// vanish takes a node away without a word; its peers notice after a while.
func (w *world) vanish(i int, notice time.Duration) {
	n := w.nodes[i]
	n.down = true
	w.at(notice, func() {
		for j := range n.nbrs {
			o := w.nodes[j]
			delete(o.nbrs, i)
			delete(o.mesh, i)
			o.m.PeerDown(w.now, n.id)
		}
	})
}

func (n *node) eager() (eager []PeerView) {
	for _, p := range n.m.Peers() {
		if p.Tier == Eager {
			eager = append(eager, p)
		}
	}
	return eager
}
