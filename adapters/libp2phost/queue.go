package libp2phost

import (
	"context"
	"sync"
)

// queue hands items, in order, from any goroutine to the one that runs it. Push
// never waits; whoever pushes bounds how much can be waiting.
type queue[T any] struct {
	mu    sync.Mutex
	items []T
	ready chan struct{} // has room for one: something was pushed
}

func newQueue[T any]() *queue[T] {
	return &queue[T]{ready: make(chan struct{}, 1)}
}

func (q *queue[T]) push(item T) {
	q.mu.Lock()
	q.items = append(q.items, item)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take empties the queue.
func (q *queue[T]) take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items = nil
	return items
}

func (q *queue[T]) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

// run calls f with each item until ctx ends.
func (q *queue[T]) run(ctx context.Context, f func(T)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.ready:
		}
		for _, item := range q.take() {
			if ctx.Err() != nil {
				return
			}
			f(item)
		}
	}
}
