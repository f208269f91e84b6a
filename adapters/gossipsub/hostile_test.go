package gossipsub

import (
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"testing"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-msgio/pbio"
	"google.golang.org/protobuf/proto"
)

// attacker speaks gossipsub by hand.
type attacker struct {
	host.Host
	t      testing.TB
	victim *PubSub
	out    pbio.Writer
}

func attack(t testing.TB, victim *PubSub) *attacker {
	t.Helper()
	a := &attacker{Host: newHost(t), t: t, victim: victim}
	a.SetStreamHandler(pubsub.GossipSubID_v12, func(s network.Stream) { _, _ = s.Read(make([]byte, 1<<16)) })
	connect(t, a, victim.host)
	s, err := a.NewStream(soon(t), victim.host.ID(), pubsub.GossipSubID_v12)
	if err != nil {
		t.Fatal(err)
	}
	a.out = pbio.NewDelimitedWriter(s)
	return a
}

func (a *attacker) send(rpc *pb.RPC) {
	a.t.Helper()
	if err := a.out.WriteMsg(rpc); err != nil {
		a.t.Fatal(err)
	}
}

// subscribe announces topics first to last of an endless series.
func (a *attacker) subscribe(name func(int) string, first, last int) {
	rpc := &pb.RPC{}
	for i := first; i < last; i++ {
		rpc.Subscriptions = append(rpc.Subscriptions, &pb.RPC_SubOpts{Topicid: proto.String(name(i)), Subscribe: proto.Bool(true)})
	}
	a.send(rpc)
}

// handled waits until the victim has worked through all that was sent so far: it
// then knows the attacker in a topic of its own.
func (a *attacker) handled(topic string) {
	a.t.Helper()
	a.send(&pb.RPC{Subscriptions: []*pb.RPC_SubOpts{{Topicid: &topic, Subscribe: proto.Bool(true)}}})
	eventually(a.t, "the victim hears the attacker out", func() bool { return len(a.victim.ps.ListPeers(topic)) > 0 })
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // the first one only queues what finalizers hold
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestSubscribingTo600kTopicsCostsUnder16MiB(t *testing.T) {
	const topics, limit = 600_000, 16 << 20
	for name, perRPC := range map[string]int{"within the limit per RPC": 4_096, "beyond it": 20_000} {
		for kind, topic := range map[string]func(int) string{
			"short names":       strconv.Itoa,
			"the longest names": func(i int) string { return fmt.Sprintf("%0*d", MaxTopicLength, i) },
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				perRPC := perRPC
				if kind != "short names" {
					perRPC = min(perRPC, 1_000) // pubsub itself refuses more than 512 KiB
				}
				victim := newNode(t)
				subscribe(t, victim, "ours")
				a := attack(t, victim)
				before := heap()
				for i := 0; i < topics; i += perRPC {
					a.subscribe(topic, i, min(i+perRPC, topics))
				}
				a.handled("ours")
				if grown := heap() - before; grown > limit {
					t.Errorf("heap grew by %d KiB", grown>>10)
				} else {
					t.Logf("heap grew by %d KiB", grown>>10)
				}
				if s := victim.Stats(); s.SubscriptionsRefused < topics-uint64(victim.cfg.MaxTopicsPerPeer) {
					t.Errorf("only %d refused", s.SubscriptionsRefused)
				}
			})
		}
	}
}

func TestTopicsOfOursAreHeardBeyondTheLimit(t *testing.T) {
	victim := newNode(t)
	subscribe(t, victim, "ours")
	a := attack(t, victim)
	a.subscribe(strconv.Itoa, 0, 4_000)
	a.handled("ours")
	if n := len(victim.filter.peerTopics(victim, a.ID())); n != victim.cfg.MaxTopicsPerPeer {
		t.Errorf("%d foreign topics kept, want the limit", n)
	}
}

func TestNothingIsKeptOfAPeerThatLeft(t *testing.T) {
	victim := newNode(t)
	subscribe(t, victim, "ours")
	a := attack(t, victim)
	a.subscribe(strconv.Itoa, 0, 100)
	a.handled("ours")
	a.Close()
	eventually(t, "the filter forgets it", func() bool { return len(victim.filter.peerTopics(victim, a.ID())) == 0 })
}

// peerTopics reads the filter on the loop that owns it.
func (f *filter) peerTopics(p *PubSub, id interface{ String() string }) []string {
	var topics []string
	onLoop(p, func() {
		for peer, seen := range f.seen {
			if peer.String() == id.String() {
				for topic := range seen {
					topics = append(topics, topic)
				}
			}
		}
	})
	return topics
}

func TestAnAbsurdPruneDoesNoHarm(t *testing.T) {
	victim, honest, _, sh := pair(t, "ours", DefaultConfig())
	a := attack(t, victim)
	a.handled("ours")
	for _, backoff := range []uint64{math.MaxUint64, math.MaxInt64, math.MaxInt64/1_000_000_000 + 1, 1 << 63} {
		a.send(&pb.RPC{Control: &pb.ControlMessage{Prune: []*pb.ControlPrune{{
			TopicID: proto.String("ours"), Backoff: &backoff,
			Peers: []*pb.PeerInfo{{PeerID: []byte(honest.host.ID()), SignedPeerRecord: []byte("bogus")}},
		}}}})
	}
	eventually(t, "all four are capped", func() bool { return victim.Stats().PruneCapped == 4 })
	publish(t, victim, "ours", "unharmed")
	wantMessage(t, sh, "unharmed")
}

func TestInspectionCapsBackoffAndCutsPeerExchange(t *testing.T) {
	huge, usual := uint64(math.MaxUint64), uint64(60)
	rpc := &pubsub.RPC{RPC: pb.RPC{Control: &pb.ControlMessage{Prune: []*pb.ControlPrune{
		{Backoff: &huge, Peers: []*pb.PeerInfo{{}}}, {Backoff: &usual}, {},
	}}}}
	p := newNode(t)
	if err := p.inspect("", rpc); err != nil {
		t.Fatal(err)
	}
	prunes := rpc.GetControl().GetPrune()
	if prunes[0].GetBackoff() != 3_600 || prunes[0].Peers != nil || prunes[1].GetBackoff() != 60 || prunes[2].Backoff != nil {
		t.Errorf("prunes are %v", prunes)
	}
	if huge != math.MaxUint64 {
		t.Error("the sender's own number was changed")
	}
}

func TestEndlessGraftsAndAnnouncementsCostNothing(t *testing.T) {
	victim := newNode(t)
	subscribe(t, victim, "ours")
	a := attack(t, victim)
	before := heap()
	for batch := range 20 {
		ctl := &pb.ControlMessage{}
		for i := range 5_000 {
			name := fmt.Sprintf("topic %d %d", batch, i)
			ctl.Graft = append(ctl.Graft, &pb.ControlGraft{TopicID: &name})
			ctl.Prune = append(ctl.Prune, &pb.ControlPrune{TopicID: &name, Backoff: proto.Uint64(1)})
			ctl.Ihave = append(ctl.Ihave, &pb.ControlIHave{TopicID: &name, MessageIDs: []string{name}})
		}
		a.send(&pb.RPC{Control: ctl})
	}
	a.handled("ours")
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("heap grew by %d KiB", grown>>10)
	}
	if s := victim.Stats(); s.Received.Graft != 100_000 || s.Sent.IWant != 0 || len(s.ByTopic) != 2 {
		t.Errorf("grafts %d, iwants %d, topics %d", s.Received.Graft, s.Sent.IWant, len(s.ByTopic))
	}
}

func TestAForgedMessageIsRejectedAndCounted(t *testing.T) {
	victim := newNode(t)
	s := subscribe(t, victim, "ours")
	a := attack(t, victim)
	msg := func(sig []byte) *pb.Message {
		return &pb.Message{From: []byte(a.ID()), Seqno: []byte("12345678"), Topic: proto.String("ours"), Data: []byte("x"), Signature: sig}
	}
	a.send(&pb.RPC{Publish: []*pb.Message{msg(nil), msg([]byte(strings.Repeat("s", 64)))}})
	eventually(t, "both are rejected", func() bool {
		r := victim.Stats().Rejected
		return r[pubsub.RejectMissingSignature] == 1 && r[pubsub.RejectInvalidSignature] == 1
	})
	wantNothing(t, s)
}

func TestALongSequenceNumberIsNotRemembered(t *testing.T) {
	victim := newNode(t)
	s := subscribe(t, victim, "ours")
	a := attack(t, victim)
	key := a.Peerstore().PrivKey(a.ID())
	msg := func(seqno string) *pb.Message {
		m := &pb.Message{From: []byte(a.ID()), Seqno: []byte(seqno), Topic: proto.String("ours"), Data: []byte("x")}
		raw, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if m.Signature, err = key.Sign(append([]byte(pubsub.SignPrefix), raw...)); err != nil {
			t.Fatal(err)
		}
		return m
	}
	a.send(&pb.RPC{Publish: []*pb.Message{msg(strings.Repeat("s", 1_000)), msg("12345678"), msg("123456789")}})
	if m := wantMessage(t, s, "x"); string(m.Seq) != "12345678" {
		t.Errorf("message %q came through", m.Seq)
	}
	if n := victim.Stats().Rejected["other"]; n != 2 {
		t.Errorf("%d rejected, want 2", n)
	}
}

func TestTopicStatsAreBounded(t *testing.T) {
	p := newNode(t)
	for i := range MaxTopicStats + 10 {
		if err := p.Join(strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(p.Stats().ByTopic); n != MaxTopicStats+1 {
		t.Errorf("%d topics are counted, want %d and the rest", n, MaxTopicStats)
	}
}
