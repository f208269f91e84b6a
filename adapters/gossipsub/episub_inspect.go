package gossipsub

import (
	"slices"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
)

// inspect shows a received message to the machines before pubsub handles it.
func (e *engine) inspect(from peer.ID, rpc *pubsub.RPC) {
	if e == nil || e.ignored(from) {
		return
	}
	now := time.Now()
	for _, m := range rpc.GetPublish() {
		if t := e.topics[m.GetTopic()]; t != nil {
			t.machine.Arrived(now, from, peer.ID(m.GetFrom()), t.id(m), &e.out)
			e.act(t, nil)
		}
	}
	if c := rpc.GetControl(); c != nil {
		e.inspectIDontWant(now, from, c)
		e.inspectIHave(now, from, c)
		e.inspectGraft(from, c)
		e.inspectPrune(now, from, c)
	}
	e.arm()
}

// id is the message's ID, as pubsub computes it.
func (t *tiers) id(m *pb.Message) string {
	if t.objects {
		return objectID(m)
	}
	return pubsub.DefaultMsgIdFn(m)
}

// inspectIDontWant tells the machines that a peer that pushes to us begins to. An
// IDONTWANT names no topic: they know who pushes in theirs.
func (e *engine) inspectIDontWant(now time.Time, from peer.ID, c *pb.ControlMessage) {
	for _, unwanted := range c.GetIdontwant() {
		for _, t := range e.topics {
			t.machine.Begun(now, from, unwanted.GetMessageIDs())
		}
	}
}

// inspectIHave takes announcements out: the machine asks for what they name. Whoever
// has a message already needs no copy, which is what IDONTWANT says to gossipsub.
func (e *engine) inspectIHave(now time.Time, from peer.ID, c *pb.ControlMessage) {
	var ahead []string
	c.Ihave = slices.DeleteFunc(c.Ihave, func(have *pb.ControlIHave) bool {
		t := e.topics[have.GetTopicID()]
		if t == nil {
			return false
		}
		ahead = append(ahead, t.machine.Announced(now, from, have.GetMessageIDs(), &e.out)...)
		e.act(t, nil)
		return true
	})
	if len(ahead) > 0 {
		c.Idontwant = append(c.Idontwant, &pb.ControlIDontWant{MessageIDs: ahead[:min(len(ahead), maxUnwanted)]})
	}
}

// ignored says whether a peer is banned: gossipsub is about to drop what it says.
func (e *engine) ignored(id peer.ID) bool {
	r := e.p.reputation
	return r != nil && r.score(id) < ignoredAt
}

// inspectGraft takes out the GRAFTs for which there is no room, and refuses them.
func (e *engine) inspectGraft(from peer.ID, c *pb.ControlMessage) {
	c.Graft = slices.DeleteFunc(c.Graft, func(g *pb.ControlGraft) bool {
		t := e.topics[g.GetTopicID()]
		if t == nil {
			return false
		}
		if !t.machine.Room(from) {
			backoff := refuseSeconds
			e.p.router.SendControl(from, &pb.ControlMessage{Prune: []*pb.ControlPrune{{TopicID: &t.name, Backoff: &backoff}}})
			return true
		}
		t.machine.Grafted(from)
		return false
	})
}

func (e *engine) inspectPrune(now time.Time, from peer.ID, c *pb.ControlMessage) {
	for _, prune := range c.GetPrune() {
		if t := e.topics[prune.GetTopicID()]; t != nil {
			t.machine.Pruned(now, from, time.Duration(prune.GetBackoff())*time.Second, &e.out)
			e.act(t, nil)
		}
	}
}
