package gossipsub

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/episub"
)

// TierChange says that messages of a topic now come to us from a peer in another way.
type TierChange struct {
	Topic  string
	Peer   peer.ID
	Tier   string // "eager": it pushes, "lazy": it announces
	Reason string
}

// Tiers is how the peers of a topic stand.
type Tiers struct {
	Peers []episub.PeerView
	episub.Stats
}

// Tiers are the tiers of a topic; false: we are not in it, or episub is off.
func (p *PubSub) Tiers(topic string) (Tiers, bool) {
	var view Tiers
	found := false
	if p.engine == nil {
		return view, false
	}
	p.engine.call(func() {
		if t := p.engine.topics[topic]; t != nil {
			view, found = Tiers{Peers: t.machine.Peers(), Stats: t.machine.Stats()}, true
		}
	})
	return view, found
}
