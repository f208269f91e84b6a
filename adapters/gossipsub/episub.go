package gossipsub

import (
	"context"
	"hash/maphash"
	"iter"
	"sync/atomic"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/episub"
)

// EpisubProtocol is the protocol ID of pubsub's streams between two peers that both
// speak episub. What goes over them is gossipsub 1.2.
const EpisubProtocol protocol.ID = "/weft/episub/1.0.0"

// episubFeatures adds episub's streams to gossipsub's.
func episubFeatures(f pubsub.GossipSubFeature, id protocol.ID) bool {
	if id == EpisubProtocol {
		id = pubsub.GossipSubID_v12
	}
	return pubsub.GossipSubDefaultFeatures(f, id)
}

const (
	// chokeSeconds is the back-off of a choke: the least that gossipsub knows.
	chokeSeconds uint64 = 1
	// refuseSeconds is the back-off of a refused GRAFT: chosen like gossipsub's for
	// unsubscribing.
	refuseSeconds uint64 = 10
	// reconcileEach is how often the peers of a topic are compared with pubsub's
	// list: chosen because nothing but a lost stream makes them differ.
	reconcileEach = 30 * time.Second
	// lostKept bounds the dropped messages of which the loop is not told yet.
	lostKept = 256
)

// engine drives a machine of package episub for each topic that we are in. All of it
// but the channels belongs to pubsub's process loop, onto which run brings the timer.
type engine struct {
	p      *PubSub
	cfg    episub.Config
	topics map[string]*tiers
	peers  map[peer.ID]episub.Peer // with a stream from us
	out    []episub.Effect

	changes map[tierReason]uint64
	past    episub.Stats // of the topics that we left

	next  atomic.Int64 // when the timer has to ring, in Unix ns; 0: never
	wake  chan struct{}
	calls chan func()
	lost  chan lostMessage
	ended chan struct{}
}

// tiers is a topic that we are in.
type tiers struct {
	name    string
	machine *episub.Topic
	objects bool
	peers   map[peer.ID]struct{} // that carry it
}

type lostMessage struct{ topic, id string }

func newEngine(p *PubSub, cfg episub.Config) *engine {
	return &engine{
		p: p, cfg: cfg, topics: make(map[string]*tiers), peers: make(map[peer.ID]episub.Peer), changes: make(map[tierReason]uint64),
		wake: make(chan struct{}, 1), calls: make(chan func()), lost: make(chan lostMessage, lostKept), ended: make(chan struct{}),
	}
}

// options let gossipsub leave the mesh and the gossip to us.
func (e *engine) options() []pubsub.Option {
	if e == nil {
		return nil
	}
	params := pubsub.DefaultGossipSubParams()
	params.Dlo, params.Dout = 0, -1           // who pushes is decided by whoever is pushed to
	params.Dhi = 1 << 10                      // the machine refuses sooner: see inspectGraft
	params.Dlazy, params.GossipFactor = 0, 0  // the machine announces
	params.HistoryLength = 10                 // heartbeats: announced for 3, then asked for and asked again
	params.GossipRetransmission = 8           // requests for one message by one peer: each announcement may lead to two
	params.MaxIDontWantLength = maxUnwanted   // an announcement says the same
	params.IDontWantMessageThreshold = 16_384 // bytes; below, our announcement says it
	protocols := append([]protocol.ID{EpisubProtocol}, pubsub.GossipSubDefaultProtocols...)
	return []pubsub.Option{pubsub.WithGossipSubParams(params), pubsub.WithGossipSubProtocols(protocols, episubFeatures)}
}

// maxUnwanted bounds the announced messages of one RPC that are kept from being pushed:
// chosen because pubsub remembers each for 3 s.
const maxUnwanted = 128

// run brings the timer and the calls of others onto the process loop until ctx ends.
// Nobody else posts there, so that posting never blocks for good.
func (e *engine) run(ctx context.Context) {
	defer close(e.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	reconcile := time.NewTicker(reconcileEach)
	defer reconcile.Stop()
	for {
		if at := e.next.Load(); at != 0 {
			timer.Reset(time.Until(time.Unix(0, at)))
		} else {
			timer.Reset(time.Hour)
		}
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-timer.C:
			e.post(ctx, e.tick)
		case f := <-e.calls:
			e.post(ctx, f)
		case m := <-e.lost:
			e.post(ctx, func() { e.drop(m) })
		case <-reconcile.C:
			e.reconcile(ctx)
		}
	}
}

// post runs f on pubsub's process loop: a batch without messages asks its scheduler
// there what to send. The loop ends with ctx, and posting takes one place of its queue,
// which is free when this is called: only a second post after the end would wait for
// ever.
func (e *engine) post(ctx context.Context, f func()) {
	if ctx.Err() != nil {
		return
	}
	done := make(chan struct{})
	call := loopCall(func() { f(); close(done) })
	err := e.p.ps.PublishBatch(&pubsub.MessageBatch{}, func(o *pubsub.BatchPublishOptions) error { o.Strategy = call; return nil })
	if err != nil {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// loopCall is an RPCScheduler that sends nothing.
type loopCall func()

// AddRPC implements RPCScheduler.
func (loopCall) AddRPC(peer.ID, string, *pubsub.RPC) {}

// All implements RPCScheduler.
func (f loopCall) All() iter.Seq2[peer.ID, *pubsub.RPC] {
	f()
	return func(func(peer.ID, *pubsub.RPC) bool) {}
}

// call runs f on the process loop and waits until it has run, or pubsub is closed.
func (e *engine) call(f func()) {
	done := make(chan struct{})
	select {
	case e.calls <- func() { f(); close(done) }:
	case <-e.ended:
		return
	}
	select {
	case <-done:
	case <-e.ended:
	}
}

// wait returns when run has ended; its context has.
func (e *engine) wait() {
	if e != nil {
		<-e.ended
	}
}

func (e *engine) tick() {
	now := time.Now()
	for _, t := range e.topics {
		if at := t.machine.Deadline(); !at.IsZero() && !now.Before(at) {
			t.machine.Tick(now, &e.out)
			e.act(t, nil)
		}
	}
	e.arm()
}

// arm sets the timer to the earliest deadline.
func (e *engine) arm() {
	var at time.Time
	for _, t := range e.topics {
		at = core.Earliest(at, t.machine.Deadline())
	}
	next := int64(0)
	if !at.IsZero() {
		next = at.UnixNano()
	}
	if before := e.next.Swap(next); next != 0 && (before == 0 || next < before) {
		select {
		case e.wake <- struct{}{}:
		default:
		}
	}
}

// join starts the tiers of a topic, before pubsub joins it. The caller holds the lock
// of the PubSub.
func (e *engine) join(t *topic, objects bool) error {
	if e == nil || t.tap != nil {
		return nil
	}
	seed := maphash.Bytes(maphash.MakeSeed(), []byte(t.name))
	if e.p.cfg.Seed != 0 {
		seed = e.p.cfg.Seed
	}
	e.call(func() {
		e.topics[t.name] = &tiers{name: t.name, machine: episub.New(e.cfg, seed), objects: objects, peers: make(map[peer.ID]struct{})}
	})
	e.carriers(t.name, e.p.ps.ListPeers(t.name))
	var err error
	t.tap, err = t.handle.Subscribe(pubsub.WithMessageFilter(func(m *pubsub.Message) bool { e.accepted(m); return false }), pubsub.WithBufferSize(0))
	return err
}

// leave ends the tiers of a topic. The caller holds the lock of the PubSub.
func (e *engine) leave(t *topic) {
	if e == nil || t.tap == nil {
		return
	}
	t.tap.Cancel()
	t.tap = nil
	e.call(func() {
		if left := e.topics[t.name]; left != nil {
			e.past.Add(left.machine.Stats().Counters())
		}
		delete(e.topics, t.name)
	})
}

// reconcile compares the peers of each topic with pubsub's list: it does not tell when
// only the stream of a peer to us has ended.
func (e *engine) reconcile(ctx context.Context) {
	var names []string
	e.post(ctx, func() {
		for name := range e.topics {
			names = append(names, name)
		}
	})
	for _, name := range names {
		peers := e.p.ps.ListPeers(name)
		e.post(ctx, func() { e.setCarriers(name, peers) })
	}
}

func (e *engine) carriers(topic string, peers []peer.ID) {
	e.call(func() { e.setCarriers(topic, peers) })
}

func (e *engine) setCarriers(topic string, peers []peer.ID) {
	t := e.topics[topic]
	if t == nil || e.p.ctx.Err() != nil {
		return
	}
	listed := make(map[peer.ID]struct{}, len(peers))
	for _, id := range peers {
		listed[id] = struct{}{}
		e.carry(id, topic, true)
	}
	for id := range t.peers {
		if _, ok := listed[id]; !ok {
			e.carry(id, topic, false)
		}
	}
}

// carry notes that a peer carries a topic, or no more.
func (e *engine) carry(id peer.ID, topic string, on bool) {
	if e == nil {
		return
	}
	t := e.topics[topic]
	if t == nil {
		return
	}
	if !on {
		delete(t.peers, id)
		t.machine.PeerDown(time.Now(), id)
	} else if _, known := t.peers[id]; !known {
		t.peers[id] = struct{}{}
		if info, open := e.peers[id]; open {
			t.machine.PeerUp(time.Now(), info)
		}
	}
	e.arm()
}

// up takes in a peer to which our stream is open.
func (e *engine) up(id peer.ID, proto protocol.ID) {
	if e == nil || !episubFeatures(pubsub.GossipSubFeatureMesh, proto) {
		return
	}
	info := episub.Peer{ID: id, Episub: proto == EpisubProtocol}
	for _, c := range e.p.host.Network().ConnsToPeer(id) {
		info.Group = string(core.GroupOf(c.RemoteMultiaddr()))
		info.Dialled = info.Dialled || c.Stat().Direction == network.DirOutbound
	}
	e.peers[id] = info
	for _, t := range e.topics {
		if _, carries := t.peers[id]; carries {
			t.machine.PeerUp(time.Now(), info)
		}
	}
	e.arm()
}

// down forgets a peer.
func (e *engine) down(id peer.ID) {
	if e == nil {
		return
	}
	delete(e.peers, id)
	for _, t := range e.topics {
		delete(t.peers, id)
		t.machine.PeerDown(time.Now(), id)
	}
	e.arm()
}

// mesh tells that gossipsub has put a peer into a mesh, or taken it out.
func (e *engine) mesh(id peer.ID, topic string, on bool) {
	if e == nil {
		return
	}
	if t := e.topics[topic]; t != nil {
		t.machine.Mesh(time.Now(), id, on, &e.out)
		e.act(t, nil)
	}
}

// accepted tells of a message that pubsub delivers and is about to forward.
func (e *engine) accepted(m *pubsub.Message) {
	if t := e.topics[m.GetTopic()]; t != nil {
		t.machine.Accepted(time.Now(), m.ID, len(m.GetData()), m.ReceivedFrom == e.p.host.ID(), m.GetFrom(), &e.out)
		e.act(t, m.Message)
		e.arm()
	}
}

// dropped tells of a message that pubsub dropped unseen, from whatever goroutine.
func (e *engine) dropped(topic, id string) {
	if e == nil {
		return
	}
	select {
	case e.lost <- lostMessage{topic, id}:
	default: // it is announced again
	}
}

func (e *engine) drop(m lostMessage) {
	if t := e.topics[m.topic]; t != nil {
		t.machine.Lost(time.Now(), m.id)
		e.arm()
	}
}

// act sends what a machine decided; m is the message that it decided about.
func (e *engine) act(t *tiers, m *pb.Message) {
	for _, effect := range e.out {
		switch f := effect.(type) {
		case episub.Choke:
			backoff := chokeSeconds
			e.p.router.SendControl(f.Peer, &pb.ControlMessage{Prune: []*pb.ControlPrune{{TopicID: &t.name, Backoff: &backoff}}})
		case episub.Unchoke:
			e.p.router.SendControl(f.Peer, &pb.ControlMessage{Graft: []*pb.ControlGraft{{TopicID: &t.name}}})
			if info, ok := e.peers[f.Peer]; ok && !info.Episub {
				e.p.trace.link(f.Peer, t.name) // from now on it is pushed to, by us
			}
		case episub.Announce:
			e.p.router.SendControl(f.Peer, &pb.ControlMessage{Ihave: []*pb.ControlIHave{{TopicID: &t.name, MessageIDs: f.IDs}}})
		case episub.Ask:
			e.p.router.SendControl(f.Peer, &pb.ControlMessage{Iwant: []*pb.ControlIWant{{MessageIDs: f.IDs}}})
		case episub.Push:
			e.p.router.SendControl(f.Peer, &pb.ControlMessage{}, m)
		case episub.Withheld:
			e.p.blame(f.Peer, core.OffenceGossipWithheld, "again and again it did not give in time what it announced")
		case episub.Changed:
			e.changed(t, f)
		}
	}
	clear(e.out)
	e.out = e.out[:0]
}

// changed tells of a change of tier.
func (e *engine) changed(t *tiers, c episub.Changed) {
	e.changes[tierReason{c.To.String(), string(c.Reason)}]++
	if tell := e.p.cfg.OnTier; tell != nil {
		tell(TierChange{Topic: t.name, Peer: c.Peer, Tier: c.To, Reason: string(c.Reason)})
	}
}
