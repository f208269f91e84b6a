package node

import (
	"fmt"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/adapters/gossipsub"
	"github.com/weftnet/weft/protocols/episub"
)

// tierChanged tells of a change of tier. Pubsub's process loop calls it.
func (n *Node) tierChanged(c gossipsub.TierChange) {
	text := fmt.Sprintf("topic %s: %s", legible(c.Topic, maxText), c.Reason)
	if c.Tier == episub.Eager {
		n.events.emit("tier.eager", c.Peer, text)
	} else {
		n.events.emit("tier.lazy", c.Peer, text)
	}
}

// tiers are the tiers of a topic; nil: it has none.
func (a api) tiers(topic string) *weftv1.Tiers {
	p, err := a.n.topics()
	if err != nil {
		return nil
	}
	t, ok := p.Tiers(topic)
	if !ok {
		return nil
	}
	out := &weftv1.Tiers{
		Eager: uint32(t.Eager), Lazy: uint32(t.Lazy), PushedTo: uint32(t.PushedTo),
		GraftsSent: t.Unchokes, PrunesSent: t.Chokes, GraftsReceived: t.Unchoked, PrunesReceived: t.Choked,
		Announced: t.Announced, Asked: t.Asked, Pulled: t.Pulled,
	}
	for _, v := range t.Peers {
		out.Peers = append(out.Peers, tierPeer(v))
	}
	return out
}

func tierPeer(v episub.PeerView) *weftv1.TierPeer {
	out := &weftv1.TierPeer{
		PeerId: v.ID.String(), Tier: v.Tier.String(), Reason: string(v.Reason), Since: timestamppb.New(v.Since),
		Plain: !v.Episub, Random: v.Random, Pushed: v.Pushed, First: v.First, Copies: v.Copies,
	}
	if v.Samples > 0 {
		out.Delay = durationpb.New(v.Delay)
	}
	return out
}
