package fetch

import (
	"container/heap"
	"time"
)

// timer is something that is due at a time, if it is set.
type timer struct {
	due   time.Time
	turn  uint64 // of equal times, what was set first comes first
	place int    // in timers, from 1; 0: not set
	of    any    // *request, *want, *job or *peer
}

// timers are all timers that are set, as a heap.
type timers struct {
	heap timerHeap
	sets uint64
}

func (ts *timers) set(t *timer, due time.Time) {
	ts.sets++
	t.due, t.turn = due, ts.sets
	if t.place > 0 {
		heap.Fix(&ts.heap, t.place-1)
		return
	}
	heap.Push(&ts.heap, t)
}

func (ts *timers) stop(t *timer) {
	if t.place > 0 {
		heap.Remove(&ts.heap, t.place-1)
	}
}

// first is when the first one is due; zero: none is set.
func (ts *timers) first() time.Time {
	if len(ts.heap) == 0 {
		return time.Time{}
	}
	return ts.heap[0].due
}

// pop takes out the first one that is due; nil: none is.
func (ts *timers) pop(now time.Time) *timer {
	if len(ts.heap) == 0 || ts.heap[0].due.After(now) {
		return nil
	}
	return heap.Pop(&ts.heap).(*timer)
}

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if c := h[i].due.Compare(h[j].due); c != 0 {
		return c < 0
	}
	return h[i].turn < h[j].turn
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	*h = append(*h, t)
	t.place = len(*h)
}

func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.place = 0
	return t
}
