package gossipsub

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const (
	mixedNodes    = 10
	mixedLinks    = 4 // dials per node: more than the mesh needs, so that there is gossip
	mixedMessages = 150
)

// outcome is what a network looked like from its plain nodes.
type outcome struct {
	iwants     uint64 // message IDs asked for, by all plain nodes
	duplicates uint64
	lowest     float64 // of all scores that plain nodes give
	ours       float64 // the lowest score they give to the first node
	missing    int     // deliveries that did not happen
}

// watcher counts what a plain node asks for.
type watcher struct {
	nopTracer
	iwants, duplicates *atomic.Uint64
}

func (w watcher) SendRPC(rpc *pubsub.RPC, _ peer.ID) {
	for _, m := range rpc.GetControl().GetIwant() {
		w.iwants.Add(uint64(len(m.GetMessageIDs())))
	}
}

func (w watcher) DuplicateMessage(*pubsub.Message) { w.duplicates.Add(1) }

// scoring has every score that depends on conduct switched on.
func scoring(topic string, inspect func(map[peer.ID]float64)) []pubsub.Option {
	return []pubsub.Option{
		pubsub.WithPeerScore(&pubsub.PeerScoreParams{
			SkipAtomicValidation: true,
			AppSpecificScore:     func(peer.ID) float64 { return 0 },
			DecayInterval:        time.Second, DecayToZero: 0.01,
			BehaviourPenaltyWeight: -10, BehaviourPenaltyDecay: 0.99,
			Topics: map[string]*pubsub.TopicScoreParams{topic: {
				SkipAtomicValidation: true, TopicWeight: 1,
				TimeInMeshWeight: 0.01, TimeInMeshQuantum: time.Second, TimeInMeshCap: 10,
				FirstMessageDeliveriesWeight: 1, FirstMessageDeliveriesDecay: 0.99, FirstMessageDeliveriesCap: 50,
				InvalidMessageDeliveriesWeight: -100, InvalidMessageDeliveriesDecay: 0.99,
			}},
		}, &pubsub.PeerScoreThresholds{SkipAtomicValidation: true, GossipThreshold: -1e6, PublishThreshold: -1e6, GraylistThreshold: -1e6}),
		pubsub.WithPeerScoreInspect(inspect, 500*time.Millisecond),
	}
}

type publisher func(context.Context, []byte) error

// network runs ten nodes, lets them publish in turn, and reports what the plain
// ones saw. The first node is ours when mixed.
func runNetwork(t *testing.T, mixed bool) outcome {
	const topic = "mixed"
	var iwants, duplicates atomic.Uint64
	var mu sync.Mutex
	scores := make(map[peer.ID]float64) // lowest given so far
	inspect := func(given map[peer.ID]float64) {
		mu.Lock()
		defer mu.Unlock()
		for p, s := range given {
			if low, known := scores[p]; !known || s < low {
				scores[p] = s
			}
		}
	}

	var hosts []host.Host
	var publishers []publisher
	var received []*atomic.Int64
	for i := range mixedNodes {
		count := new(atomic.Int64)
		received = append(received, count)
		if mixed && i == 0 {
			p := newNode(t)
			s := subscribe(t, p, topic)
			go drain(count, func() error { _, err := s.Next(context.Background()); return err })
			hosts = append(hosts, p.host)
			publishers = append(publishers, func(ctx context.Context, data []byte) error { return p.Publish(ctx, topic, data) })
			continue
		}
		h, ps := newPlain(t, append(scoring(topic, inspect),
			pubsub.WithRawTracer(watcher{iwants: &iwants, duplicates: &duplicates}))...)
		top, err := ps.Join(topic)
		if err != nil {
			t.Fatal(err)
		}
		sub, err := top.Subscribe(pubsub.WithBufferSize(mixedMessages * 2))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		t.Cleanup(cancel)
		go drain(count, func() error { _, err := sub.Next(ctx); return err })
		hosts = append(hosts, h)
		publishers = append(publishers, func(ctx context.Context, data []byte) error { return top.Publish(ctx, data) })
	}
	for i, h := range hosts { // the same ring with chords in both runs
		for _, step := range []int{1, 2, 3, 5}[:mixedLinks] {
			connect(t, h, hosts[(i+step)%mixedNodes])
		}
	}
	time.Sleep(2500 * time.Millisecond) // two heartbeats: no event says that a foreign mesh is settled

	rng := rand.New(rand.NewPCG(1, 2))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := range mixedMessages {
		<-tick.C
		data := make([]byte, 1_500) // above the threshold of IDONTWANT
		for j := range data {
			data[j] = byte(rng.Uint32())
		}
		if err := publishers[i%mixedNodes](soon(t), data); err != nil {
			t.Fatal(err)
		}
	}
	missing := func() (n int) {
		for _, r := range received {
			n += mixedMessages - int(r.Load())
		}
		return n
	}
	for deadline := time.Now().Add(5 * time.Second); missing() > 0 && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(4500 * time.Millisecond) // gossip of 3 heartbeats, and promises broken after 3 s

	out := outcome{iwants: iwants.Load(), duplicates: duplicates.Load(), lowest: math.Inf(1), missing: missing()}
	mu.Lock()
	defer mu.Unlock()
	for _, s := range scores {
		out.lowest = min(out.lowest, s)
	}
	out.ours = scores[hosts[0].ID()]
	return out
}

func drain(count *atomic.Int64, next func() error) {
	for next() == nil {
		count.Add(1)
	}
}

func (o outcome) String() string {
	return fmt.Sprintf("IWANTs %d, duplicates %d, lowest score %.2f (first node %.2f), missing %d", o.iwants, o.duplicates, o.lowest, o.ours, o.missing)
}

// One node of ours among nine plain ones leaves IWANTs and scores as they are
// among ten plain ones. With message IDs of our own, IWANTs would go into the
// thousands and honest peers below zero.
func TestInAMixedNetworkIWANTsAndScoresStayAsAmongPlainPeers(t *testing.T) {
	plain, mixed := runNetwork(t, false), runNetwork(t, true)
	t.Logf("plain: %s", plain)
	t.Logf("mixed: %s", mixed)
	if plain.missing+mixed.missing > 0 {
		t.Error("not every message arrived everywhere")
	}
	// A busy machine makes gossip overtake the mesh now and then: allow one ID in ten messages per node.
	if slack := uint64(mixedMessages * mixedNodes / 10); mixed.iwants > plain.iwants+slack {
		t.Errorf("IWANTs went from %d to %d", plain.iwants, mixed.iwants)
	}
	if mixed.lowest < min(0, plain.lowest) {
		t.Errorf("the lowest score went from %.2f to %.2f", plain.lowest, mixed.lowest)
	}
	if mixed.ours < 0 {
		t.Errorf("our node is scored %.2f", mixed.ours)
	}
}

// nopTracer hears everything and does nothing.
type nopTracer struct{}

func (nopTracer) OnNewOutboundStream(peer.ID, protocol.ID) {}
func (nopTracer) OnClosedOutboundStream(peer.ID)           {}
func (nopTracer) Join(string)                              {}
func (nopTracer) Leave(string)                             {}
func (nopTracer) Graft(peer.ID, string)                    {}
func (nopTracer) Prune(peer.ID, string)                    {}
func (nopTracer) ValidateMessage(*pubsub.Message)          {}
func (nopTracer) DeliverMessage(*pubsub.Message)           {}
func (nopTracer) RejectMessage(*pubsub.Message, string)    {}
func (nopTracer) DuplicateMessage(*pubsub.Message)         {}
func (nopTracer) ThrottlePeer(peer.ID)                     {}
func (nopTracer) RecvRPC(*pubsub.RPC)                      {}
func (nopTracer) SendRPC(*pubsub.RPC, peer.ID)             {}
func (nopTracer) DropRPC(*pubsub.RPC, peer.ID)             {}
func (nopTracer) UndeliverableMessage(*pubsub.Message)     {}
