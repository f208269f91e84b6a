package gossipsub

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/episub"
)

// TierChange says that messages of a topic now come to us from a peer in another way.
type TierChange struct {
	Topic  string
	Peer   peer.ID
	Tier   episub.Tier
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

// tierReason is a kind of change.
type tierReason struct{ tier, reason string }

// EpisubStats is what episub counts, over all topics.
type EpisubStats struct {
	episub.Stats
	Changes map[string]map[string]uint64 // by new tier and reason
}

// EpisubStats reads the counters of the topics that we are in.
func (p *PubSub) EpisubStats() EpisubStats {
	s := EpisubStats{Changes: make(map[string]map[string]uint64)}
	if p.engine == nil {
		return s
	}
	p.engine.call(func() {
		s.Stats = p.engine.past
		for _, t := range p.engine.topics {
			s.Add(t.machine.Stats())
		}
		for c, n := range p.engine.changes {
			if s.Changes[c.tier] == nil {
				s.Changes[c.tier] = make(map[string]uint64)
			}
			s.Changes[c.tier][c.reason] = n
		}
	})
	return s
}
