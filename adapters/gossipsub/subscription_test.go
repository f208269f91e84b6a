package gossipsub

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
)

func TestASlowReaderGetsACountedGapAndOthersGetAll(t *testing.T) {
	a, b, _, fast := pair(t, "news", DefaultConfig())
	slow := subscribe(t, b, "news", Buffer(3))
	for i := range 10 {
		publish(t, a, "news", strconv.Itoa(i))
		wantMessage(t, fast, strconv.Itoa(i)) // one at a time, so that order is known
	}
	for i := range 3 {
		if m := wantMessage(t, slow, strconv.Itoa(i)); m.Missed != 0 {
			t.Errorf("message %d reports %d missed", i, m.Missed)
		}
	}
	publish(t, a, "news", "after")
	if m := wantMessage(t, slow, "after"); m.Missed != 7 {
		t.Errorf("the gap is %d, want 7", m.Missed)
	}
	if slow.Dropped() != 7 || fast.Dropped() != 0 || b.Stats().Missed != 7 {
		t.Errorf("dropped: slow %d, fast %d, in all %d", slow.Dropped(), fast.Dropped(), b.Stats().Missed)
	}
}

func TestABufferIsBoundedInBytes(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxMessage, cfg.SubscriptionBytes = 1_000, 2_500
	a, _, sa, _ := pair(t, "news", cfg)
	other := subscribe(t, a, "news")
	for range 5 {
		publish(t, a, "news", string(make([]byte, 1_000)))
		wantMessage(t, other, string(make([]byte, 1_000)))
	}
	if sa.Dropped() != 3 || sa.bytes != 2_000 {
		t.Errorf("dropped %d, %d bytes held; want 3 and 2,000", sa.Dropped(), sa.bytes)
	}
}

func TestManyReadersOfOneSubscriptionShareItsMessages(t *testing.T) {
	const messages, readers = 200, 4
	a, _, _, sb := pair(t, "news", DefaultConfig())
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	for range readers {
		wg.Go(func() {
			for {
				m, err := sb.Next(context.Background())
				if err != nil {
					return
				}
				mu.Lock()
				if got[string(m.Data)]++; len(got) == messages {
					sb.Close()
				}
				mu.Unlock()
			}
		})
	}
	for i := range messages {
		publish(t, a, "news", strconv.Itoa(i))
	}
	wg.Wait()
	for data, n := range got {
		if n != 1 {
			t.Errorf("%q was read %d times", data, n)
		}
	}
}

func TestNextEndsWithItsContext(t *testing.T) {
	s := subscribe(t, newNode(t), "news")
	if _, err := s.Next(brief(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestClosingTwiceReleasesTheTopicOnce(t *testing.T) {
	a := newNode(t)
	one, two := subscribe(t, a, "news"), subscribe(t, a, "news")
	one.Close()
	one.Close()
	if info := a.Topics(); len(info) != 1 || !info[0].Subscribed {
		t.Fatalf("topics are %+v, want the other subscription's", info)
	}
	two.Close()
	if info := a.Topics(); len(info) != 0 {
		t.Errorf("topics are %+v, want none", info)
	}
}

func TestConcurrentUseOfATopicLeavesItClean(t *testing.T) {
	a, b, _, _ := pair(t, "news", DefaultConfig())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				s, err := b.Subscribe("news")
				if err != nil {
					t.Error(err)
					return
				}
				if err := b.Join("news"); err != nil {
					t.Error(err)
				}
				s.Close()
				if err := b.Leave("news"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	publish(t, a, "news", "still works")
	if got := b.topics["news"].refs; got != 1 {
		t.Errorf("%d references left, want that of the pair's subscription", got)
	}
}
