package gossipsub

import (
	"context"
	"fmt"
	"maps"
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
	lowest     float64 // of all scores that plain nodes ever gave
	first      float64 // what they gave the first node in the end, on average
	others     float64 // what they gave each other
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

// runNetwork runs ten nodes, lets them publish in turn, and reports what the plain
// ones saw. The first node is ours when mixed.
func runNetwork(t *testing.T, mixed bool) outcome {
	const topic = "mixed"
	var iwants, duplicates atomic.Uint64
	var scores ledger
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
		h, ps := newPlain(t, append(scoring(topic, scores.enter(i)),
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

	out := outcome{iwants: iwants.Load(), duplicates: duplicates.Load(), missing: missing()}
	out.lowest, out.first, out.others = scores.sum(hosts[0].ID())
	return out
}

// ledger keeps the scores that plain nodes give.
type ledger struct {
	mu     sync.Mutex
	lowest float64
	last   [mixedNodes]map[peer.ID]float64
}

// enter is what the inspection of a node calls.
func (l *ledger) enter(node int) func(map[peer.ID]float64) {
	return func(given map[peer.ID]float64) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.last[node] = maps.Clone(given)
		for _, s := range given {
			l.lowest = min(l.lowest, s)
		}
	}
}

func (l *ledger) sum(first peer.ID) (lowest, toFirst, toOthers float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var nFirst, nOthers float64
	for _, given := range l.last {
		for p, s := range given {
			if p == first {
				toFirst, nFirst = toFirst+s, nFirst+1
			} else {
				toOthers, nOthers = toOthers+s, nOthers+1
			}
		}
	}
	return l.lowest, toFirst / nFirst, toOthers / nOthers
}

func drain(count *atomic.Int64, next func() error) {
	for next() == nil {
		count.Add(1)
	}
}

func (o outcome) String() string {
	return fmt.Sprintf("%d IDs asked for, %d duplicates, lowest score %.2f, final mean %.2f to the first node and %.2f to the others, missing %d",
		o.iwants, o.duplicates, o.lowest, o.first, o.others, o.missing)
}

// One node of ours among nine plain ones leaves IWANTs and scores as they are
// among ten plain ones. With message IDs of our own, IWANTs would go into the
// thousands and honest peers below zero.
func TestInAMixedNetworkIWANTsAndScoresStayAsAmongPlainPeers(t *testing.T) {
	var plain, mixed outcome
	t.Run("side by side", func(t *testing.T) {
		t.Run("plain", func(t *testing.T) { t.Parallel(); plain = runNetwork(t, false) })
		t.Run("mixed", func(t *testing.T) { t.Parallel(); mixed = runNetwork(t, true) })
	})
	t.Logf("plain: %s", plain)
	t.Logf("mixed: %s", mixed)
	if plain.missing+mixed.missing > 0 {
		t.Error("not every message arrived everywhere")
	}
	// A busy machine makes gossip overtake the mesh now and then: allow one ID in ten messages per node.
	if slack := uint64(mixedMessages * mixedNodes / 10); mixed.iwants > plain.iwants+slack {
		t.Errorf("IWANTs went from %d to %d", plain.iwants, mixed.iwants)
	}
	// Then plain peers fall below zero among themselves, too, by up to 10: a promise broken.
	if mixed.lowest < min(0, plain.lowest)-10 {
		t.Errorf("scores fell to %.2f among plain nodes and to %.2f in the mixed network", plain.lowest, mixed.lowest)
	}
	// Who delivers first is luck; half of what a plain node in its place earns is not.
	if mixed.first < plain.first/2 {
		t.Errorf("our node earns %.2f where a plain one earns %.2f", mixed.first, plain.first)
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
