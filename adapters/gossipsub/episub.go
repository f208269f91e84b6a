package gossipsub

import (
	"hash/maphash"
	"sync/atomic"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

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

// lostKept bounds the dropped messages of which the loop is not told yet.
const lostKept = 256

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
