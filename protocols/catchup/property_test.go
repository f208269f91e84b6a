package catchup

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fataler is what *testing.T and *rapid.T share.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// check recomputes from nothing what a machine keeps up step by step.
func check(t fataler, m *Machine, now time.Time) {
	t.Helper()
	digging := map[*topic]int{}
	for _, p := range m.ranks {
		open, seen := p.open == nil, map[string]bool{}
		for _, l := range p.pulls {
			key := fmt.Sprint(l.topic.name, l.kind)
			if _, carries := p.carries[l.topic.name]; !carries || m.topics[l.topic.name] != l.topic || seen[key] {
				t.Fatalf("%s is asked about %s, for reason %d (twice: %v)", p.id, l.topic.name, l.kind, seen[key])
			}
			seen[key] = true
			open = open || p.open == l && !l.waiting
			if l.kind == joining || l.kind == welcoming {
				digging[l.topic]++
			}
		}
		if !open || len(p.marks) > len(m.topics) {
			t.Fatalf("%s: the open question belongs to no pull, or it has marks of %d topics", p.id, len(p.marks))
		}
	}
	for _, o := range m.order {
		carriers := len(m.Carriers(o.name))
		if o.carriers != carriers || o.digging != digging[o] || o.first < 0 || o.first > m.cfg.First {
			t.Fatalf("%s: %+v, with %d carriers and %d pulls", o.name, o, carriers, digging[o])
		}
		if o.askAt.IsZero() != (carriers == 0) || o.deepAt.IsZero() != (carriers == 0) {
			t.Fatalf("%s with %d carriers: asks at %v and %v", o.name, carriers, o.askAt, o.deepAt)
		}
	}
	if d := m.Deadline(); !d.IsZero() && d.Before(now) {
		t.Fatalf("there is something to do since %v", now.Sub(d))
	}
}

// Whatever is cut, lost and left off, in the end all hold the same.
func TestAnyHistoryEndsInTheSameSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(rapid.IntRange(2, 6).Draw(t, "nodes"), rapid.Uint64().Draw(t, "seed"), DefaultConfig())
		made := 0
		for range rapid.IntRange(1, 15).Draw(t, "steps") {
			s.step(t, &made)
			for _, n := range s.nodes {
				check(t, n.Machine, s.now)
			}
		}
		s.loss, s.drop = 0, 0
		for _, n := range s.nodes {
			s.carry(n, true)
		}
		s.connect(all)
		if _, ok := s.settled(made, time.Hour); !ok {
			for _, n := range s.nodes {
				t.Logf("%s holds %d of %d: %+v", n.id, len(n.held), made, n.Stats())
			}
			t.Fatalf("they do not hold the same after an hour")
		}
	})
}

func (s *simNet) step(t *rapid.T, made *int) {
	node := func(what string) *simNode { return s.nodes[rapid.IntRange(0, len(s.nodes)-1).Draw(t, what)] }
	switch rapid.IntRange(0, 5).Draw(t, "what") {
	case 0, 1:
		count := rapid.IntRange(1, 40).Draw(t, "count")
		for range count {
			s.make(node("maker"), idN(*made))
			*made++
		}
	case 2:
		a, b := node("a"), node("b")
		if a != b {
			s.link(a, b, !a.links[b])
		}
	case 3:
		s.connect(halves(rapid.IntRange(0, len(s.nodes)).Draw(t, "cut")))
	case 4:
		n := node("n")
		s.carry(n, len(n.order) == 0)
	case 5:
		s.loss = rapid.SampledFrom([]float64{0, 0.3, 1}).Draw(t, "loss")
		s.drop = rapid.SampledFrom([]float64{0, 0.3}).Draw(t, "drop")
	}
	s.run(rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, time.Hour}).Draw(t, "pass"))
}
