package gossipsub

import (
	"sync/atomic"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
)

// Stats are totals since the start, but for the first four fields, which are as
// of now.
type Stats struct {
	Peers         int // with a pubsub stream
	Topics        int // joined or subscribed to
	Subscriptions int
	MeshLinks     int // over all topics

	Published  uint64            // by this node
	Delivered  uint64            // from others, verified and new
	Duplicates uint64            // from others, seen before
	Rejected   map[string]uint64 // from others, by pubsub's reason
	Missed     uint64            // not taken by a slow subscription here

	RPCsDropped          uint64 // outbound, queue full or oversized
	PeersThrottled       uint64
	SubscriptionsRefused uint64 // announcements beyond the limits
	PruneCapped          uint64 // absurd back-off times
	OffencesLost         uint64 // not told to the node, because too many waited

	Received Traffic
	Sent     Traffic

	// ByTopic has the topics of ours, the first MaxTopicStats of them; the
	// others are summed up under OtherTopics.
	ByTopic map[string]TopicStats
}

// Traffic is what went one way. IHave, IWant and IDontWant count message IDs.
type Traffic struct {
	RPCs, Messages, PayloadBytes uint64
	IHave, IWant, IDontWant      uint64
	Graft, Prune, Sub, Unsub     uint64
}

// TopicStats are the totals of one topic.
type TopicStats struct {
	Published, Delivered, Duplicates uint64
	BytesIn, BytesOut                uint64 // payload bytes, each copy counted
}

const (
	// MaxTopicStats is how many topics are counted on their own: chosen to keep
	// the number of time series small.
	MaxTopicStats = 256
	// OtherTopics is the name under which the rest is counted. No topic can have it.
	OtherTopics = ""
)

type topicStats struct {
	published, delivered, duplicates atomic.Uint64
	bytesIn, bytesOut                atomic.Uint64
}

func (s *topicStats) read() TopicStats {
	return TopicStats{
		Published: s.published.Load(), Delivered: s.delivered.Load(), Duplicates: s.duplicates.Load(),
		BytesIn: s.bytesIn.Load(), BytesOut: s.bytesOut.Load(),
	}
}

type traffic struct {
	rpcs, messages, payload  atomic.Uint64
	ihave, iwant, idontwant  atomic.Uint64
	graft, prune, sub, unsub atomic.Uint64
}

func (c *traffic) read() Traffic {
	return Traffic{
		RPCs: c.rpcs.Load(), Messages: c.messages.Load(), PayloadBytes: c.payload.Load(),
		IHave: c.ihave.Load(), IWant: c.iwant.Load(), IDontWant: c.idontwant.Load(),
		Graft: c.graft.Load(), Prune: c.prune.Load(), Sub: c.sub.Load(), Unsub: c.unsub.Load(),
	}
}

// count adds up one message between peers, but for its payloads.
func (c *traffic) count(rpc *pubsub.RPC) {
	c.rpcs.Add(1)
	for _, s := range rpc.GetSubscriptions() {
		if s.GetSubscribe() {
			c.sub.Add(1)
		} else {
			c.unsub.Add(1)
		}
	}
	ctl := rpc.GetControl()
	if ctl == nil {
		return
	}
	c.graft.Add(uint64(len(ctl.GetGraft())))
	c.prune.Add(uint64(len(ctl.GetPrune())))
	for _, m := range ctl.GetIhave() {
		c.ihave.Add(uint64(len(m.GetMessageIDs())))
	}
	for _, m := range ctl.GetIwant() {
		c.iwant.Add(uint64(len(m.GetMessageIDs())))
	}
	for _, m := range ctl.GetIdontwant() {
		c.idontwant.Add(uint64(len(m.GetMessageIDs())))
	}
}

// reasons are pubsub's reasons for a rejection; anything else counts as "other".
var reasons = [...]string{
	pubsub.RejectBlacklstedPeer, pubsub.RejectBlacklistedSource, pubsub.RejectMissingSignature,
	pubsub.RejectUnexpectedSignature, pubsub.RejectUnexpectedAuthInfo, pubsub.RejectInvalidSignature,
	pubsub.RejectValidationQueueFull, pubsub.RejectValidationThrottled, pubsub.RejectValidationFailed,
	pubsub.RejectValidationIgnored, pubsub.RejectSelfOrigin, "other",
}

// Stats reads the counters.
func (p *PubSub) Stats() Stats {
	s := p.trace.read()
	if p.reputation != nil {
		s.OffencesLost = p.reputation.lost.Load()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.topics {
		if t.meshed.Load() {
			s.Topics++
		}
		s.Subscriptions += len(t.subscribers())
	}
	return s
}
