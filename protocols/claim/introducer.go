package claim

import (
	"container/heap"
	"container/list"
	"slices"

	"github.com/weftnet/weft/protocols/core"
)

// maxIntroducers bounds who is remembered for one claim; chosen because a flood
// of one peer then leaves three, and a claim costs at most 4 list entries.
const maxIntroducers = 4

// introducer is a peer that brought claims, which are in the order in which it
// brought or renewed them.
type introducer struct {
	peer   core.PeerID
	seq    uint64     // order of coming, so that one run is like another
	claims *list.List // of *entry
	pos    int        // in the heap
}

// introduction is one claim in one introducer's list.
type introduction struct {
	by *introducer
	at *list.Element
}

// introducers know who brought most.
type introducers struct {
	byPeer map[core.PeerID]*introducer
	most   byCount
	seq    uint64
}

func newIntroducers() introducers {
	return introducers{byPeer: make(map[core.PeerID]*introducer)}
}

// add books a claim to a peer too; one that is booked to it already becomes its
// newest.
func (s *introducers) add(e *entry, from core.PeerID) {
	for _, i := range e.by {
		if i.by.peer == from {
			i.by.claims.MoveToBack(i.at)
			return
		}
	}
	if len(e.by) == maxIntroducers {
		return
	}
	in := s.byPeer[from]
	if in == nil {
		s.seq++
		in = &introducer{peer: from, seq: s.seq, claims: list.New()}
		s.byPeer[from] = in
		heap.Push(&s.most, in)
	}
	e.by = append(e.by, introduction{in, in.claims.PushBack(e)})
	heap.Fix(&s.most, in.pos)
}

// drop takes a claim off one introducer's list.
func (s *introducers) drop(e *entry, i introduction) {
	e.by = slices.DeleteFunc(e.by, func(x introduction) bool { return x.by == i.by })
	i.by.claims.Remove(i.at)
	if i.by.claims.Len() > 0 {
		heap.Fix(&s.most, i.by.pos)
		return
	}
	heap.Remove(&s.most, i.by.pos)
	delete(s.byPeer, i.by.peer)
}

// dropAll takes a claim off every list.
func (s *introducers) dropAll(e *entry) {
	for len(e.by) > 0 {
		s.drop(e, e.by[0])
	}
}

// victim is the claim to displace: the oldest of whoever brought most, that no
// one else brought. Nil when no claim is booked to anybody.
func (s *introducers) victim() *entry {
	for len(s.most) > 0 {
		oldest := s.most[0].claims.Front()
		e := oldest.Value.(*entry)
		s.drop(e, introduction{s.most[0], oldest})
		if len(e.by) == 0 {
			return e
		}
	}
	return nil
}

// byCount is a heap with the introducer of most claims on top.
type byCount []*introducer

func (h byCount) Len() int { return len(h) }

func (h byCount) Less(i, j int) bool {
	if a, b := h[i].claims.Len(), h[j].claims.Len(); a != b {
		return a > b
	}
	return h[i].seq < h[j].seq
}

func (h byCount) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}

func (h *byCount) Push(x any) {
	in := x.(*introducer)
	in.pos = len(*h)
	*h = append(*h, in)
}

func (h *byCount) Pop() any {
	last := len(*h) - 1
	in := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return in
}
