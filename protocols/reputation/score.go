package reputation

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// score is what is counted of one peer, all as of at.
type score struct {
	at       time.Time
	healed   time.Time  // up to when faults have healed, by whole points
	faults   [2]float64 // points lost by offences, by their term
	earned   [2]float64 // points for first deliveries, and for valid objects
	slow     float64    // points lost by slowness
	rewards  [2]core.Bucket
	counts   [numTerms]uint64
	began    [numTerms]time.Time // when each term counted first
	offences map[core.Offence]uint64
}

// The rewards.
const (
	byDelivery = iota
	byObject
)

func (m *Machine) newScore(now time.Time) *score {
	s := &score{at: now, healed: now, offences: map[core.Offence]uint64{}}
	for i := range s.rewards {
		s.rewards[i] = core.Bucket{PerSecond: m.cfg.PerMinute / 60, Most: m.cfg.PerMinute}
	}
	return s
}

// lost is what offences cost: this, and nothing else, bans.
func (s *score) lost() float64 { return s.faults[Compliance] + s.faults[Validity] }

// total is the score that people see.
func (s *score) total() float64 {
	return min(best, max(0, start-s.lost()-s.slow+s.earned[byDelivery]+s.earned[byObject]))
}

// age brings a score to now. What heals is compliance first: that an object was wrong
// is remembered longest. A clock that was set back heals nothing.
func (s score) age(now time.Time, cfg *Config) score {
	if now.Before(s.healed) {
		s.healed = now
	}
	points := now.Sub(s.healed) / cfg.Heal // whole ones, or no three forgeries in a row would take 90 points
	s.healed = s.healed.Add(points * cfg.Heal)
	heals := float64(points)
	for _, t := range [...]TermKind{Compliance, Validity} {
		h := min(heals, s.faults[t])
		s.faults[t] -= h
		heals -= h
	}
	passed := max(0, now.Sub(s.at))
	fades := math.Exp2(-float64(passed) / float64(cfg.HalfLife))
	s.earned[byDelivery] *= fades
	s.earned[byObject] *= fades
	s.slow *= fades
	s.at = now
	return s
}

// count notes that a term has counted n things.
func (s *score) count(now time.Time, t TermKind, n uint64) {
	if s.counts[t] == 0 {
		s.began[t] = now
	}
	s.counts[t] += n
}

// reward adds points, as many of n as this minute has left.
func (s *score) reward(now time.Time, which int, n, most float64) {
	n = min(n, max(0, s.rewards[which].Have(now)))
	s.rewards[which].Spend(now, n)
	s.earned[which] = min(most, s.earned[which]+n)
}

// fine takes the points of an offence. Minor ones stop at their floor.
func (s *score) fine(now time.Time, o core.Offence) {
	if s.lost() == 0 {
		s.healed = now
	}
	v := verdictOf(o)
	w := float64(v.weight)
	if v.weight == minor {
		w = max(0, min(w, start-minorFloor-s.lost()))
	}
	s.faults[v.term] += w
	s.count(now, v.term, 1)
	if _, known := weights[o]; !known {
		o = "other" // nobody makes this map grow
	}
	s.offences[o]++
}

// TermKind is a part of a score.
type TermKind uint8

// The terms, those of offences first.
const (
	Compliance TermKind = iota
	Validity
	Slowness
	Delivery
	Objects
	numTerms
)

func (t TermKind) String() string {
	return [...]string{"compliance", "validity", "slowness", "delivery", "objects"}[t]
}

// Term is a part of a score, explained.
type Term struct {
	Kind   TermKind
	Points float64   // that it adds; below zero: takes
	Count  uint64    // of what, Text says
	Since  time.Time // when it counted first
	Text   string    // for people
}

// terms are those that ever counted.
func (s *score) terms() (all []Term) {
	points := [numTerms]float64{
		Compliance: -s.faults[Compliance], Validity: -s.faults[Validity], Slowness: -s.slow,
		Delivery: s.earned[byDelivery], Objects: s.earned[byObject],
	}
	for t := range numTerms {
		if s.counts[t] > 0 {
			all = append(all, Term{Kind: t, Points: points[t], Count: s.counts[t], Since: s.began[t], Text: s.explain(t)})
		}
	}
	return all
}

func (s *score) explain(t TermKind) string {
	switch t {
	case Slowness:
		return "late copies of messages"
	case Delivery:
		return "messages that it brought first"
	case Objects:
		return "objects that were valid and new"
	}
	var list []string
	for _, o := range slices.SortedFunc(maps.Keys(s.offences), func(a, b core.Offence) int {
		return cmp.Or(cmp.Compare(s.offences[b], s.offences[a]), cmp.Compare(a, b))
	}) {
		if verdictOf(o).term == t {
			list = append(list, fmt.Sprintf("%d %s", s.offences[o], o))
		}
	}
	return "offences: " + strings.Join(list, ", ")
}
