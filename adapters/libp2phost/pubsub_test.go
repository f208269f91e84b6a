package libp2phost

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-varint"

	"github.com/weftnet/weft/protocols/core"
)

// These tests run the software that the overlay is for.

const topicName = "greetings"

// chatter is a pubsub on one topic.
type chatter struct {
	topic *pubsub.Topic
	sub   *pubsub.Subscription
}

func newChatter(t testing.TB, h host.Host, maxMessage int) *chatter {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	ps, err := pubsub.NewGossipSub(ctx, h, pubsub.WithMaxMessageSize(maxMessage),
		pubsub.WithFloodPublish(true)) // without, nothing is sent until the next heartbeat has made a mesh
	if err != nil {
		t.Fatal(err)
	}
	topic, err := ps.Join(topicName)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := topic.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Cancel)
	return &chatter{topic, sub}
}

func (c *chatter) knows(p peer.ID) bool { return slices.Contains(c.topic.ListPeers(), p) }

func (c *chatter) publish(t testing.TB, data []byte) {
	t.Helper()
	if err := c.topic.Publish(testContext(t), data); err != nil {
		t.Fatal(err)
	}
}

// receive waits for a message with this content.
func (c *chatter) receive(t testing.TB, data []byte) {
	t.Helper()
	ctx := testContext(t)
	for {
		msg, err := c.sub.Next(ctx)
		if err != nil {
			t.Fatalf("waiting for %d bytes: %v", len(data), err)
		}
		if bytes.Equal(msg.Data, data) {
			return
		}
	}
}

// openHost is a host that admits everybody.
func openHost(t testing.TB, change ...func(*Config)) *testHost {
	t.Helper()
	var self *Host
	ready := make(chan struct{})
	th := newTestHost(t, append(change, func(c *Config) {
		post := c.Post
		c.Post = func(ev core.Event) {
			<-ready
			if up, ok := ev.(core.Connected); ok {
				self.Admit(up.Peer)
			}
			post(ev)
		}
	})...)
	self = th.Host
	close(ready)
	return th
}

func TestPubsubMeetsAPeerAtItsAdmissionAndNotBefore(t *testing.T) {
	h, p := newTestHost(t), plainHost(t)
	ours, theirs := newChatter(t, h.Overlay(), 1<<20), newChatter(t, p, 1<<20)
	if err := p.Connect(testContext(t), h.on("tcp")); err != nil {
		t.Fatal(err)
	}
	// Their hello comes at once, and is sent only once: it has to wait.
	eventually(t, "their stream waits", func() bool { return h.Stats().Held > 0 })
	theirs.publish(t, []byte("too early")) // floods to nobody: we have not spoken
	if ours.knows(p.ID()) || theirs.knows(h.ID()) {
		t.Fatal("pubsub met the peer before its admission")
	}
	h.Admit(p.ID())
	eventually(t, "they have met", func() bool { return ours.knows(p.ID()) && theirs.knows(h.ID()) })
	theirs.publish(t, []byte("hello"))
	ours.receive(t, []byte("hello"))
	ours.publish(t, []byte("welcome"))
	theirs.receive(t, []byte("welcome"))
}

func TestPubsubMeetsAPeerAgainAfterItLeft(t *testing.T) {
	h, p := openHost(t), plainHost(t)
	ours, theirs := newChatter(t, h.Overlay(), 1<<20), newChatter(t, p, 1<<20)
	for _, words := range []string{"one", "two", "three"} {
		if err := p.Connect(testContext(t), h.on("tcp")); err != nil {
			t.Fatal(err)
		}
		eventually(t, "they have met", func() bool { return ours.knows(p.ID()) && theirs.knows(h.ID()) })
		theirs.publish(t, []byte(words))
		ours.receive(t, []byte(words))
		if err := h.Disconnect(p.ID()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "they have parted", func() bool { return !ours.knows(p.ID()) && !theirs.knows(h.ID()) })
	}
}

func TestMessagesOfEverySizeArriveOverTCPAndQUIC(t *testing.T) {
	const limit = 16<<20 + 64<<10
	for _, transport := range []string{"tcp", "quic-v1"} {
		a := openHost(t, func(c *Config) { c.MaxInboundMessage = limit })
		b := openHost(t, func(c *Config) { c.MaxInboundMessage = limit })
		mustConnect(t, a, b.on(transport))
		from, to := newChatter(t, a.Overlay(), limit), newChatter(t, b.Overlay(), limit)
		eventually(t, "they have met", func() bool { return from.knows(b.ID()) && to.knows(a.ID()) })
		for _, n := range []int{0, 1, 4096, 64 << 10, 65 << 10, 1 << 20, 16 << 20} {
			from.publish(t, body(n))
			to.receive(t, body(n))
		}
		if st := b.Stats(); st.BufferedBytes != 0 {
			t.Errorf("%s: %d bytes still held", transport, st.BufferedBytes)
		}
	}
}

func newTable(t *testing.T, h *testHost) *dht.IpfsDHT {
	t.Helper()
	table, err := dht.New(h.Overlay(), dht.Mode(dht.ModeServer), dht.ProtocolPrefix("/weft/test"),
		dht.AddressFilter(nil), dht.DisableAutoRefresh())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = table.Close() })
	return table
}

func TestTheDHTFindsPeersOverTheOverlay(t *testing.T) {
	const n = 5
	hosts := make([]*testHost, n)
	tables := make([]*dht.IpfsDHT, n)
	for i := range hosts {
		hosts[i] = openHost(t)
		tables[i] = newTable(t, hosts[i])
	}
	for i := range n - 1 { // a chain: the ends know each other through the others only
		mustConnect(t, hosts[i], hosts[i+1].info())
	}
	eventually(t, "neighbours are in the tables", func() bool {
		return !slices.ContainsFunc(tables, func(d *dht.IpfsDHT) bool { return d.RoutingTable().Size() == 0 })
	})
	found, err := tables[0].FindPeer(testContext(t), hosts[n-1].ID())
	if err != nil || len(found.Addrs) == 0 {
		t.Fatalf("found %v, %v", found, err)
	}
}

// heap is what is live, in bytes.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// pubsubStream opens a stream as gossipsub does and sends raw bytes.
func pubsubStream(t testing.TB, from host.Host, to peer.ID, raw []byte) network.Stream {
	t.Helper()
	s, err := from.NewStream(testContext(t), to, pubsub.GossipSubID_v11)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(raw); err != nil {
		t.Fatal(err)
	}
	return s
}

// awaitReset returns when the other end has reset the stream.
func awaitReset(t testing.TB, s network.Stream) {
	_ = s.SetReadDeadline(time.Now().Add(patience))
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, network.ErrReset) {
		t.Errorf("the stream ended with %v", err)
	}
}

// stallers are peers that announce 16 MiB each, send the first bytes and stall.
func stallers(t testing.TB, h *testHost, n, sent int) []network.Stream {
	t.Helper()
	raw := append(varint.ToUvarint(16<<20), body(sent)...)
	peers := make([]host.Host, n)
	for i := range peers {
		peers[i] = plainHost(t)
		if err := peers[i].Connect(testContext(t), h.on("tcp")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all are admitted", func() bool { return h.Stats().Admitted >= n })
	streams := make([]network.Stream, n)
	var wg sync.WaitGroup
	for i, p := range peers {
		wg.Go(func() { streams[i] = pubsubStream(t, p, h.ID(), raw) })
	}
	wg.Wait()
	return streams
}

func TestFiftyPeersThatAnnounceSixteenMiBAndStallCostLittleAndEnd(t *testing.T) {
	const peers, limit = 50, 16<<20 + 64<<10
	const timeout = 10 * time.Second // a busy machine may take some of it to begin all messages
	h := openHost(t, func(c *Config) {
		c.MaxPeers, c.MaxInboundMessage, c.MessageTimeout = 100, limit, timeout
	})
	honest := plainHost(t)
	ours, theirs := newChatter(t, h.Overlay(), limit), newChatter(t, honest, limit)
	if err := honest.Connect(testContext(t), h.on("tcp")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "they have met", func() bool { return ours.knows(honest.ID()) && theirs.knows(h.ID()) })

	before := heap()
	begin := time.Now()
	streams := stallers(t, h, peers, 100)
	eventually(t, "all have begun", func() bool { return h.Stats().BufferedBytes == peers*pieceBytes })
	grown := int64(heap()) - int64(before)
	t.Logf("heap grew by %d KiB, the %d connections included", grown>>10, peers)
	if grown > 64<<20 {
		t.Errorf("heap grew by %d MiB", grown>>20)
	}

	for _, n := range []int{100, 2 << 20} { // small and large messages go on
		theirs.publish(t, body(n))
		ours.receive(t, body(n))
		ours.publish(t, append(body(n), 1))
		theirs.receive(t, append(body(n), 1))
	}
	if took := time.Since(begin); took > timeout {
		t.Logf("honest traffic took until %v, when the stalled messages had ended", took)
	}
	for _, s := range streams {
		awaitReset(t, s)
	}
	eventually(t, "each is counted, and nothing is held for it", func() bool {
		st := h.Stats()
		return st.SlowMessages == peers && st.BufferedBytes == 0
	})
}

func TestPeersThatFillTheBudgetAndStallAreEndedForThoseWhoWait(t *testing.T) {
	t.Parallel() // it waits for time to pass
	const peers, limit = 40, 16<<20 + 64<<10
	h := openHost(t, func(c *Config) { c.MaxInboundMessage, c.MessageBudget = limit, 8<<20 })
	honest := plainHost(t)
	ours, theirs := newChatter(t, h.Overlay(), limit), newChatter(t, honest, limit)
	if err := honest.Connect(testContext(t), h.on("tcp")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "they have met", func() bool { return ours.knows(honest.ID()) && theirs.knows(h.ID()) })
	stallers(t, h, peers, 200<<10) // 3 pieces each, and a fourth begun: 10 MiB
	eventually(t, "the budget is full", func() bool { return h.Stats().BufferedBytes >= 8<<20 })
	theirs.publish(t, body(4<<20))
	ours.receive(t, body(4<<20))
	st := h.Stats()
	if st.EvictedMessages == 0 || st.SlowMessages != 0 {
		t.Errorf("stats %+v", st)
	}
	t.Logf("%d of %d stalled messages were ended early", st.EvictedMessages, peers)
}

// The worst peers send as much as they can and withhold the last byte: all their
// messages together may cost the budget, and what one message may overdraw.
func TestFiftyPeersThatWithholdTheLastByteCostNoMoreThanTheBudget(t *testing.T) {
	const peers, limit = 50, 16<<20 + 64<<10
	h := openHost(t, func(c *Config) {
		c.MaxInboundMessage, c.MessageTimeout = limit, 8*time.Second
	})
	newChatter(t, h.Overlay(), limit)
	raw := varint.ToUvarint(16 << 20)
	raw = append(raw, body(16<<20-1)...)
	senders := make([]host.Host, peers)
	for i := range senders {
		senders[i] = plainHost(t)
		if err := senders[i].Connect(testContext(t), h.on("tcp")); err != nil {
			t.Fatal(err)
		}
	}
	before := heap() // the hosts themselves are not what the messages cost
	var wg sync.WaitGroup
	for _, p := range senders {
		wg.Go(func() {
			s, err := p.NewStream(testContext(t), h.ID(), pubsub.GossipSubID_v11)
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = s.Write(raw) // ends when the node resets the stream
			awaitReset(t, s)
		})
	}
	eventually(t, "the budget is used up", func() bool { return h.Stats().BufferedBytes >= 32<<20 })
	grown := int64(heap()) - int64(before)
	wg.Wait()
	st := h.Stats()
	t.Logf("heap grew by %d MiB, both ends of %d streams included; %d slow, %d starved, %d evicted",
		grown>>20, peers, st.SlowMessages, st.StarvedMessages, st.EvictedMessages)
	if grown > 80<<20 {
		t.Errorf("heap grew by %d MiB", grown>>20)
	}
	eventually(t, "all is given back and each is counted", func() bool {
		st := h.Stats()
		return st.BufferedBytes == 0 && st.SlowMessages+st.StarvedMessages+st.EvictedMessages == peers
	})
}

func TestAnAnnouncementOverTheLimitEndsTheStreamAndNotTheConnection(t *testing.T) {
	h, p := openHost(t), plainHost(t)
	newChatter(t, h.Overlay(), 1<<20)
	if err := p.Connect(testContext(t), h.on("tcp")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is admitted", func() bool { return h.Stats().Admitted == 1 })
	awaitReset(t, pubsubStream(t, p, h.ID(), varint.ToUvarint(17<<20)))
	eventually(t, "it is counted", func() bool { return h.Stats().OversizeMessages == 1 })
	if n := h.NumPeers(); n != 1 {
		t.Errorf("%d peers", n)
	}
}
