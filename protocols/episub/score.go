package episub

import (
	"math"
	"slices"
	"time"
)

// sampleGap is the least time between two messages that are compared: chosen so that
// a burst, which is one observation, does not fill the window.
const sampleGap = 15 * time.Millisecond

// ripe is the age at which the late copies of a message have come: chosen as twice
// the delay beyond which a copy is no use.
const ripe = 500 * time.Millisecond

// none is the sign of a peer that gave none.
const none = math.MaxInt64

// sample is when each peer gave the first sign of one message, by slot: a copy, or
// an announcement less the time that the sender held it back.
type sample struct {
	born  time.Time
	signs []time.Duration // after born; may be below zero by the batch
}

func (s *sample) clear(slot int) {
	if s != nil && slot < len(s.signs) {
		s.signs[slot] = none
	}
}

// sampled decides whether a new message is compared; nil: not.
func (t *Topic) sampled(now time.Time) *sample {
	if !t.sampleAt.IsZero() && now.Sub(t.sampleAt) < sampleGap {
		return nil
	}
	t.sampleAt = now
	return &sample{born: now}
}

// keep takes a valid message into the comparison: what nobody has, anybody can announce.
func (t *Topic) keep(s *sample) {
	switch {
	case s == nil:
	case len(t.samples) < t.cfg.Samples:
		t.samples = append(t.samples, s)
	default:
		copy(t.samples, t.samples[1:])
		t.samples[len(t.samples)-1] = s
	}
}

// sign notes the first sign of a message from a peer, which held it back for held.
func (r *record) sign(now time.Time, l *link, held time.Duration) {
	if r.sample == nil {
		return
	}
	for len(r.sample.signs) <= l.slot {
		r.sample.signs = append(r.sample.signs, none)
	}
	r.sample.signs[l.slot] = now.Sub(r.sample.born) - held
}

// signed says whether a peer has given a sign of a message.
func (s *sample) signed(l *link) bool {
	return s != nil && l.slot < len(s.signs) && s.signs[l.slot] != none
}

// board is the comparison of all peers over the ripe samples, in milliseconds.
type board struct {
	links []*link
	ripe  []*sample
	delay [][]float64 // by sample and link: were the link eager
	pull  []float64   // by sample: were no link eager
}

// compare sets up the board. A peer that came to the topic after a message counts as
// late there.
func (t *Topic) compare(now time.Time) *board {
	b := &board{links: t.order}
	late := ms(t.cfg.Late)
	for _, s := range t.samples {
		best := s.best()
		if now.Sub(s.born) < ripe || best == none {
			continue
		}
		row, pull := make([]float64, len(t.order)), late
		for i, l := range t.order {
			row[i] = late
			if s.signed(l) {
				row[i] = min(late, ms(s.signs[l.slot]-best))
				pull = min(pull, row[i]+ms(t.cfg.Batch+t.lag+t.roundTrip(l)))
			}
		}
		b.ripe, b.delay, b.pull = append(b.ripe, s), append(b.delay, row), append(b.pull, pull)
	}
	return b
}

// roundTrip is the guess at what a request takes.
func (t *Topic) roundTrip(l *link) time.Duration {
	if l.rtt == 0 {
		return t.cfg.PullMin
	}
	return l.rtt
}

// best is the first sign of all.
func (s *sample) best() time.Duration {
	best := time.Duration(none)
	for _, d := range s.signs {
		best = min(best, d)
	}
	return best
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// quiet says that a peer gave no sign of the last messages of which others did. One that
// is to push to us is given as many from then on.
func (t *Topic) quiet(b *board, l *link) bool {
	if len(b.ripe) < t.cfg.Silence {
		return false
	}
	return !slices.ContainsFunc(b.ripe[len(b.ripe)-t.cfg.Silence:], func(s *sample) bool {
		return s.signed(l) || l.in && s.born.Before(l.since)
	})
}

// mean is the mean delay when the links of the set, by index, are eager.
func (b *board) mean(set []int) float64 {
	sum := 0.0
	for s, row := range b.delay {
		best := b.pull[s]
		for _, i := range set {
			best = min(best, row[i])
		}
		sum += best
	}
	return sum / float64(max(1, len(b.delay)))
}

// meanDelay is the mean of a peer's signs after the first of all.
func (t *Topic) meanDelay(l *link) (time.Duration, int) {
	var sum time.Duration
	n := 0
	for _, s := range t.samples {
		if s.signed(l) {
			sum += s.signs[l.slot] - s.best()
			n++
		}
	}
	return sum / time.Duration(max(1, n)), n
}
