package queue

import (
	"context"
	"slices"
	"testing"
	"time"
)

func TestItemsComeInOrderAndNoneIsLost(t *testing.T) {
	q := New[int]()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const n = 1000
	go func() {
		for i := range n {
			q.Push(i)
		}
	}()
	var got []int
	q.Run(ctx, func(i int) {
		if got = append(got, i); len(got) == n {
			cancel()
		}
	})
	if len(got) != n || !slices.IsSorted(got) {
		t.Errorf("%d of %d items came, in order: %v", len(got), n, slices.IsSorted(got))
	}
}

func TestTakeEmptiesTheQueue(t *testing.T) {
	q := New[string]()
	q.Push("a")
	q.Push("b")
	<-q.Ready()
	if got := q.Take(); !slices.Equal(got, []string{"a", "b"}) || q.Len() != 0 || q.Take() != nil {
		t.Errorf("took %v, left %d", got, q.Len())
	}
}
