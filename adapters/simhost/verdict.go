package simhost

import (
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Verdict is what became of an attack.
type Verdict struct {
	Sybils int // that attacked
	// Banned are those of them that every node bans which they attacked; Bans the bans of
	// single nodes, of all Pairs of node and Sybil.
	Banned, Bans, Pairs int
	Last                time.Duration  // from the beginning of the attack to the last ban
	Reasons             map[string]int // of bans
	Honest              []string       // bans of honest nodes: there must be none
	Accused             int            // offences of honest nodes: a few may be by accident
	Pushes              []int          // by node: honest nodes that it pushes to, at the end
	Eager               float64        // share of Sybils among those who push to the attacked nodes, at the end
	// Recovery is from the beginning of the attack to the last message that somebody had
	// later than slow after it was published; zero: there was none.
	Recovery time.Duration
}

// slow is what delivery takes at most when nothing is wrong: the longest way around the
// world, and a request.
const slow = time.Second

func (s *simulation) verdict() Verdict {
	v := Verdict{Sybils: len(s.sybils), Reasons: make(map[string]int), Recovery: s.recovery()}
	banned := make(map[peer.ID]int)
	honest := make(map[peer.ID]int)
	for i, n := range s.nodes {
		if n != nil {
			honest[n.host.ID()] = i
		}
	}
	targets := s.targets()
	v.Pairs = len(targets) * len(s.sybils)
	for i, n := range s.nodes {
		if n == nil {
			continue
		}
		j, ok := n.stack.(judged)
		if !ok {
			continue
		}
		for _, b := range j.Bans() {
			if of, is := honest[b.Peer]; is {
				v.Honest = append(v.Honest, fmt.Sprintf("node %d bans node %d: %s", i, of, b.Reason))
			} else if b.Peer != "" {
				banned[b.Peer]++
				v.Bans++
				v.Reasons[b.Reason]++
				v.Last = max(v.Last, b.At.Sub(s.begun))
			}
		}
		for id := range honest {
			v.Accused += j.Offences(id)
		}
	}
	for _, n := range banned {
		v.Banned += btoi(n >= len(targets))
	}
	v.eager(s, targets, honest)
	return v
}

// eager looks at who pushes to the targets.
func (v *Verdict) eager(s *simulation, targets []*node, honest map[peer.ID]int) {
	eager, sybils := 0, 0
	v.Pushes = make([]int, len(s.nodes))
	for _, n := range targets {
		j, ok := n.stack.(judged)
		if !ok {
			continue
		}
		t, _ := j.PubSub.Tiers(topic)
		for _, p := range t.Peers {
			if p.Tier.String() != "eager" {
				continue
			}
			eager++
			if i, is := honest[p.ID]; is {
				v.Pushes[i]++
			} else {
				sybils++
			}
		}
	}
	v.Eager = float64(sybils) / float64(max(1, eager))
}

func (s *simulation) targets() []*node {
	if s.attack.Victim {
		return s.nodes[:1]
	}
	return s.nodes
}

func (s *simulation) recovery() (last time.Duration) {
	s.deliver.mu.Lock()
	defer s.deliver.mu.Unlock()
	for i, sent := range s.world.sends {
		for node, at := range s.deliver.got[i] {
			if sent.measured && node != sent.by && (at.IsZero() || at.Sub(s.deliver.sent[i]) > slow) {
				last = max(last, s.deliver.sent[i].Sub(s.begun))
			}
		}
	}
	return last
}
