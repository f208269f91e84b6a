package dialing

import "container/heap"

// slot is where a peer keeps its place in a queue. It is in at most one queue of
// each slot.
type slot uint8

const (
	waits  slot = iota // in the queue of a lane, or to leave the book
	spares             // in one of those from which room is made, or to be saved
	slots
)

// queue is a heap of peers that have something in common.
type queue struct {
	slot   slot
	before func(a, b *known) bool
	peers  []*known
}

// Len is heap.Interface, as are the others in capitals.
func (q *queue) Len() int           { return len(q.peers) }
func (q *queue) Less(i, j int) bool { return q.before(q.peers[i], q.peers[j]) }

func (q *queue) Swap(i, j int) {
	q.peers[i], q.peers[j] = q.peers[j], q.peers[i]
	q.peers[i].at[q.slot], q.peers[j].at[q.slot] = int32(i), int32(j)
}

// Push appends; only container/heap calls it.
func (q *queue) Push(x any) {
	k := x.(*known)
	k.at[q.slot] = int32(len(q.peers))
	q.peers = append(q.peers, k)
}

// Pop takes the last; only container/heap calls it.
func (q *queue) Pop() any {
	last := len(q.peers) - 1
	k := q.peers[last]
	q.peers[last] = nil
	q.peers = q.peers[:last]
	return k
}

// first is the one before all others; nil when there is none.
func (q *queue) first() *known {
	if len(q.peers) == 0 {
		return nil
	}
	return q.peers[0]
}

// move puts a peer into the right place of a queue, and out of the one of the
// same slot where it was; to may be nil.
func (k *known) move(s slot, to *queue) {
	from := k.in[s]
	if from == to && to != nil {
		heap.Fix(to, int(k.at[s]))
		return
	}
	if from != nil {
		heap.Remove(from, int(k.at[s]))
	}
	if k.in[s] = to; to != nil {
		heap.Push(to, k)
	}
}

// sooner puts the one first that has been due for longest, then by rank, so that
// nobody waits behind peers that fail again and again.
func sooner(a, b *known) bool {
	if c := a.dialAt().Compare(b.dialAt()); c != 0 {
		return c < 0
	}
	return a.rank < b.rank
}

// worse puts the one first that is missed least: which failed most, then which
// has the least to vouch for it.
func worse(a, b *known) bool {
	if x, y := a.tries(), b.tries(); x != y {
		return x > y
	}
	if x, y := a.trust(), b.trust(); x != y {
		return x < y
	}
	return a.rank > b.rank
}

func cooledSooner(a, b *known) bool { return a.coolUntil.Before(b.coolUntil) }

func connectedSooner(a, b *known) bool { return a.since.Before(b.since) }
