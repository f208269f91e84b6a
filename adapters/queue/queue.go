// Package queue hands items from any goroutine to the one that works on them.
package queue

import (
	"context"
	"sync"
)

// Queue hands items, in order, from any goroutine to the one that runs it. Push
// never waits; whoever pushes bounds how much can be waiting.
type Queue[T any] struct {
	mu    sync.Mutex
	items []T
	ready chan struct{} // has room for one: something was pushed
}

// New makes an empty queue.
func New[T any]() *Queue[T] {
	return &Queue[T]{ready: make(chan struct{}, 1)}
}

// Push appends an item.
func (q *Queue[T]) Push(item T) {
	q.mu.Lock()
	q.items = append(q.items, item)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// Take empties the queue.
func (q *Queue[T]) Take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items = nil
	return items
}

// Len is how many items wait.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

// Run calls f with each item until ctx ends.
func (q *Queue[T]) Run(ctx context.Context, f func(T)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.Ready():
		}
		for _, item := range q.Take() {
			if ctx.Err() != nil {
				return
			}
			f(item)
		}
	}
}

// Ready has something to receive after a Push, for those who Take themselves.
func (q *Queue[T]) Ready() <-chan struct{} { return q.ready }
