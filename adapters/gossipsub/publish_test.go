package gossipsub

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"
)

func brief(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func TestPublishWithoutPeersSaysWhy(t *testing.T) {
	a := newNode(t)
	s := subscribe(t, a, "news")
	err := a.Publish(brief(t), "news", []byte("x"))
	if !errors.Is(err, ErrNoPeers) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connect to one first") {
		t.Errorf("unconnected: %v", err)
	}
	wantNothing(t, s) // nothing was sent, not even to ourselves

	b := newNode(t)
	connect(t, a.host, b.host)
	eventually(t, "a has a pubsub peer", func() bool { return a.trace.peerCount() == 1 })
	err = a.Publish(brief(t), "news", []byte("x"))
	if !errors.Is(err, ErrNoPeers) || !strings.Contains(err.Error(), "connected to 1 pubsub peers") {
		t.Errorf("nobody in the topic: %v", err)
	}
}

func TestPublishWaitsForTheFirstSubscriber(t *testing.T) {
	a, b := newNode(t), newNode(t)
	subscribe(t, a, "news")
	done := make(chan error, 1)
	go func() { done <- a.Publish(soon(t), "news", []byte("patience")) }()
	connect(t, a.host, b.host)
	select {
	case err := <-done:
		t.Fatalf("published before anybody subscribed: %v", err)
	default:
	}
	sb := subscribe(t, b, "news")
	wantMessage(t, sb, "patience")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAMessageOfTheLargestSizePassesAndOneByteMoreIsRefused(t *testing.T) {
	for name, size := range map[string]int{"1 MiB": 1 << 20, "16 MiB": 16 << 20} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.MaxMessage = size
			topic := strings.Repeat("t", MaxTopicLength) // the longest name leaves the least room
			a, b, _, sb := pair(t, topic, cfg)
			data := make([]byte, size+1)
			rand.Read(data)
			if err := a.Publish(soon(t), topic, data); !errors.Is(err, ErrTooLarge) {
				t.Fatalf("one byte too many: %v, want ErrTooLarge", err)
			}
			if err := a.Publish(soon(t), topic, data[:size]); err != nil {
				t.Fatal(err)
			}
			m, err := sb.Next(soon(t))
			if err != nil || !bytes.Equal(m.Data, data[:size]) {
				t.Fatalf("got %d bytes, %v", len(m.Data), err)
			}
			if d := b.Stats().Delivered; d != 1 {
				t.Errorf("%d messages delivered, want the second only", d)
			}
		})
	}
}

func TestABlockingSubscriberHoldsTheLocalPublisher(t *testing.T) {
	a, _, _, _ := pair(t, "news", DefaultConfig())
	slow := subscribe(t, a, "news", Buffer(1), Blocking())
	publish(t, a, "news", "1")
	if err := a.Publish(brief(t), "news", []byte("2")); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("publish into a full buffer: %v, want the end of its context", err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Publish(soon(t), "news", []byte("3")) }()
	wantMessage(t, slow, "1")
	wantMessage(t, slow, "3")
	if err := <-done; err != nil || slow.Dropped() != 0 {
		t.Errorf("publish: %v, dropped %d", err, slow.Dropped())
	}
}

// A peer's announcement can arrive before our own stream to it is open. Pubsub
// drops what is published in between.
func TestNothingIsLostRightAfterConnecting(t *testing.T) {
	for range 50 {
		a, b := newNode(t), newNode(t)
		sb := subscribe(t, b, "news")
		if err := a.Join("news"); err != nil {
			t.Fatal(err)
		}
		connect(t, a.host, b.host)
		publish(t, a, "news", "at once")
		wantMessage(t, sb, "at once")
		if n := a.Stats().RPCsDropped; n != 0 {
			t.Fatalf("%d dropped", n)
		}
		a.host.Close()
		b.host.Close()
	}
}
