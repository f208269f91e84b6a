package gossipsub

import (
	pb "github.com/libp2p/go-libp2p-pubsub/pb"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/episub"
)

const (
	// chokeSeconds is the back-off of a choke: the least that gossipsub knows.
	chokeSeconds uint64 = 1
	// refuseSeconds is the back-off of a refused GRAFT: chosen like gossipsub's for
	// unsubscribing.
	refuseSeconds uint64 = 10
)

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
			e.p.blame(f.Peer, core.OffenceGossipWithheld, "again and again it did not give what it announced")
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
