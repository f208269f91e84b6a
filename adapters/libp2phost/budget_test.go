package libp2phost

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func noEvict() {}

func TestABudgetIsSharedAndGivenBack(t *testing.T) {
	b := newBudget(2*pieceBytes, 0)
	soon := time.Now().Add(time.Minute)
	c := b.claim(time.Now(), noEvict)
	for range 2 {
		if err := b.grow(c, soon); err != nil {
			t.Fatal(err)
		}
	}
	if held, _ := b.use(); held != 2*pieceBytes {
		t.Fatalf("%d bytes held", held)
	}
	b.shrink(c)
	if held, _ := b.use(); held != pieceBytes {
		t.Fatalf("%d bytes held", held)
	}
	b.end(c)
	b.end(c)
	b.shrink(c)
	if held, _ := b.use(); held != 0 || b.free != 2*pieceBytes {
		t.Fatalf("%d bytes held, %d free", held, b.free)
	}
	if err := b.grow(c, soon); !errors.Is(err, errEvicted) {
		t.Fatalf("an ended claim grows: %v", err)
	}
}

func TestAClaimThatWaitsInVainSaysSo(t *testing.T) {
	b := newBudget(pieceBytes, pieceBytes)
	first := b.claim(time.Now(), noEvict)
	second := b.claim(time.Now(), noEvict)
	for range 2 { // all there is, and the overdraft that the oldest may use
		if err := b.grow(first, time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.grow(second, time.Now().Add(50*time.Millisecond)); !errors.Is(err, errBudget) {
		t.Fatalf("got %v", err)
	}
	b.end(second)
	if b.waiting != 0 {
		t.Fatalf("%d still wait", b.waiting)
	}
}

// Messages that arrive at the same pace would each end up with a part of the
// budget and wait for the rest.
func TestHonestMessagesThatNeedMoreThanThereIsAllEnd(t *testing.T) {
	const messages, size = 50, 16 // of 16 pieces: 800 pieces, where 100 are
	b := newBudget(100*pieceBytes, size*pieceBytes)
	var most atomic.Int64
	var wg sync.WaitGroup
	for range messages {
		wg.Go(func() {
			c := b.claim(time.Now(), noEvict)
			defer b.end(c)
			for range size {
				if err := b.grow(c, time.Now().Add(patience)); err != nil {
					t.Error(err)
					return
				}
				held, _ := b.use()
				most.Store(max(most.Load(), int64(held)))
				time.Sleep(time.Millisecond) // the piece arrives
			}
		})
	}
	wg.Wait()
	if most.Load() > (100+size)*pieceBytes {
		t.Errorf("%d bytes held at most", most.Load())
	}
	if held, evicted := b.use(); held != 0 || evicted != 0 {
		t.Errorf("%d bytes held, %d evicted", held, evicted)
	}
}

func TestAStalledMessageMakesRoomForOneThatWaits(t *testing.T) {
	b := newBudget(4*pieceBytes, 0)
	evicted := make(chan int, 4)
	for i := range 4 {
		c := b.claim(time.Now(), func() { evicted <- i })
		if err := b.grow(c, time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	late := b.claim(time.Now(), noEvict)
	for range 4 {
		if err := b.grow(late, begin.Add(patience)); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begin); took < stalledAfter/2 {
		t.Errorf("messages were ended after %v: they had not stalled", took)
	}
	if first := <-evicted; first != 0 {
		t.Errorf("message %d was ended first, though the first stalled longest", first)
	}
}
