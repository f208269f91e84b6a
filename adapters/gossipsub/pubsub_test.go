package gossipsub

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/weftnet/weft/adapters/leaktest"
)

func TestAMessageArrivesWithItsAuthorAndNeighbour(t *testing.T) {
	a, b, sa, sb := pair(t, "news", DefaultConfig())
	publish(t, a, "news", "hello")
	m := wantMessage(t, sb, "hello")
	if m.Topic != "news" || m.From != a.host.ID() || m.Via != a.host.ID() || len(m.Seq) != 8 || m.Received.IsZero() {
		t.Errorf("message is %+v", m)
	}
	own := wantMessage(t, sa, "hello")
	if own.ID != m.ID || own.Via != a.host.ID() {
		t.Errorf("the publisher's own copy is %+v", own)
	}
	if s := b.Stats(); s.Delivered != 1 || s.ByTopic["news"].BytesIn != 5 || s.Peers != 1 {
		t.Errorf("stats are %+v", s)
	}
}

func TestTheSamePayloadTwiceArrivesTwice(t *testing.T) {
	a, _, _, sb := pair(t, "news", DefaultConfig())
	publish(t, a, "news", "again")
	publish(t, a, "news", "again")
	first, second := wantMessage(t, sb, "again"), wantMessage(t, sb, "again")
	if first.ID == second.ID {
		t.Error("two messages have one ID")
	}
}

func TestTheCallerMayReuseItsBuffer(t *testing.T) {
	a, _, _, sb := pair(t, "news", DefaultConfig())
	buf := []byte("one")
	for _, word := range []string{"one", "two", "six"} {
		copy(buf, word)
		if err := a.Publish(soon(t), "news", buf); err != nil {
			t.Fatal(err)
		}
	}
	copy(buf, "xxx")
	got := map[string]bool{}
	for range 3 {
		m, err := sb.Next(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		got[string(m.Data)] = true
	}
	if len(got) != 3 || got["xxx"] {
		t.Errorf("got %v", got)
	}
}

// With or without episub: only what was published shortly before may come too, as a repair.
func TestALateJoinerReceivesFromThenOn(t *testing.T) {
	for name, episub := range map[string]bool{"plain": false, "episub": true} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.Episub = episub
			a, b, _, sb := pair(t, "news", cfg)
			publish(t, a, "news", "early")
			wantMessage(t, sb, "early")

			c := newNodeWith(t, cfg)
			connect(t, c.host, b.host)
			sc := subscribe(t, c, "news")
			eventually(t, "b links c", func() bool { return b.trace.meshSize("news") == 2 })
			publish(t, a, "news", "late")
			wantMessage(t, sb, "late")
			m, err := sc.Next(soon(t))
			if err == nil && string(m.Data) == "early" {
				m, err = sc.Next(soon(t))
			}
			if err != nil || string(m.Data) != "late" {
				t.Errorf("got %q, %v, want what was published after it came", m.Data, err)
			}
		})
	}
}

func TestLeavingStopsMessagesAndRejoiningBringsThemBack(t *testing.T) {
	a, b, _, sb := pair(t, "news", DefaultConfig())
	publish(t, a, "news", "before")
	wantMessage(t, sb, "before")

	sb.Close()
	eventually(t, "a knows that b left", func() bool { return len(a.ps.ListPeers("news")) == 0 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := a.Publish(ctx, "news", []byte("meanwhile")); !errors.Is(err, ErrNoPeers) {
		t.Fatalf("publish while nobody listens: %v, want ErrNoPeers", err)
	}

	again := subscribe(t, b, "news") // while both still back off: it comes by gossip
	publish(t, a, "news", "after")
	wantMessage(t, again, "after")
	if _, err := sb.Next(soon(t)); !errors.Is(err, ErrSubscriptionClosed) {
		t.Errorf("the closed subscription: %v", err)
	}
}

func TestJoinForwardsWithoutConsuming(t *testing.T) {
	a, relay, c := newNode(t), newNode(t), newNode(t)
	connect(t, a.host, relay.host)
	connect(t, relay.host, c.host)
	for range 2 {
		if err := relay.Join("news"); err != nil {
			t.Fatal(err)
		}
	}
	subscribe(t, a, "news")
	sc := subscribe(t, c, "news")
	eventually(t, "the relay links both", func() bool { return relay.trace.meshSize("news") == 2 })
	publish(t, a, "news", "through")
	wantMessage(t, sc, "through")

	info := relay.Topics()[0]
	if !info.Joined || info.Subscribed || info.Mesh != 2 || len(info.Peers) != 2 || info.Delivered != 1 {
		t.Errorf("topic of the relay is %+v", info)
	}
	for want, left := range []error{nil, nil, ErrNotJoined} {
		if err := relay.Leave("news"); !errors.Is(err, left) {
			t.Errorf("leave %d: %v, want %v", want+1, err, left)
		}
	}
	if topics := relay.Topics(); len(topics) != 0 {
		t.Errorf("still in %+v", topics)
	}
}

func TestPublishingToATopicNotJoinedReachesItsSubscribers(t *testing.T) {
	a, b := newNode(t), newNode(t)
	connect(t, a.host, b.host)
	sb := subscribe(t, b, "news")
	publish(t, a, "news", "from outside")
	wantMessage(t, sb, "from outside")
	if topics := a.Topics(); len(topics) != 0 {
		t.Errorf("publishing joined %+v", topics)
	}
}

func TestAFloodsubPeerIsReached(t *testing.T) {
	h := newHost(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	old, err := pubsub.NewFloodSub(ctx, h)
	if err != nil {
		t.Fatal(err)
	}
	topic, err := old.Join("news")
	if err != nil {
		t.Fatal(err)
	}
	sub, err := topic.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	a := newNode(t)
	subscribe(t, a, "news")
	connect(t, a.host, h)
	publish(t, a, "news", "plain old")
	if m, err := sub.Next(soon(t)); err != nil || string(m.Data) != "plain old" {
		t.Errorf("got %v, %v", m, err)
	}
}

func TestBadTopicNamesAreRefused(t *testing.T) {
	a := newNode(t)
	for name, topic := range map[string]string{"empty": "", "long": strings.Repeat("x", MaxTopicLength+1), "binary": "\xff"} {
		_, subErr := a.Subscribe(topic)
		for what, err := range map[string]error{"publish": a.Publish(t.Context(), topic, nil), "join": a.Join(topic), "subscribe": subErr} {
			if !errors.Is(err, ErrBadTopic) {
				t.Errorf("%s, %s: %v, want ErrBadTopic", name, what, err)
			}
		}
	}
}

func TestConfigErrorsNameTheSetting(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"MaxMessage":        func(c *Config) { c.MaxMessage = 17 << 20 },
		"MaxTopicsPerPeer":  func(c *Config) { c.MaxTopicsPerPeer = 0 },
		"SubscriptionBytes": func(c *Config) { c.SubscriptionBytes = c.MaxMessage - 1 },
		"ValidateQueue":     func(c *Config) { c.ValidateQueue = -1 },
		"Logger":            func(c *Config) { c.Logger = nil },
	} {
		cfg := DefaultConfig()
		spoil(&cfg)
		if err := cfg.Validate(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsEverythingWhileTheHostsStayOpen(t *testing.T) {
	ha, hb := newHost(t), newHost(t)
	connect(t, ha, hb)
	eventually(t, "identify is over", func() bool {
		protos, _ := ha.Peerstore().GetProtocols(hb.ID())
		return len(protos) > 0
	})
	noLeak := leaktest.Begin()

	a, errA := New(ha, DefaultConfig())
	b, errB := New(hb, DefaultConfig())
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	sa, sb := subscribe(t, a, "news"), subscribe(t, b, "news")
	publish(t, a, "news", "last words")
	eventually(t, "b got it", func() bool { return b.Stats().Delivered == 1 })
	waiting := make(chan error, 1)
	go func() { waiting <- a.Publish(context.Background(), "nobody here", nil) }()

	if err := errors.Join(a.Close(), b.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	wantMessage(t, sb, "last words") // what was delivered can still be read
	if _, err := sb.Next(soon(t)); !errors.Is(err, ErrSubscriptionClosed) {
		t.Errorf("next after close: %v", err)
	}
	if err := <-waiting; !errors.Is(err, ErrClosed) {
		t.Errorf("publish under way: %v, want ErrClosed", err)
	}
	_, subErr := a.Subscribe("news")
	for what, err := range map[string]error{"join": a.Join("news"), "leave": a.Leave("news"), "subscribe": subErr} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after close: %v, want ErrClosed", what, err)
		}
	}
	sa.Close()
	noLeak(t)
}
