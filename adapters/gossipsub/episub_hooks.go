package gossipsub

import (
	"context"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/episub"
)

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
			e.meet(t, info)
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
			e.meet(t, info)
		}
	}
	e.arm()
}

// meet shows a peer to a machine. Its GRAFT may have come before our stream to it was
// open: then gossipsub has it in the mesh already.
func (e *engine) meet(t *tiers, info episub.Peer) {
	now := time.Now()
	t.machine.PeerUp(now, info)
	if e.p.trace.pushes(info.ID, t.name) {
		t.machine.Grafted(info.ID)
		t.machine.Mesh(now, info.ID, true, &e.out)
		e.act(t, nil)
	}
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
