package reputation

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// Score bounds (Basalt: from 0 to 200, 100 at the start, banned at 10, floor of minor
// faults 30).
const (
	start      = 100.0
	best       = 200.0
	banAt      = 10.0
	minorFloor = 30.0

	// wellBehaved is what offences leave at least of the start to a peer that protects
	// its IP group; chosen because an honest one loses no half of it.
	wellBehaved = 50.0
	// tolerance is what gossip forgives of what was invalid, in points; chosen below a
	// single forgery and above two objects of an author that another set of validators
	// lets write.
	tolerance = 20.0
)

// Machine keeps scores and bans.
type Machine struct {
	cfg     Config
	scores  map[core.PeerID]*score
	present map[core.PeerID]*presence
	gone    gone
	peers   table[core.PeerID]
	groups  table[core.Group]
	stats   Stats
}

// Stats are counters since the start and, at the end, gauges.
type Stats struct {
	Offences  map[core.Offence]uint64
	Bans      uint64 // of peers and groups
	GroupBans uint64
	Shielded  uint64    // bans of groups that did not come about because somebody there behaves well
	Rewarded  [2]uint64 // first deliveries, valid objects
	Late      uint64    // copies that came after the first

	Scored, Banned, BannedGroups int
}

// New makes a machine from a valid configuration.
func New(cfg Config) *Machine {
	return &Machine{
		cfg: cfg, scores: map[core.PeerID]*score{}, present: map[core.PeerID]*presence{},
		gone:  gone{group: map[core.PeerID]core.Group{}},
		peers: newTable[core.PeerID](cfg.MaxPeers), groups: newTable[core.Group](cfg.MaxGroups),
		stats: Stats{Offences: map[core.Offence]uint64{}},
	}
}

// Penalize counts an offence. Where that was once too often it returns the bans that
// follow: of the peer and, where it was one of too many there, of its IP group.
func (m *Machine) Penalize(now time.Time, peer core.PeerID, o core.Offence, detail string) (bans []Ban) {
	if m.stats.Offences[o]++; m.IsBanned(now, peer) {
		return nil
	}
	s := m.score(now, peer)
	if s.fine(now, o); start-s.lost() > banAt {
		return nil
	}
	reason := fmt.Sprintf("%s: %s", o, detail)
	ban, err := m.ban(now, Ban{Peer: peer, Group: m.groupOf(peer), Reason: reason})
	if err != nil {
		return nil
	}
	bans = append(bans, ban)
	if group, ok := m.convict(now, ban.Group, reason); ok {
		bans = append(bans, group)
	}
	return bans
}

// Deliver counts what a connected peer brought by gossip.
func (m *Machine) Deliver(now time.Time, d core.Delivery) {
	if m.present[d.Peer] == nil || d.First == 0 && d.Late == 0 {
		return
	}
	s := m.score(now, d.Peer)
	if d.First > 0 {
		s.count(now, Delivery, uint64(d.First))
		s.reward(now, byDelivery, float64(d.First), m.cfg.MostEarned)
		m.stats.Rewarded[byDelivery] += uint64(d.First)
	}
	if d.Late == 0 {
		return
	}
	m.stats.Late += uint64(d.Late)
	if d.Delay/time.Duration(d.Late) > m.cfg.SlowBeyond {
		s.count(now, Slowness, uint64(d.Late))
		s.slow = min(m.cfg.MostSlow, s.slow+1)
	}
}

// Earned counts a valid object of a connected peer.
func (m *Machine) Earned(now time.Time, peer core.PeerID) {
	if m.present[peer] == nil {
		return
	}
	s := m.score(now, peer)
	s.count(now, Objects, 1)
	s.reward(now, byObject, 1, m.cfg.MostEarned)
	m.stats.Rewarded[byObject]++
}

// Score is a peer's score: 100 for one that did nothing, good or bad.
func (m *Machine) Score(now time.Time, peer core.PeerID) float64 {
	if s := m.scores[peer]; s != nil {
		aged := s.age(now, &m.cfg)
		return aged.total()
	}
	return start
}

// Terms explain a peer's score: the 100 points of the start and these make it.
func (m *Machine) Terms(now time.Time, peer core.PeerID) []Term {
	if s := m.scores[peer]; s != nil {
		aged := s.age(now, &m.cfg)
		return aged.terms()
	}
	return nil
}

// lost is what offences cost a peer, as of now.
func (m *Machine) lost(now time.Time, peer core.PeerID) float64 {
	if s := m.scores[peer]; s != nil {
		aged := s.age(now, &m.cfg)
		return aged.lost()
	}
	return 0
}

// Opinion is what gossip is to think of a peer (core.Rate) and until when; the zero
// time: until something happens. It is about bans and validity, never about latency:
// gossipsub prunes who is below zero, both ways and from every topic.
func (m *Machine) Opinion(now time.Time, peer core.PeerID) (rate float64, until time.Time) {
	if b := m.peers.list[peer]; b.Until.After(now) {
		return core.RateBanned, b.Until
	}
	s := m.scores[peer]
	if s == nil {
		return 0, time.Time{}
	}
	aged := s.age(now, &m.cfg)
	over := aged.faults[Validity] - tolerance
	if over <= 0 {
		return 0, time.Time{}
	}
	points := time.Duration(math.Ceil(over + aged.faults[Compliance]))
	return -over, aged.healed.Add(points * m.cfg.Heal)
}

// Stats returns counters and gauges.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Offences = maps.Clone(s.Offences)
	s.Scored, s.Banned, s.BannedGroups = len(m.scores), len(m.peers.list), len(m.groups.list)
	return s
}

// score returns a peer's score as of now, made if need be.
func (m *Machine) score(now time.Time, peer core.PeerID) *score {
	s := m.scores[peer]
	if s == nil {
		if len(m.scores) >= m.cfg.MaxPeers {
			delete(m.scores, m.tellsLeast(now))
		}
		s = m.newScore(now)
		m.scores[peer] = s
	}
	*s = s.age(now, &m.cfg)
	return s
}

// tellsLeast is the peer whose score is forgotten first: the one that offences cost
// least and, of those, one that has left, with the fewest rewards.
func (m *Machine) tellsLeast(now time.Time) (least core.PeerID) {
	var low [3]float64
	for p, s := range m.scores {
		aged := s.age(now, &m.cfg)
		worth := [3]float64{aged.lost(), 0, aged.total()}
		if m.present[p] != nil {
			worth[1] = 1
		}
		order := cmp.Or(cmp.Compare(worth[0], low[0]), cmp.Compare(worth[1], low[1]), cmp.Compare(worth[2], low[2]), cmp.Compare(p, least))
		if least == "" || order < 0 {
			least, low = p, worth
		}
	}
	return least
}
