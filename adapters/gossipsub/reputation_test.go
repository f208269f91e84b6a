package gossipsub

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/weftnet/weft/protocols/core"
)

// reports are what a node was told.
type reports struct {
	mu     sync.Mutex
	events []core.Event
}

func (r *reports) add(ev core.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, ev)
}

// offences counts those of a peer.
func (r *reports) offences(id peer.ID, o core.Offence) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ev := range r.events {
		if m, ok := ev.(core.Misbehaved); ok && m.Peer == id && m.Offence == o {
			n++
		}
	}
	return n
}

func newReporting(t testing.TB) (*PubSub, *reports) {
	r := &reports{}
	cfg := DefaultConfig()
	cfg.Report = r.add
	return newNodeWith(t, cfg), r
}

func (r *reputation) sums() map[peer.ID]core.Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[peer.ID]core.Delivery{}
	for id, d := range r.of {
		all[id] = *d
	}
	return all
}

func TestWhoDeliversFirstAndWhoLateIsSummedUp(t *testing.T) {
	n, _ := newReporting(t)
	sub := subscribe(t, n, "topic")
	a, b := newNode(t), newNode(t)
	sa, sb := subscribe(t, a, "topic"), subscribe(t, b, "topic")
	connect(t, a.host, n.host)
	connect(t, b.host, n.host)
	connect(t, a.host, b.host)
	eventually(t, "a mesh of three", func() bool {
		return n.trace.meshSize("topic") == 2 && a.trace.meshSize("topic") == 2 && b.trace.meshSize("topic") == 2
	})
	const messages = 20
	for i := range messages {
		publish(t, a, "topic", fmt.Sprint(i))
		wantMessage(t, sub, fmt.Sprint(i))
		wantMessage(t, sa, fmt.Sprint(i))
		wantMessage(t, sb, fmt.Sprint(i))
	}
	publish(t, n, "topic", "our own")
	wantMessage(t, sa, "our own")
	wantMessage(t, sb, "our own")
	var first, late uint32
	for id, of := range n.reputation.sums() {
		if id != a.host.ID() && id != b.host.ID() || of.Peer != id || of.Delay < 0 || of.Delay > time.Duration(of.Late)*lateMost {
			t.Errorf("%s: %+v", id, of)
		}
		first, late = first+of.First, late+of.Late
	}
	if first != messages || uint64(late) > n.Stats().Duplicates {
		t.Errorf("%d messages came first, %d copies late; want %d, and at most %d", first, late, messages, n.Stats().Duplicates)
	}
}

func TestDeliveriesAreToldOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []core.Event
		r := newReputation(func(ev core.Event) { told = append(told, ev) })
		ctx, cancel := context.WithCancel(t.Context())
		go r.run(ctx)
		for range 3 {
			r.DeliverMessage(&pubsub.Message{ReceivedFrom: "p"})
		}
		time.Sleep(tellEvery + time.Second) // virtual
		r.DeliverMessage(&pubsub.Message{ReceivedFrom: "q"})
		time.Sleep(10 * tellEvery)
		cancel()
		r.wait()
		want := []core.Event{
			core.Deliveries{Of: []core.Delivery{{Peer: "p", First: 3}}},
			core.Deliveries{Of: []core.Delivery{{Peer: "q", First: 1}}},
		}
		if !reflect.DeepEqual(told, want) {
			t.Errorf("told %+v, want %+v", told, want)
		}
	})
}

func TestALateCopyCountsByItsDelay(t *testing.T) {
	r := newReputation(nil)
	message := func(id string, from peer.ID) *pubsub.Message {
		return &pubsub.Message{Message: &pb.Message{}, ID: id, ReceivedFrom: from}
	}
	r.ValidateMessage(message("m", "early"))
	r.DeliverMessage(message("m", "early"))
	key := r.key(message("m", ""))
	r.firsts[key] = time.Now().Add(-time.Second)
	r.DuplicateMessage(message("m", "late"))
	r.firsts[key] = time.Now().Add(-time.Hour)
	r.DuplicateMessage(message("m", "later"))
	r.DuplicateMessage(message("unknown", "later"))
	sums := r.sums()
	if d := sums["early"]; d.First != 1 || d.Late != 0 {
		t.Errorf("early: %+v", d)
	}
	if d := sums["late"]; d.First != 0 || d.Late != 1 || d.Delay < time.Second || d.Delay > lateMost {
		t.Errorf("late: %+v", d)
	}
	if d := sums["later"]; d.Late != 1 || d.Delay != lateMost {
		t.Errorf("later: %+v", d)
	}
	for i := range 3 * firstsKept {
		r.ValidateMessage(message(fmt.Sprint(i), "early"))
		r.DeliverMessage(message(fmt.Sprint(i), peer.ID(fmt.Sprint(i))))
	}
	if len(r.firsts) != firstsKept || len(r.order) != firstsKept || len(r.of) != tellPeers {
		t.Errorf("%d first copies and %d peers are remembered, want %d and %d", len(r.firsts), len(r.of), firstsKept, tellPeers)
	}
	if d := r.deliveries(); len(d.Of) != tellPeers || len(r.of) != 0 {
		t.Errorf("%d peers are told of, %d stay", len(d.Of), len(r.of))
	}
}

func TestWhoPassesOnWhatNobodySignedIsBlamed(t *testing.T) {
	n, told := newReporting(t)
	subscribe(t, n, "topic")
	a := attack(t, n)
	topic := "topic"
	forged := &pb.Message{From: []byte(a.ID()), Seqno: make([]byte, 8), Topic: &topic, Data: []byte("x"), Signature: make([]byte, 64)}
	unsigned := &pb.Message{From: []byte(a.ID()), Seqno: []byte("12345678"), Topic: &topic, Data: []byte("x")}
	a.send(&pb.RPC{Publish: []*pb.Message{forged, unsigned}})
	eventually(t, "both are told", func() bool {
		return told.offences(a.ID(), core.OffenceGossipInvalid) == 1 && told.offences(a.ID(), core.OffenceGossipUnsigned) == 1
	})
}

func TestOffencesThatNobodyTakesAreDroppedAndCounted(t *testing.T) {
	stuck := make(chan struct{})
	cfg := DefaultConfig()
	cfg.Report = func(core.Event) { <-stuck }
	n := newNodeWith(t, cfg)
	defer close(stuck)
	for range mailboxSize + 10 {
		n.blame("p", core.OffenceGossipGraft, "again") // must not wait
	}
	if lost := n.Stats().OffencesLost; lost < 9 || lost > 10 {
		t.Errorf("%d are counted as lost, want 9 or 10", lost)
	}
}

func TestAScoreBelowZeroLeavesTheMeshAndABannedPeerIsNotHeard(t *testing.T) {
	n, _ := newReporting(t)
	sub := subscribe(t, n, "topic")
	p := newNode(t)
	subscribe(t, p, "topic")
	connect(t, p.host, n.host)
	eventually(t, "a mesh", func() bool { return n.trace.meshSize("topic") == 1 && p.trace.meshSize("topic") == 1 })

	n.Rate(p.host.ID(), -30)
	eventually(t, "it is pruned", func() bool { return n.trace.meshSize("topic") == 0 })
	publishDirect(t, n, p, "still heard")
	wantMessage(t, sub, "still heard")

	n.Rate(p.host.ID(), Banned)
	publishDirect(t, n, p, "not heard")
	n.Rate(p.host.ID(), 0)
	publishDirect(t, n, p, "heard again")
	wantMessage(t, sub, "heard again")
	if len(*n.reputation.scores.Load()) != 0 {
		t.Error("a score of zero is kept")
	}
}

// publishDirect sends a message of p straight to n, mesh or not, and returns when n's
// loop has had it.
func publishDirect(t *testing.T, n, p *PubSub, data string) {
	t.Helper()
	before := n.Stats().Received.Messages
	msg := signed(t, p, "topic", data)
	onLoop(p, func() { p.router.SendControl(n.host.ID(), &pb.ControlMessage{}, msg) })
	eventually(t, "the message has come", func() bool { return n.Stats().Received.Messages > before })
	onLoop(n, func() {})
}

// signed is a message as pubsub makes it.
func signed(t *testing.T, p *PubSub, topic, data string) *pb.Message {
	t.Helper()
	m := &pb.Message{From: []byte(p.host.ID()), Seqno: []byte(fmt.Sprintf("%08d", time.Now().UnixNano()%1e8)), Topic: &topic, Data: []byte(data)}
	sign(t, p.host.Peerstore().PrivKey(p.host.ID()), m)
	return m
}

func sign(t *testing.T, key crypto.PrivKey, m *pb.Message) {
	t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if m.Signature, err = key.Sign(append([]byte(pubsub.SignPrefix), raw...)); err != nil {
		t.Fatal(err)
	}
}
