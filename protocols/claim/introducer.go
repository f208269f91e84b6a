package claim

import (
	"container/heap"

	"github.com/weftnet/weft/protocols/core"
)

// maxIntroducers bounds who is remembered for one claim; chosen because a flood
// of one peer then leaves three, and a claim costs at most 4 introductions.
const maxIntroducers = 4

// introducer is a peer that brought claims, which are in the order in which it
// brought or renewed them.
type introducer struct {
	peer        core.PeerID
	seq         uint64 // order of coming, so that one run is like another
	first, last *introduction
	claims      int
	pos         int // in the heap
}

// introduction is one claim in one introducer's list, and one introducer of the claim.
type introduction struct {
	by         *introducer
	of         *entry
	prev, next *introduction // in the introducer's list
	also       *introduction // of the same claim, by another
}

// push makes an introduction the newest of its introducer.
func (in *introducer) push(i *introduction) {
	i.prev, i.next = in.last, nil
	if in.last != nil {
		in.last.next = i
	} else {
		in.first = i
	}
	in.last = i
	in.claims++
}

func (in *introducer) pull(i *introduction) {
	if i.prev != nil {
		i.prev.next = i.next
	} else {
		in.first = i.next
	}
	if i.next != nil {
		i.next.prev = i.prev
	} else {
		in.last = i.prev
	}
	in.claims--
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
	n := 0
	for i := e.by; i != nil; i = i.also {
		if i.by.peer == from {
			i.by.pull(i)
			i.by.push(i)
			return
		}
		n++
	}
	if n == maxIntroducers {
		return
	}
	in := s.byPeer[from]
	if in == nil {
		s.seq++
		in = &introducer{peer: from, seq: s.seq}
		s.byPeer[from] = in
		heap.Push(&s.most, in)
	}
	e.by = &introduction{by: in, of: e, also: e.by}
	in.push(e.by)
	heap.Fix(&s.most, in.pos)
}

// drop takes a claim off one introducer's list.
func (s *introducers) drop(i *introduction) {
	at := &i.of.by
	for *at != i {
		at = &(*at).also
	}
	*at = i.also
	i.by.pull(i)
	if i.by.claims > 0 {
		heap.Fix(&s.most, i.by.pos)
		return
	}
	heap.Remove(&s.most, i.by.pos)
	delete(s.byPeer, i.by.peer)
}

// dropAll takes a claim off every list.
func (s *introducers) dropAll(e *entry) {
	for e.by != nil {
		s.drop(e.by)
	}
}

// victim is the claim to displace: the oldest of whoever brought most, that no
// one else brought. Nil when no claim is booked to anybody.
func (s *introducers) victim() *entry {
	for len(s.most) > 0 {
		oldest := s.most[0].first
		s.drop(oldest)
		if oldest.of.by == nil {
			return oldest.of
		}
	}
	return nil
}

// byCount is a heap with the introducer of most claims on top.
type byCount []*introducer

func (h byCount) Len() int { return len(h) }

func (h byCount) Less(i, j int) bool {
	if a, b := h[i].claims, h[j].claims; a != b {
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
