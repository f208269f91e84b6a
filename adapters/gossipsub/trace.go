package gossipsub

import (
	"crypto/sha256"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// trace listens to pubsub: it counts, and mirrors the mesh, which the router does
// not show. Pubsub calls it from its process loop and from its validators; none
// of it waits. Pubsub reports nothing of our own messages.
type trace struct {
	published, delivered, duplicates, missed atomic.Uint64
	rpcsDropped, throttled                   atomic.Uint64
	subscriptionsRefused, pruneCapped        atomic.Uint64
	rejected                                 [len(reasons)]atomic.Uint64
	received, sent                           traffic

	engine *engine // nil: episub is off

	gone func(peer.ID)                             // told on the process loop when a peer has left
	lost atomic.Pointer[map[string]func(Incoming)] // by object topic: what to tell of messages dropped unjudged; replaced, never changed

	mu     sync.RWMutex
	peers  map[peer.ID]protocol.ID         // with a stream from us
	mesh   map[string]map[peer.ID]struct{} // our topics only
	topics map[string]*topicStats          // created for our topics only
	other  topicStats
	change chan struct{} // closed at the next change of peers, subscriptions or mesh; nil while nobody waits
}

var _ pubsub.RawTracer = (*trace)(nil)

func newTrace() *trace {
	return &trace{
		peers:  make(map[peer.ID]protocol.ID),
		mesh:   make(map[string]map[peer.ID]struct{}),
		topics: make(map[string]*topicStats),
		gone:   func(peer.ID) {},
	}
}

// topic returns the counters of a topic of ours, made on first use and kept.
func (t *trace) topic(name string) *topicStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.topics[name]
	if s == nil && len(t.topics) < MaxTopicStats {
		s = new(topicStats)
		t.topics[name] = s
	}
	if s == nil {
		return &t.other
	}
	return s
}

// of finds the counters of any topic.
func (t *trace) of(name string) *topicStats {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if s := t.topics[name]; s != nil {
		return s
	}
	return &t.other
}

func (t *trace) meshSize(topic string) int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.mesh[topic])
}

// pushes says whether a peer is in the mesh of a topic.
func (t *trace) pushes(p peer.ID, topic string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, in := t.mesh[topic][p]
	return in
}

func (t *trace) peerCount() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.peers)
}

// open says whether we have a stream to a peer. Before it is open, pubsub takes
// the peer for one that speaks floodsub, and may drop what it sends.
func (t *trace) open(p peer.ID) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, open := t.peers[p]
	return open
}

// floods says whether a peer speaks floodsub only, so that it is in no mesh.
func (t *trace) floods(p peer.ID) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	proto, open := t.peers[p]
	return open && !episubFeatures(pubsub.GossipSubFeatureMesh, proto)
}

// meshReady says whether a message sent now goes to a mesh peer at once. A peer
// can be in the mesh before our stream to it is open: it has grafted us.
func (t *trace) meshReady(topic string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for p := range t.mesh[topic] {
		if _, open := t.peers[p]; open {
			return true
		}
	}
	return false
}

// changed returns a channel that is closed at the next change of what Publish
// waits for.
func (t *trace) changed() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.change == nil {
		t.change = make(chan struct{})
	}
	return t.change
}

// announce wakes those who wait for a change. The caller holds mu.
func (t *trace) announce() {
	if t.change != nil {
		close(t.change)
		t.change = nil
	}
}

// OnNewOutboundStream and the methods below are pubsub's RawTracer.
func (t *trace) OnNewOutboundStream(p peer.ID, proto protocol.ID) {
	t.engine.up(p, proto)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.peers[p] = proto
	t.announce()
}

func (t *trace) OnClosedOutboundStream(p peer.ID) {
	t.gone(p)
	t.engine.down(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.peers, p)
	for _, links := range t.mesh { // the router drops them without a PRUNE
		delete(links, p)
	}
	t.announce()
}

func (t *trace) Join(topic string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mesh[topic] = make(map[peer.ID]struct{})
}

func (t *trace) Leave(topic string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.mesh, topic)
}

func (t *trace) Graft(p peer.ID, topic string) {
	t.link(p, topic)
	t.engine.mesh(p, topic, true)
}

// link notes that a peer is pushed to.
func (t *trace) link(p peer.ID, topic string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if links := t.mesh[topic]; links != nil {
		links[p] = struct{}{}
	}
	t.announce()
}

func (t *trace) Prune(p peer.ID, topic string) {
	t.engine.mesh(p, topic, false)
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.mesh[topic], p)
	t.announce()
}

func (t *trace) DeliverMessage(m *pubsub.Message) {
	t.delivered.Add(1)
	t.of(m.GetTopic()).delivered.Add(1)
}

func (t *trace) DuplicateMessage(m *pubsub.Message) {
	t.duplicates.Add(1)
	t.of(m.GetTopic()).duplicates.Add(1)
}

func (t *trace) RejectMessage(m *pubsub.Message, reason string) {
	i := slices.Index(reasons[:], reason)
	if i < 0 {
		i = len(reasons) - 1
	}
	t.rejected[i].Add(1)
	if reason == pubsub.RejectValidationThrottled || reason == pubsub.RejectValidationQueueFull {
		t.unjudged(m)
	}
	if m != nil && !slices.Contains(seenThough, reason) {
		t.engine.dropped(m.GetTopic(), m.ID)
	}
}

// seenThough are the reasons for which another copy of a message would be dropped too.
var seenThough = []string{pubsub.RejectValidationThrottled, pubsub.RejectValidationFailed, pubsub.RejectValidationIgnored}

// unjudged tells of a message that was dropped because too many were waiting.
func (t *trace) unjudged(m *pubsub.Message) {
	if tell := t.missedOf()[m.GetTopic()]; tell != nil {
		tell(Incoming{Topic: m.GetTopic(), From: m.ReceivedFrom, ID: sha256.Sum256(m.GetData())})
	}
}

func (t *trace) missedOf() map[string]func(Incoming) {
	if all := t.lost.Load(); all != nil {
		return *all
	}
	return nil
}

// objects says whether a topic carries objects here.
func (t *trace) objects(topic string) bool {
	_, there := t.missedOf()[topic]
	return there
}

// judged sets whom to tell of the messages of an object topic that are dropped;
// nil: nobody. The caller holds the lock of the PubSub.
func (t *trace) judged(topic string, tell func(Incoming)) {
	all := maps.Clone(t.missedOf())
	if all == nil {
		all = make(map[string]func(Incoming))
	}
	if all[topic] = tell; tell == nil {
		delete(all, topic)
	}
	t.lost.Store(&all)
}

func (t *trace) RecvRPC(rpc *pubsub.RPC) {
	t.received.count(rpc)
	for _, m := range rpc.GetPublish() {
		t.received.messages.Add(1)
		t.received.payload.Add(uint64(len(m.GetData())))
		t.of(m.GetTopic()).bytesIn.Add(uint64(len(m.GetData())))
	}
	if len(rpc.GetSubscriptions()) > 0 {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.announce()
	}
}

func (t *trace) SendRPC(rpc *pubsub.RPC, _ peer.ID) {
	t.sent.count(rpc)
	for _, m := range rpc.GetPublish() {
		t.sent.messages.Add(1)
		t.sent.payload.Add(uint64(len(m.GetData())))
		t.of(m.GetTopic()).bytesOut.Add(uint64(len(m.GetData())))
	}
}

func (t *trace) DropRPC(*pubsub.RPC, peer.ID)         { t.rpcsDropped.Add(1) }
func (t *trace) ThrottlePeer(peer.ID)                 { t.throttled.Add(1) }
func (t *trace) ValidateMessage(*pubsub.Message)      {}
func (t *trace) UndeliverableMessage(*pubsub.Message) {} // our feeds have no channel to overflow

// read copies the counters.
func (t *trace) read() Stats {
	s := Stats{
		Published: t.published.Load(), Delivered: t.delivered.Load(), Duplicates: t.duplicates.Load(),
		Missed: t.missed.Load(), RPCsDropped: t.rpcsDropped.Load(), PeersThrottled: t.throttled.Load(),
		SubscriptionsRefused: t.subscriptionsRefused.Load(), PruneCapped: t.pruneCapped.Load(),
		Received: t.received.read(), Sent: t.sent.read(),
		Rejected: make(map[string]uint64, len(reasons)), ByTopic: make(map[string]TopicStats),
	}
	for i, r := range reasons {
		s.Rejected[r] = t.rejected[i].Load()
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	s.Peers = len(t.peers)
	for _, links := range t.mesh {
		s.MeshLinks += len(links)
	}
	for name, st := range t.topics {
		s.ByTopic[name] = st.read()
	}
	s.ByTopic[OtherTopics] = t.other.read()
	return s
}
