package pending

import (
	"time"

	"github.com/weftnet/weft/protocols/object"
)

// measureEvery is how often all depths are computed at most. Chosen so that it takes
// a few thousandths of the time.
const measureEvery = time.Second

// tooDeep says whether an item would stand on and under too many levels.
func (m *Machine) tooDeep(now time.Time, n *node, missing []object.ID) bool {
	above := 0
	if n != nil {
		above = n.above
	}
	if above+m.below(missing) <= m.cfg.MaxDepth {
		return false
	}
	if since := now.Sub(m.measured); m.measured.IsZero() || since < 0 || since >= measureEvery {
		m.measured = now
		m.measure()
	}
	return above+m.below(missing) > m.cfg.MaxDepth
}

// below is how many levels an item with these dependencies stands on, itself
// included.
func (m *Machine) below(missing []object.ID) int {
	deepest := 0
	for _, id := range missing {
		if dep := m.nodes[id]; dep != nil && dep.wait != nil {
			deepest = max(deepest, dep.wait.below)
		}
	}
	return deepest + 1
}

// measure computes below for all items. It is outdated where dependencies landed, or
// came after their dependants.
func (m *Machine) measure() {
	m.walk++
	var path []*node
	for e := m.ages.Front(); e != nil; e = e.Next() {
		if n := e.Value.(*node); n.wait.visit != m.walk {
			path = m.measureFrom(append(path, n))
		}
	}
}

// measureFrom goes down from the last node of a path: a node is computed when it is
// met the second time, after those below it.
func (m *Machine) measureFrom(path []*node) []*node {
	for len(path) > 0 {
		n := path[len(path)-1]
		again := n.wait.visit == m.walk
		n.wait.visit = m.walk
		deepest := 0
		for i := range n.wait.edges {
			dep := n.wait.edges[i].to
			switch {
			case dep == nil || dep.wait == nil:
			case dep.wait.visit != m.walk:
				path = append(path, dep)
			default:
				deepest = max(deepest, dep.wait.below)
			}
		}
		if again || path[len(path)-1] == n {
			n.wait.below = deepest + 1
			path = path[:len(path)-1]
		}
	}
	return path
}
