package simtest

import "time"

// item is something that happens at a time. Of equal times the one that was
// scheduled first comes first.
type item struct {
	at  time.Duration
	seq uint64
	do  happening
}

func (a *item) before(b *item) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

// ary is how many children a place of the heap has; chosen because with four the
// heap is half as deep as with two, and neighbours share cache lines.
const ary = 4

// queue is a heap of items. container/heap would box each one.
type queue struct{ items []item }

func (q *queue) len() int     { return len(q.items) }
func (q *queue) first() *item { return &q.items[0] }

func (q *queue) push(x item) {
	q.items = append(q.items, x)
	i := len(q.items) - 1
	for i > 0 {
		up := (i - 1) / ary
		if !x.before(&q.items[up]) {
			break
		}
		q.items[i] = q.items[up]
		i = up
	}
	q.items[i] = x
}

func (q *queue) pop() item {
	top, last := q.items[0], len(q.items)-1
	x := q.items[last]
	q.items[last] = item{}
	if q.items = q.items[:last]; last > 0 {
		q.sink(x)
	}
	return top
}

// sink finds the place of x, from the top.
func (q *queue) sink(x item) {
	i, n := 0, len(q.items)
	for {
		child := ary*i + 1
		if child >= n {
			break
		}
		least := child
		for c := child + 1; c < min(child+ary, n); c++ {
			if q.items[c].before(&q.items[least]) {
				least = c
			}
		}
		if !q.items[least].before(&x) {
			break
		}
		q.items[i] = q.items[least]
		i = least
	}
	q.items[i] = x
}
