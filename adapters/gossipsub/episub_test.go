package gossipsub

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"

	"github.com/weftnet/weft/protocols/episub"
)

// newEpisub is a node of ours with episub, and fewer eager peers than a test has nodes.
func newEpisub(t testing.TB) *PubSub {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Episub, cfg.Seed = true, 1
	cfg.Tiers.EagerTarget, cfg.Tiers.EagerMin = 2, 2
	return newNodeWith(t, cfg)
}

// fullMesh connects all with all.
func fullMesh(t testing.TB, hosts []host.Host) {
	t.Helper()
	for i, h := range hosts {
		for _, o := range hosts[:i] {
			connect(t, h, o)
		}
	}
}

func TestAmongEpisubPeersFewPushAndAllReceive(t *testing.T) {
	const nodes, messages = 6, 10
	var ps []*PubSub
	var subs []*Subscription
	var hosts []host.Host
	for range nodes {
		p := newEpisub(t)
		ps, hosts = append(ps, p), append(hosts, p.host)
		subs = append(subs, subscribe(t, p, "tiers"))
	}
	fullMesh(t, hosts)
	for _, p := range ps {
		eventually(t, "two peers push, three announce", func() bool {
			v, ok := p.Tiers("tiers")
			return ok && v.Eager == 2 && v.Lazy == 3
		})
	}
	for i := range messages {
		publish(t, ps[i%nodes], "tiers", fmt.Sprint("message ", i))
	}
	for _, s := range subs {
		got := make(map[string]bool)
		for range messages {
			m, err := s.Next(soon(t))
			if err != nil {
				t.Fatal(err)
			}
			got[string(m.Data)] = true
		}
		if len(got) != messages {
			t.Errorf("got %d different messages, want %d", len(got), messages)
		}
	}
}

func TestAnAnnouncedMessageIsAskedFor(t *testing.T) {
	a, b := newEpisub(t), newEpisub(t)
	subscribe(t, a, "pull")
	sb := subscribe(t, b, "pull")
	connect(t, a.host, b.host)
	eventually(t, "they see each other", func() bool { v, _ := a.Tiers("pull"); return len(v.Peers) == 1 && v.PushedTo == 1 })
	onLoop(a, func() { // as if b announced it
		a.engine.topics["pull"].machine.Announced(time.Now(), b.host.ID(), []string{"unknown to all"}, &a.engine.out)
		a.engine.act(a.engine.topics["pull"], nil)
		a.engine.arm()
	})
	eventually(t, "it was asked for", func() bool { return a.Stats().Sent.IWant > 0 })
	publish(t, a, "pull", "still works")
	wantMessage(t, sb, "still works")
}

func TestThePushOfALargeMessageIsTimed(t *testing.T) {
	a, b, c := newEpisub(t), newEpisub(t), newEpisub(t)
	subscribe(t, a, "large")
	subscribe(t, b, "large")
	sc := subscribe(t, c, "large")
	connect(t, a.host, b.host)
	connect(t, b.host, c.host)
	eventually(t, "the one between pushes to both", func() bool { v, _ := b.Tiers("large"); return v.PushedTo == 2 })
	publish(t, a, "large", strings.Repeat("x", 64<<10))
	if _, err := sc.Next(soon(t)); err != nil {
		t.Fatal(err)
	}
	if v, _ := c.Tiers("large"); v.PushTime <= 0 {
		t.Errorf("a push that was told of by IDONTWANT took %s", v.PushTime)
	}
}

// grafts counts what a plain peer is sent.
type grafts struct {
	nopTracer
	prunes, grafts *atomic.Int64
}

func (g grafts) RecvRPC(rpc *pubsub.RPC) {
	g.prunes.Add(int64(len(rpc.GetControl().GetPrune())))
	g.grafts.Add(int64(len(rpc.GetControl().GetGraft())))
}

func TestPlainPeersAreServedAndNeverChoked(t *testing.T) {
	const ours, plain, messages = 4, 4, 40
	var hosts []host.Host
	var publishers []publisher
	var received []*atomic.Int64
	var prunes, grafted atomic.Int64
	for range ours {
		p, count := newEpisub(t), new(atomic.Int64)
		s := subscribe(t, p, "half")
		go drain(count, func() error { _, err := s.Next(context.Background()); return err })
		hosts, received = append(hosts, p.host), append(received, count)
		publishers = append(publishers, func(ctx context.Context, data []byte) error { return p.Publish(ctx, "half", data) })
	}
	for range plain {
		h, ps := newPlain(t, pubsub.WithRawTracer(grafts{prunes: &prunes, grafts: &grafted}))
		top, err := ps.Join("half")
		if err != nil {
			t.Fatal(err)
		}
		sub, err := top.Subscribe()
		if err != nil {
			t.Fatal(err)
		}
		count := new(atomic.Int64)
		ctx, cancel := context.WithCancel(context.Background())
		t.Cleanup(cancel)
		go drain(count, func() error { _, err := sub.Next(ctx); return err })
		hosts, received = append(hosts, h), append(received, count)
		publishers = append(publishers, func(ctx context.Context, data []byte) error { return top.Publish(ctx, data) })
	}
	fullMesh(t, hosts)
	time.Sleep(1500 * time.Millisecond) // a heartbeat: no event says that a foreign mesh is settled
	for i := range messages {
		if err := publishers[i%len(publishers)](soon(t), fmt.Appendf(nil, "message %d", i)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	eventually(t, "all have all", func() bool {
		for _, r := range received {
			if r.Load() != messages {
				return false
			}
		}
		return true
	})
	if n := prunes.Load(); n > 0 {
		t.Errorf("plain peers were pruned %d times", n)
	}
	if n := grafted.Load(); n > int64(plain*len(hosts)) {
		t.Errorf("plain peers were sent %d GRAFTs, more than one by each peer", n)
	}
}

func TestChangesOfTiersAreTold(t *testing.T) {
	told := make(chan TierChange, 100)
	cfg := DefaultConfig()
	cfg.Episub, cfg.OnTier = true, func(c TierChange) { told <- c }
	a, b := newNodeWith(t, cfg), newEpisub(t)
	subscribe(t, a, "told")
	subscribe(t, b, "told")
	connect(t, a.host, b.host)
	select {
	case c := <-told:
		if c.Peer != b.host.ID() || c.Topic != "told" || c.Tier != episub.Eager || c.Reason == "" {
			t.Errorf("told %+v", c)
		}
	case <-soon(t).Done():
		t.Fatal("nothing was told")
	}
	a.host.Network().ClosePeer(b.host.ID())
	eventually(t, "the peer is gone", func() bool { v, _ := a.Tiers("told"); return len(v.Peers) == 0 })
}

func TestWithoutEpisubThereAreNoTiers(t *testing.T) {
	a, b, _, _ := pair(t, "plain", DefaultConfig())
	publish(t, a, "plain", "x")
	if _, ok := a.Tiers("plain"); ok {
		t.Error("there are tiers")
	}
	for _, c := range a.host.Network().ConnsToPeer(b.host.ID()) {
		for _, s := range c.GetStreams() {
			if s.Protocol() == EpisubProtocol {
				t.Error("a stream of episub was opened")
			}
		}
	}
}

// A GRAFT can come before the node's own stream to the peer is open.
func TestAPeerThatGraftsEarlyIsPushedTo(t *testing.T) {
	v := readEpisubVectors(t)
	node := newEpisub(t)
	subscribe(t, node, "t")
	s := &speaker{Host: newHost(t), t: t, node: node, in: make(chan []byte, 64)}
	s.subscribe()
	s.say(v.of(t, "unchoke"))
	eventually(t, "gossipsub has it in the mesh", func() bool { return node.trace.meshSize("t") == 1 })
	s.SetStreamHandler(EpisubProtocol, s.listen)
	eventually(t, "the tiers know", func() bool { v, _ := node.Tiers("t"); return v.PushedTo == 1 })
	s.hears("that it may push, too", v.of(t, "unchoke"))
}

// Pubsub's process loop takes nothing any more once it has ended, and its queue has one
// place.
func TestWhoPostsToAnEndedLoopDoesNotWait(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Episub = true
	p, err := New(newHost(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	posted := make(chan struct{})
	go func() {
		defer close(posted)
		for range 3 {
			p.engine.post(ended, func() {})
		}
	}()
	select {
	case <-posted:
	case <-time.After(30 * time.Second):
		t.Error("it waits")
	}
}
