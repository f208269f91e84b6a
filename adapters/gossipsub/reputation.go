package gossipsub

import (
	"context"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/weftnet/weft/protocols/core"
)

// Who delivered what, and who broke the rules, is told to the node from here; what the
// node thinks of a peer comes back as its score. Neither waits for the other: offences
// go through a mailbox that drops and counts, deliveries are summed up, scores are read
// from a snapshot.

const (
	// Banned is the score of a peer that nothing is taken from any more. What is above it
	// and below zero keeps a peer out of the mesh; chosen far below any sum of faults.
	Banned = core.RateBanned
	// ignoredAt is the score from which on a peer is neither heard nor told anything:
	// none but that of the banned is so low.
	ignoredAt = Banned / 2

	// tellEvery is how often deliveries are told; chosen because a score changes over
	// minutes, and so that all peers together cost one event each time.
	tellEvery = 5 * time.Second
	// mailboxSize bounds the offences that wait; chosen because nine in a row ban.
	mailboxSize = 256
	// tellPeers bounds the peers of one telling: chosen far above a node's peer limit.
	tellPeers = 1024
	// firstsKept is of how many messages the time of the first copy is remembered, to
	// tell how late the others are: chosen for 1 s at 8,000 messages/s, 0.5 MB.
	firstsKept = 8192
	// lateMost is how late a copy can count; chosen because pubsub's gossip repeats
	// itself for 3 to 5 s.
	lateMost = 5 * time.Second
)

// reputation is a tracer of pubsub. Pubsub calls it from its process loop and from its
// validators.
type reputation struct {
	report  func(core.Event)
	mailbox chan core.Misbehaved
	lost    atomic.Uint64                       // offences that found the mailbox full
	rating  sync.Mutex                          // one writer of scores at a time
	scores  atomic.Pointer[map[peer.ID]float64] // replaced, never changed
	seed    maphash.Seed
	ended   chan struct{}
	floods  *floods

	mu     sync.Mutex // held for moments only
	firsts map[uint64]time.Time
	order  []uint64 // of firsts; a ring, once it is full
	next   int      // the oldest of the ring
	of     map[peer.ID]*core.Delivery
}

var _ pubsub.RawTracer = (*reputation)(nil)

func newReputation(report func(core.Event)) *reputation {
	r := &reputation{
		report: report, mailbox: make(chan core.Misbehaved, mailboxSize), seed: maphash.MakeSeed(),
		ended: make(chan struct{}), firsts: map[uint64]time.Time{}, of: map[peer.ID]*core.Delivery{},
	}
	r.scores.Store(&map[peer.ID]float64{})
	return r
}

// begin makes a reputation and starts telling; nil when nobody listens.
func (p *PubSub) begin() *reputation {
	if p.cfg.Report == nil {
		return nil
	}
	r := newReputation(p.cfg.Report)
	r.floods = newFloods(p)
	go r.run(p.ctx)
	return r
}

// options make pubsub ask for scores. Every weight but the node's own opinion is zero:
// a score below zero prunes a peer from every topic, which is for faults, not for
// latency or for a mesh that has little to say.
func (r *reputation) options() []pubsub.Option {
	if r == nil {
		return nil
	}
	params := &pubsub.PeerScoreParams{
		Topics:           map[string]*pubsub.TopicScoreParams{},
		AppSpecificScore: r.score, AppSpecificWeight: 1,
		DecayInterval: time.Minute, DecayToZero: 0.5, // of counters that all weigh nothing
		SeenMsgTTL: time.Second, // of what is kept of each message, for those counters
	}
	thresholds := &pubsub.PeerScoreThresholds{
		GossipThreshold: ignoredAt, PublishThreshold: ignoredAt, GraylistThreshold: ignoredAt,
		AcceptPXThreshold: -Banned, // peer exchange is cut out: see inspect
	}
	return []pubsub.Option{pubsub.WithRawTracer(r), pubsub.WithPeerScore(params, thresholds)}
}

func (r *reputation) score(p peer.ID) float64 { return (*r.scores.Load())[p] }

// Rate sets a peer's score: see core.Rate. Scores have to be set back to zero when a
// peer is gone. It waits for nobody.
func (p *PubSub) Rate(id peer.ID, score float64) {
	if p.reputation == nil {
		return
	}
	r := p.reputation
	r.rating.Lock()
	defer r.rating.Unlock()
	all := maps.Clone(*r.scores.Load())
	if all[id] = score; score == 0 {
		delete(all, id)
	}
	r.scores.Store(&all)
}

// blame tells of an offence. It waits for nobody, and may be called from anywhere.
func (p *PubSub) blame(id peer.ID, o core.Offence, detail string) {
	if p.reputation != nil {
		p.reputation.blame(id, o, detail)
	}
}

func (r *reputation) blame(id peer.ID, o core.Offence, detail string) {
	select {
	case r.mailbox <- core.Misbehaved{Peer: id, Offence: o, Detail: detail}:
	default:
		r.lost.Add(1)
	}
}

// wait returns when nothing is told any more; the context of run has ended.
func (r *reputation) wait() {
	if r != nil {
		<-r.ended
	}
}

// run tells the node until ctx ends.
func (r *reputation) run(ctx context.Context) {
	defer close(r.ended)
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-r.mailbox:
			r.report(m)
		case <-ticker.C:
			if d := r.deliveries(); len(d.Of) > 0 {
				r.report(d)
			}
		}
	}
}

// deliveries takes what was summed up, by peer.
func (r *reputation) deliveries() (d core.Deliveries) {
	r.mu.Lock()
	of := r.of
	r.of = make(map[peer.ID]*core.Delivery, len(of))
	r.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(of)) {
		d.Of = append(d.Of, *of[id])
	}
	return d
}

// delivery is the sum of a peer; nil when there are too many. The caller holds mu.
func (r *reputation) delivery(id peer.ID) *core.Delivery {
	d := r.of[id]
	if d == nil && len(r.of) < tellPeers {
		d = &core.Delivery{Peer: id}
		r.of[id] = d
	}
	return d
}

func (r *reputation) key(m *pubsub.Message) uint64 { return r.keyOf(m.ID) }

func (r *reputation) keyOf(id string) uint64 { return maphash.String(r.seed, id) }

// ValidateMessage notes when a message came first: its signature is right.
func (r *reputation) ValidateMessage(m *pubsub.Message) {
	r.floods.came(r.key, m)
	key, now := r.key(m), time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, again := r.firsts[key]; again {
		return
	}
	r.firsts[key] = now
	if len(r.order) < firstsKept {
		r.order = append(r.order, key)
		return
	}
	delete(r.firsts, r.order[r.next])
	r.order[r.next] = key
	r.next = (r.next + 1) % firstsKept
}

// DeliverMessage credits who brought a good message first.
func (r *reputation) DeliverMessage(m *pubsub.Message) {
	r.floods.fresh()
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.delivery(m.ReceivedFrom); d != nil {
		d.First++
	}
}

// DuplicateMessage notes how late a copy is. Echoes of our own messages have no first
// copy, and do not count.
func (r *reputation) DuplicateMessage(m *pubsub.Message) {
	r.floods.came(r.key, m)
	key, now := r.key(m), time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	first, known := r.firsts[key]
	if !known {
		return
	}
	if d := r.delivery(m.ReceivedFrom); d != nil {
		d.Late++
		d.Delay += min(now.Sub(first), lateMost)
	}
}

// RejectMessage blames who passed on what no honest node does. What a validator of
// objects rejects is blamed by whoever decided.
func (r *reputation) RejectMessage(m *pubsub.Message, reason string) {
	r.floods.came(r.key, m)
	switch reason {
	case pubsub.RejectInvalidSignature:
		r.blame(m.ReceivedFrom, core.OffenceGossipInvalid, "a message with a wrong signature")
	case pubsub.RejectMissingSignature:
		r.blame(m.ReceivedFrom, core.OffenceGossipUnsigned, "a message without a signature")
	}
}

// SendRPC notes what a peer may answer to.
func (r *reputation) SendRPC(rpc *pubsub.RPC, to peer.ID) { r.floods.sent(to, rpc, r.keyOf) }

// OnNewOutboundStream and the methods below are the rest of pubsub's RawTracer.
func (*reputation) OnNewOutboundStream(peer.ID, protocol.ID) {}
func (*reputation) OnClosedOutboundStream(peer.ID)           {}
func (*reputation) Join(string)                              {}
func (*reputation) Leave(string)                             {}
func (*reputation) Graft(peer.ID, string)                    {}
func (*reputation) Prune(peer.ID, string)                    {}
func (*reputation) ThrottlePeer(peer.ID)                     {}
func (*reputation) RecvRPC(*pubsub.RPC)                      {}
func (*reputation) DropRPC(*pubsub.RPC, peer.ID)             {}
func (*reputation) UndeliverableMessage(*pubsub.Message)     {}
