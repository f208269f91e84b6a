package reputation

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("invalid reputation configuration")

// Config says how scores heal and how long bans last.
type Config struct {
	Heal       time.Duration // in which a score gains a point
	FirstBan   time.Duration // doubled with every further one
	LongestBan time.Duration
	Forgive    time.Duration // without a ban, after which the next one is a first one again
	MaxPeers   int           // scores, and bans, that are kept
}

// DefaultConfig returns Basalt's bans.
func DefaultConfig() Config {
	return Config{
		Heal:       6 * time.Second, // chosen: ten points a minute
		FirstBan:   time.Hour,       // Basalt: ban of 1 h
		LongestBan: 7 * 24 * time.Hour,
		Forgive:    30 * 24 * time.Hour, // chosen over the longest ban
		MaxPeers:   4096,                // chosen: under 1 MiB
	}
}

// Validate names the first field that cannot work.
func (c Config) Validate() error {
	if c.Heal <= 0 || c.FirstBan <= 0 || c.LongestBan < c.FirstBan || c.Forgive <= 0 || c.MaxPeers < 1 {
		return fmt.Errorf("%w: %+v: set durations above 0, LongestBan at least FirstBan, MaxPeers at least 1", ErrConfig, c)
	}
	return nil
}

// Machine keeps scores and bans.
type Machine struct {
	cfg    Config
	scores map[core.PeerID]*score
	bans   map[core.PeerID]Ban // also past ones, until they are forgiven
	stats  Stats
}

type score struct {
	points float64
	at     time.Time
}

// Ban keeps a peer out until a time.
type Ban struct {
	Peer   core.PeerID
	Until  time.Time
	Reason string
	Times  int // bans so far
}

// Stats are counters since the start and, at the end, gauges.
type Stats struct {
	Offences map[core.Offence]uint64
	Bans     uint64

	Scored, Banned int
}

// New makes a machine from a valid configuration.
func New(cfg Config) *Machine {
	return &Machine{
		cfg: cfg, scores: map[core.PeerID]*score{}, bans: map[core.PeerID]Ban{},
		stats: Stats{Offences: map[core.Offence]uint64{}},
	}
}

// Penalize lowers a peer's score. The ban is set when that was once too often.
func (m *Machine) Penalize(now time.Time, peer core.PeerID, o core.Offence, detail string) (ban Ban, banned bool) {
	if m.stats.Offences[o]++; m.IsBanned(now, peer) {
		return Ban{}, false
	}
	s := m.score(now, peer)
	w := weigh(o)
	after := s.points - float64(w)
	if w == minor {
		after = max(after, min(s.points, minorFloor))
	}
	if s.points = after; after > banAt {
		return Ban{}, false
	}
	return m.Ban(now, peer, 0, fmt.Sprintf("%s: %s", o, detail)), true
}

// Ban bans a peer, for a time or, with zero, for as long as its earlier bans
// deserve.
func (m *Machine) Ban(now time.Time, peer core.PeerID, d time.Duration, reason string) Ban {
	old, again := m.bans[peer]
	times := 1
	if again && now.Sub(old.Until) < m.cfg.Forgive {
		times = old.Times + 1
	}
	if d == 0 {
		d = m.lasts(times)
	}
	ban := Ban{Peer: peer, Until: now.Add(d), Reason: reason, Times: times}
	delete(m.scores, peer) // it starts anew after the ban
	m.Restore(ban)
	m.stats.Bans++
	return ban
}

func (m *Machine) lasts(times int) time.Duration {
	d := m.cfg.FirstBan
	for range times - 1 {
		if d *= 2; d >= m.cfg.LongestBan {
			return m.cfg.LongestBan
		}
	}
	return d
}

// Restore takes in a ban of an earlier run.
func (m *Machine) Restore(b Ban) {
	if _, have := m.bans[b.Peer]; !have && len(m.bans) >= m.cfg.MaxPeers {
		delete(m.bans, m.endsFirst())
	}
	m.bans[b.Peer] = b
}

func (m *Machine) endsFirst() (first core.PeerID) {
	var until time.Time
	for p, b := range m.bans {
		if first == "" || b.Until.Before(until) || b.Until.Equal(until) && p < first {
			first, until = p, b.Until
		}
	}
	return first
}

// Unban lifts a ban and says whether there was one.
func (m *Machine) Unban(now time.Time, peer core.PeerID) bool {
	banned := m.IsBanned(now, peer)
	delete(m.bans, peer)
	return banned
}

// IsBanned says whether a peer is banned now.
func (m *Machine) IsBanned(now time.Time, peer core.PeerID) bool {
	b, ok := m.bans[peer]
	return ok && b.Until.After(now)
}

// Bans are those in force, the ones that end first first.
func (m *Machine) Bans(now time.Time) []Ban {
	all := slices.DeleteFunc(slices.Collect(maps.Values(m.bans)), func(b Ban) bool { return !b.Until.After(now) })
	slices.SortFunc(all, func(a, b Ban) int {
		return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(a.Peer, b.Peer))
	})
	return all
}

// Score is a peer's score: 100 for one that has nothing against it.
func (m *Machine) Score(now time.Time, peer core.PeerID) float64 {
	if s := m.scores[peer]; s != nil {
		return m.healed(now, s)
	}
	return start
}

// Stats returns counters and gauges.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Offences = maps.Clone(s.Offences)
	s.Scored, s.Banned = len(m.scores), len(m.bans)
	return s
}

// score returns a peer's score as of now, made if need be.
func (m *Machine) score(now time.Time, peer core.PeerID) *score {
	s := m.scores[peer]
	if s == nil {
		if len(m.scores) >= m.cfg.MaxPeers {
			delete(m.scores, m.best(now))
		}
		s = &score{points: start}
		m.scores[peer] = s
	}
	s.points, s.at = m.healed(now, s), now
	return s
}

// healed is a score as of now. A clock that was set back heals nothing.
func (m *Machine) healed(now time.Time, s *score) float64 {
	if s.at.IsZero() {
		return s.points
	}
	return min(start, s.points+max(0, float64(now.Sub(s.at))/float64(m.cfg.Heal)))
}

// best is the peer whose score tells least.
func (m *Machine) best(now time.Time) (best core.PeerID) {
	top := -1.0
	for p, s := range m.scores {
		if h := m.healed(now, s); h > top || h == top && p < best {
			best, top = p, h
		}
	}
	return best
}
