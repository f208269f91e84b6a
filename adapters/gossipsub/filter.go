package gossipsub

import (
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// sweepMin is how many peers the filter holds before it looks for those that
// have gone: chosen above a node's peer limit, so that a sweep is rare.
const sweepMin = 128

// filter bounds the subscriptions that a peer can make us remember. Pubsub keeps
// every topic that a peer announces, which without a bound costs hundreds of MB.
// A peer announces once, in its hello, so what we might need later is kept: all
// topics of ours, and of the others as many as the limit allows.
type filter struct {
	limit   int
	network network.Network
	trace   *trace
	engine  *engine // nil: episub is off

	// seen holds what each peer has announced beyond our topics. Only pubsub's
	// process loop uses it.
	seen    map[peer.ID]map[string]struct{}
	sweepAt int

	mu   sync.RWMutex
	ours map[string]struct{}
}

func newFilter(cfg Config, n network.Network, t *trace) *filter {
	return &filter{
		limit: cfg.MaxTopicsPerPeer, network: n, trace: t,
		seen: make(map[peer.ID]map[string]struct{}), sweepAt: sweepMin,
		ours: make(map[string]struct{}),
	}
}

// limited adds the bound per message, and counts what it refuses.
func (f *filter) limited(perRPC int) pubsub.SubscriptionFilter {
	return countRefused{pubsub.WrapLimitSubscriptionFilter(f, perRPC), f.trace}
}

type countRefused struct {
	pubsub.SubscriptionFilter
	trace *trace
}

func (c countRefused) FilterIncomingSubscriptions(from peer.ID, subs []*pb.RPC_SubOpts) ([]*pb.RPC_SubOpts, error) {
	kept, err := c.SubscriptionFilter.FilterIncomingSubscriptions(from, subs)
	if err != nil {
		c.trace.subscriptionsRefused.Add(uint64(len(subs)))
	}
	return kept, err
}

func (f *filter) own(topic string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ours[topic] = struct{}{}
}

func (f *filter) disown(topic string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.ours, topic)
}

// mine says whether a topic is open here.
func (f *filter) mine(topic string) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	_, there := f.ours[topic]
	return there
}

// topics is how many are open here.
func (f *filter) topics() int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return len(f.ours)
}

// CanSubscribe tells pubsub whether we may join a topic ourselves.
func (f *filter) CanSubscribe(topic string) bool { return CheckTopic(topic) == nil }

// FilterIncomingSubscriptions returns the announcements that pubsub shall keep.
// It runs on pubsub's process loop.
func (f *filter) FilterIncomingSubscriptions(from peer.ID, subs []*pb.RPC_SubOpts) ([]*pb.RPC_SubOpts, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var kept []*pb.RPC_SubOpts
	for _, s := range pubsub.FilterSubscriptions(subs, f.CanSubscribe) {
		if !s.GetSubscribe() {
			f.release(from, s.GetTopicid())
		} else if !f.admit(from, s.GetTopicid()) {
			continue
		}
		kept = append(kept, s)
		f.engine.carry(from, s.GetTopicid(), s.GetSubscribe())
	}
	f.trace.subscriptionsRefused.Add(uint64(len(subs) - len(kept)))
	return kept, nil
}

// admit says whether the topic of a peer is kept.
func (f *filter) admit(from peer.ID, topic string) bool {
	if _, ours := f.ours[topic]; ours {
		return true
	}
	seen := f.seen[from]
	if _, known := seen[topic]; known {
		return true
	}
	if len(seen) >= f.limit {
		return false
	}
	if seen == nil {
		f.sweep()
		seen = make(map[string]struct{})
		f.seen[from] = seen
	}
	seen[topic] = struct{}{}
	return true
}

func (f *filter) release(from peer.ID, topic string) {
	delete(f.seen[from], topic)
	if len(f.seen[from]) == 0 {
		delete(f.seen, from)
	}
}

// forget drops what a peer announced. Pubsub's tracer calls it when the peer is gone.
func (f *filter) forget(p peer.ID) { delete(f.seen, p) }

// sweep drops peers that left without our ever having had a stream to them:
// pubsub does not report those.
func (f *filter) sweep() {
	if len(f.seen) < f.sweepAt {
		return
	}
	for p := range f.seen {
		if f.network.Connectedness(p) != network.Connected {
			delete(f.seen, p)
		}
	}
	f.sweepAt = max(sweepMin, 2*len(f.seen))
}
