package simhost

import (
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/episub"
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
	Gained, Eager       float64        // share of Sybils among those who push to the attacked nodes, when it began and at the end
	InVain              int            // requests of honest nodes that were not answered in time
	Pushing             float64        // peers that push to an attacked node at the end, mean
	While, After        Received       // by the attacked nodes: the first 90 heartbeats of the attack, and then
	// Recovery is from the beginning of the attack to the last message that somebody had
	// later than slow after it was published; zero: there was none.
	Recovery time.Duration
}

// Received are the shares of messages that came within 1 s, within 6 s, and at all.
type Received struct {
	Second, Six, Ever float64
	Of                int // deliveries there should have been
}

// heartbeats are those within which the honest have to recover.
const heartbeats = 90 * time.Second

// slow is what delivery takes at most when nothing is wrong: the longest way around the
// world, and a request.
const slow = time.Second

func (s *simulation) verdict() Verdict {
	v := Verdict{Sybils: len(s.sybils), Reasons: make(map[string]int), Recovery: s.recovery(), Gained: s.gained}
	v.Eager, v.Pushing = s.held()
	v.While, v.After = s.received(0, heartbeats), s.received(heartbeats, forever)
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
		tiers, _ := j.PubSub.Tiers(topic)
		v.InVain += int(tiers.Unanswered)
	}
	for _, n := range banned {
		v.Banned += btoi(n >= len(targets))
	}
	v.Pushes = s.pushes(honest)
	return v
}

// pushes are how many attacked nodes each honest node pushes to.
func (s *simulation) pushes(honest map[peer.ID]int) []int {
	to := make([]int, len(s.nodes))
	for _, n := range s.targets() {
		for _, id := range n.eager() {
			if i, is := honest[id]; is {
				to[i]++
			}
		}
	}
	return to
}

// held is the share of Sybils among those who push to the attacked nodes, and how many
// push to one. Of plain gossipsub the Sybils themselves know whose mesh they are in.
func (s *simulation) held() (share, pushing float64) {
	eager, sybils := 0, 0
	for _, n := range s.targets() {
		to, _ := n.stack.Tiers(topic)
		eager += to
		_, tiers := n.stack.(judged)
		ids := n.eager()
		for _, sybil := range s.sybils {
			sybils += btoi(tiers && slices.Contains(ids, sybil.host.ID()) || !tiers && sybil.Pushes(n.host.ID()))
		}
	}
	return float64(sybils) / float64(max(1, eager)), float64(eager) / float64(len(s.targets()))
}

// eager are the peers that push to a node; none where there are no tiers.
func (n *node) eager() (ids []peer.ID) {
	j, ok := n.stack.(judged)
	if !ok {
		return nil
	}
	t, _ := j.PubSub.Tiers(topic)
	for _, p := range t.Peers {
		if p.Tier == episub.Eager {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// received are the messages of a part of the attack at the attacked nodes.
func (s *simulation) received(from, till time.Duration) (r Received) {
	s.deliver.mu.Lock()
	defer s.deliver.mu.Unlock()
	second, six, ever := 0, 0, 0
	for i, sent := range s.world.sends {
		if at := s.deliver.sent[i].Sub(s.begun); !sent.measured || at < from || at >= till {
			continue
		}
		for node := range s.targets() {
			if at := s.deliver.got[i][node]; node != sent.by {
				took := at.Sub(s.deliver.sent[i])
				r.Of++
				ever += btoi(!at.IsZero())
				second += btoi(!at.IsZero() && took <= time.Second)
				six += btoi(!at.IsZero() && took <= 6*time.Second)
			}
		}
	}
	all := float64(max(1, r.Of))
	r.Second, r.Six, r.Ever = float64(second)/all, float64(six)/all, float64(ever)/all
	return r
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
