package gossipsub

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/adapters/leaktest"
)

// patience is how long a test waits for what must happen: several heartbeats on a
// busy machine.
const patience = 20 * time.Second

func TestMain(m *testing.M) { leaktest.Main(m) }

// newHost is a plain libp2p host on loopback.
func newHost(t testing.TB) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay(), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// newNode is ours on a host of its own.
func newNode(t testing.TB, opts ...pubsub.Option) *PubSub {
	t.Helper()
	return newNodeWith(t, DefaultConfig(), opts...)
}

func newNodeWith(t testing.TB, cfg Config, opts ...pubsub.Option) *PubSub {
	t.Helper()
	p, err := start(newHost(t), cfg, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// newPlain is go-libp2p-pubsub as it comes.
func newPlain(t testing.TB, opts ...pubsub.Option) (host.Host, *pubsub.PubSub) {
	t.Helper()
	h := newHost(t)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	ps, err := pubsub.NewGossipSub(ctx, h, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return h, ps
}

func connect(t testing.TB, a, b host.Host) {
	t.Helper()
	if err := a.Connect(soon(t), peer.AddrInfo{ID: b.ID(), Addrs: b.Addrs()}); err != nil {
		t.Fatal(err)
	}
}

// soon is a context that ends with the test's patience.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func subscribe(t testing.TB, p *PubSub, topic string, opts ...SubOption) *Subscription {
	t.Helper()
	s, err := p.Subscribe(topic, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func publish(t testing.TB, p *PubSub, topic, data string) {
	t.Helper()
	if err := p.Publish(soon(t), topic, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

func wantMessage(t testing.TB, s *Subscription, data string) Message {
	t.Helper()
	m, err := s.Next(soon(t))
	if err != nil {
		t.Fatalf("waiting for %.20q: %v", data, err)
	}
	if string(m.Data) != data {
		t.Fatalf("got %.20q (%d bytes), want %.20q (%d bytes)", m.Data, len(m.Data), data, len(data))
	}
	return m
}

// wantNothing says that no message is there. It is called when one would have
// come before something that the test has already seen.
func wantNothing(t testing.TB, s *Subscription) {
	t.Helper()
	if m, ok := s.take(); ok {
		t.Fatalf("got %q, want nothing", m.Data)
	}
}

// eventually polls what no event announces.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// pair is two connected nodes of ours that both subscribe to a topic.
func pair(t testing.TB, topic string, cfg Config) (a, b *PubSub, sa, sb *Subscription) {
	t.Helper()
	a, b = newNodeWith(t, cfg), newNodeWith(t, cfg)
	sa, sb = subscribe(t, a, topic), subscribe(t, b, topic)
	connect(t, a.host, b.host)
	return a, b, sa, sb
}

// onLoop runs f on pubsub's process loop: a batch without messages asks its
// scheduler there what to send.
func onLoop(p *PubSub, f func()) {
	done := make(chan struct{})
	call := scheduler(func() { f(); close(done) })
	_ = p.ps.PublishBatch(&pubsub.MessageBatch{}, func(o *pubsub.BatchPublishOptions) error { o.Strategy = call; return nil })
	<-done
}

type scheduler func()

func (scheduler) AddRPC(peer.ID, string, *pubsub.RPC) {}

func (f scheduler) All() iter.Seq2[peer.ID, *pubsub.RPC] {
	f()
	return func(func(peer.ID, *pubsub.RPC) bool) {}
}
