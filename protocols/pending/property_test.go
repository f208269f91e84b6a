package pending

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weftnet/weft/protocols/core"
)

// check holds what the machine counts against what it has.
func (r *rig) check() {
	r.t.Helper()
	bytes, waiting, wants, inLine := 0, 0, 0, 0
	owned := map[*account][4]int{} // bytes, items, wants, queued
	for o, n := range r.nodes {
		if n.id != o || n.wait == nil && !n.needed() || (n.first == nil) != (n.last == nil) {
			r.t.Fatalf("node %d is of no use", number(n.id))
		}
		for e := n.first; e != nil; e = e.next {
			if e.to != n || e.from.wait == nil || r.nodes[e.from.id] != e.from {
				r.t.Fatalf("an edge to %d is wrong", number(n.id))
			}
		}
		own := owned[n.payer]
		switch n.phase {
		case wanted:
			wants++
			own[2]++
		case queued:
			inLine++
			own[3]++
		}
		owned[n.payer] = own
		if n.wait == nil {
			continue
		}
		w, open := n.wait, 0
		for i := range w.edges {
			if w.edges[i].to != nil {
				open++
			}
		}
		if open != w.open || open == 0 || n.phase != idle || r.peers[w.item.Sender] != w.acc {
			r.t.Fatalf("item %d: %d edges of %d, phase %d", number(n.id), open, w.open, n.phase)
		}
		bytes += w.cost
		waiting++
		own = owned[w.acc]
		own[0] += w.cost
		own[1]++
		owned[w.acc] = own
	}
	if bytes != r.bytes || bytes > r.cfg.MaxBytes || waiting != r.ages.Len() || wants != r.wants || wants > r.cfg.MaxWants || inLine != r.queued {
		r.t.Fatalf("%d bytes, %d items, %d wants, %d queued; counted %d, %d, %d, %d", bytes, waiting, wants, inLine, r.bytes, r.ages.Len(), r.wants, r.queued)
	}
	r.checkAccounts(owned)
}

func (r *rig) checkAccounts(owned map[*account][4]int) {
	r.t.Helper()
	parked, reserved := 0, 0
	for p, acc := range r.peers {
		got := [4]int{acc.bytes, acc.items.Len(), acc.wants, acc.queue.Len()}
		if acc.peer != p || got != owned[acc] || acc.bytes > r.cfg.MaxPeerBytes || acc.wants > r.cfg.MaxPeerWants || acc.parked.Len() > r.cfg.MaxPeerParked {
			r.t.Fatalf("%s is charged %v, has %v", p, got, owned[acc])
		}
		if (acc.turn != nil) != (acc.queue.Len() > 0 && acc.wants < r.cfg.MaxPeerWants) || (acc.ring != nil) != (acc.parked.Len() > 0) {
			r.t.Fatalf("%s is in a ring that it does not belong in", p)
		}
		if inHeap := acc.place >= 0; inHeap != (p != "" && acc.bytes > 0) || inHeap && r.loads[acc.place] != acc {
			r.t.Fatalf("%s: place %d with %d bytes", p, acc.place, acc.bytes)
		}
		if got == [4]int{} && acc.parked.Len()+acc.reserved == 0 {
			r.t.Fatalf("%s has an account with nothing on it", p)
		}
		seenTop := false
		for e := acc.items.Front(); e != nil; e = e.Next() {
			top := !e.Value.(*node).needed()
			if seenTop && !top {
				r.t.Fatalf("%s: a needed item is among those that go first", p)
			}
			seenTop = top
		}
		parked += acc.parked.Len()
		reserved += acc.reserved
	}
	for acc, has := range owned {
		if has != [4]int{} && r.peers[acc.peer] != acc {
			r.t.Fatalf("the account of %s is forgotten", acc.peer)
		}
	}
	if parked+r.coming.Len() != len(r.parked) || len(r.parked) > r.cfg.MaxParked+r.coming.Len() || reserved != r.reserved {
		r.t.Fatalf("%d and %d parked, counted %d; %d bytes, counted %d", parked, r.coming.Len(), len(r.parked), reserved, r.reserved)
	}
	if r.hungry.Len() > 0 && r.wants < r.cfg.MaxWants {
		r.t.Fatal("there is room for a want and none is said")
	}
}

// model is what a composer knows, in sets: it says only what is true and holds each
// action against that.
type model struct {
	*rig
	rt      *rapid.T
	deps    [][]int
	held    map[int]bool
	saving  map[int]bool // ready, not landed
	bad     map[int]bool
	waiting map[int]bool // as far as the actions tell; parking is silent
	open    map[int]bool // wanted
}

func newModel(rt *rapid.T, t testing.TB, change ...func(*Config)) *model {
	m := &model{
		rig: newRig(t, change...), rt: rt,
		held: map[int]bool{}, saving: map[int]bool{}, bad: map[int]bool{}, waiting: map[int]bool{}, open: map[int]bool{},
	}
	for i := range rapid.IntRange(2, 24).Draw(rt, "objects") {
		var deps []int
		for range rapid.IntRange(0, min(i, 4)).Draw(rt, "deps") {
			if d := rapid.IntRange(0, i-1).Draw(rt, "dep"); !slices.Contains(deps, d) {
				deps = append(deps, d)
			}
		}
		m.deps = append(m.deps, deps)
	}
	return m
}

// missing are the dependencies of an object that are not held.
func (m *model) missing(i int) (all []int) {
	for _, d := range m.deps[i] {
		if !m.held[d] {
			all = append(all, d)
		}
	}
	return all
}

// stands says whether an object depends on another through what waits.
func (m *model) stands(i, on int) bool {
	if i == on {
		return true
	}
	return m.waiting[i] && slices.ContainsFunc(m.deps[i], func(d int) bool { return m.stands(d, on) })
}

func (m *model) come(i int, from core.PeerID) {
	if m.held[i] || m.saving[i] || m.bad[i] || slices.ContainsFunc(m.deps[i], func(d int) bool { return m.bad[d] }) {
		return
	}
	f, err := m.try(from, i, m.missing(i)...)
	switch {
	case f == Waits:
		m.waiting[i] = true
	case f == Refused && !errors.Is(err, ErrFull):
		m.rt.Fatalf("%d: %v", i, err)
	case f == Released && len(m.missing(i)) > 0:
		m.rt.Fatalf("%d is released and misses %v", i, m.missing(i))
	}
}

// settle takes in what the machine said.
func (m *model) settle() {
	for _, a := range m.out {
		switch a := a.(type) {
		case Ready:
			i := a.Body.(int)
			if len(m.missing(i)) > 0 || m.held[i] || m.saving[i] || m.bad[i] {
				m.rt.Fatalf("%d is ready: missing %v, held %v, saved %v", i, m.missing(i), m.held[i], m.saving[i])
			}
			m.saving[i] = true
			delete(m.waiting, i)
		case Fallen:
			if i := a.Body.(int); !m.bad[number(a.Because)] || !m.waiting[i] || !m.stands(i, number(a.Because)) {
				m.rt.Fatalf("%s", word(a))
			}
		case Expired:
			if i := a.Body.(int); !m.waiting[i] {
				m.rt.Fatalf("%s", word(a))
			}
		case Want:
			i := number(a.ID)
			if m.open[i] || m.held[i] || m.bad[i] || a.Depth < 1 {
				m.rt.Fatalf("%s: open %v, held %v", word(a), m.open[i], m.held[i])
			}
			m.open[i] = true
		case Unwant:
			if !m.open[number(a.ID)] {
				m.rt.Fatalf("%s", word(a))
			}
			delete(m.open, number(a.ID))
		case Holder:
			if !m.open[number(a.ID)] {
				m.rt.Fatalf("%s", word(a))
			}
		}
	}
	for _, a := range m.out { // now that all of them were held against the same state
		switch a := a.(type) {
		case Fallen:
			delete(m.waiting, a.Body.(int))
		case Expired:
			delete(m.waiting, a.Body.(int))
		}
	}
	m.out = nil
}

// agree holds the machine's state against the sets.
func (m *model) agree() {
	m.check()
	for i := range m.deps {
		v := m.State(id(i))
		if v.State != StateWaiting {
			if m.waiting[i] {
				if m.stats.Parks+m.stats.Dropped == 0 {
					m.rt.Fatalf("%d is lost: %v", i, v.State)
				}
				delete(m.waiting, i)
			}
			continue
		}
		want := ids(m.missing(i)...)
		if !m.waiting[i] || len(want) == 0 || len(v.Missing) != len(want) || m.held[i] || m.bad[i] {
			m.rt.Fatalf("%d waits for %v, and misses %v", i, len(v.Missing), m.missing(i))
		}
		for _, d := range m.missing(i) {
			if m.bad[d] {
				m.rt.Fatalf("%d waits for %d, which is bad", i, d)
			}
		}
	}
	for i := range m.open {
		n := m.nodes[id(i)]
		if n == nil || !n.needed() || n.phase != wanted {
			m.rt.Fatalf("%d is wanted for nobody", i)
		}
	}
	if len(m.open) != m.wants {
		m.rt.Fatalf("%d are wanted, %d counted", len(m.open), m.wants)
	}
}

// turn does one random thing that can happen.
func (m *model) turn(kind, i int, from core.PeerID) {
	m.out = nil
	switch kind {
	case 0, 1, 2:
		m.come(i, from)
	case 3, 4: // something that was ready is saved
		if ready := slices.Sorted(maps.Keys(m.saving)); len(ready) > 0 {
			m.save(ready[i%len(ready)])
		}
	case 5: // an object comes past the machine
		if !m.bad[i] && !m.held[i] && len(m.missing(i)) == 0 {
			m.save(i)
		}
	case 6:
		if !m.held[i] && !m.saving[i] {
			m.fell(i)
		}
	case 7:
		if m.open[i] {
			delete(m.open, i)
			m.notFound(i)
		}
	case 8:
		if m.open[i] {
			delete(m.open, i)
			m.retry(i)
		}
	case 9:
		m.rig.pass(time.Duration(i) * 10 * time.Second)
	}
	m.settle()
}

func (m *model) save(i int) {
	m.held[i] = true
	delete(m.saving, i)
	delete(m.waiting, i)
	m.landed(i)
}

// fell marks an object as bad, and with it all that depends on it.
func (m *model) fell(i int) {
	m.bad[i] = true
	m.invalid(i)
	for _, a := range of[Fallen](m.out) {
		if a.Because != id(i) {
			m.rt.Fatalf("%s, not of %d", word(a), i)
		}
	}
}

// finish brings everything, and lets time pass: all that can be held is, and nothing
// is left over.
func (m *model) finish() {
	for range 3 * len(m.deps) {
		for i := range m.deps {
			m.out = nil
			m.come(i, peerN(i%3))
			m.settle()
			for _, s := range slices.Sorted(maps.Keys(m.saving)) {
				m.save(s)
				m.settle()
			}
		}
		m.agree()
		m.out = nil
		m.rig.pass(time.Second)
		m.settle()
	}
	for i := range m.deps {
		if can := !m.spoiled(i); can != m.held[i] {
			m.rt.Fatalf("%d: can be held: %v, held: %v", i, can, m.held[i])
		}
	}
	m.out = nil
	m.rig.pass(time.Hour)
	m.settle()
	m.empty()
}

// spoiled says whether an object is bad or depends on one that is.
func (m *model) spoiled(i int) bool {
	return m.bad[i] || slices.ContainsFunc(m.deps[i], m.spoiled)
}

func property(t *testing.T, change ...func(*Config)) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(rt, t, change...)
		for range rapid.IntRange(0, 120).Draw(rt, "turns") {
			m.turn(rapid.IntRange(0, 9).Draw(rt, "kind"), rapid.IntRange(0, len(m.deps)-1).Draw(rt, "object"),
				rapid.SampledFrom([]core.PeerID{"", peerN(0), peerN(1), peerN(2)}).Draw(rt, "from"))
			m.agree()
		}
		m.finish()
	})
}

func TestAnyOrderWithRoom(t *testing.T) { property(t) }

func TestAnyOrderWithoutRoom(t *testing.T) {
	property(t, items(5, 3), func(c *Config) { c.LinkBytes, c.MaxParked, c.MaxPeerParked, c.UnparkBatch = 4, 6, 3, 2 })
}

func TestAnyOrderWithFewWants(t *testing.T) {
	property(t, func(c *Config) { c.MaxWants, c.MaxPeerWants = 3, 2 })
}

// A long run with many objects, where walks, rings and heaps get large.
func TestManyObjects(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	r := newRig(t, items(300, 120), func(c *Config) { c.MaxWants, c.MaxPeerWants, c.MaxDepth = 50, 10, 1000 })
	for i := range 20_000 {
		deps := make([]int, 1+rng.IntN(4))
		at := rng.IntN(2000) + 10
		for d := range deps {
			deps[d] = at - 1 - rng.IntN(10)
		}
		switch rng.IntN(12) {
		case 0:
			r.invalid(at)
		case 1, 2:
			r.landed(at)
		case 3:
			r.notFound(at)
		case 4:
			r.pass(time.Duration(rng.IntN(1000)) * time.Millisecond)
		default:
			r.try(peerN(rng.IntN(6)), at, deps...)
		}
		if i%50 == 0 {
			r.check()
		}
	}
	if s := r.Stats(); s.Parks == 0 || s.Unparks == 0 || s.Fallen == 0 || s.NotFound == 0 || s.Ready == 0 {
		t.Errorf("some of it was not tried: %+v", s)
	}
	r.pass(24 * time.Hour)
	r.empty()
}
