package episub

import (
	"math/rand/v2"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// Topic is the machine of one topic. One goroutine calls it.
type Topic struct {
	cfg Config
	rng *rand.Rand

	links map[core.PeerID]*link
	order []*link // as they came: what is drawn by chance depends on the seed only
	slots slotSet // taken

	known  map[string]*record
	oldest []*record // of known, oldest first
	wanted []*record // announced and not here
	batch  []*record // to be announced at batchAt
	recent []*record // to be told again at the next ticks

	samples  []*sample     // ring
	sampleAt time.Time     // of the newest
	lag      time.Duration // by which most pushes come after the first announcement
	transfer time.Duration // that a push takes, beyond the time of the way

	batchAt, tickAt, wantAt time.Time // zero: nothing to do
	shuffleAt               time.Time
	trialAt                 time.Time // before it, no peer is tried for what it promises
	failures                int       // of eager peers to push, less those that did when tried
	stats                   Stats
}

// New makes the machine of a topic from a valid configuration and a seed.
func New(cfg Config, seed uint64) *Topic {
	return &Topic{
		cfg: cfg, rng: rand.New(rand.NewPCG(seed, 0x65706973)), lag: cfg.PullWait,
		links: make(map[core.PeerID]*link), known: make(map[string]*record),
	}
}

// Deadline is when Tick has something to do; the zero time means never.
func (t *Topic) Deadline() time.Time {
	return core.Earliest(t.batchAt, core.Earliest(t.tickAt, t.wantAt))
}

// Tick does what is due.
func (t *Topic) Tick(now time.Time, out *[]Effect) {
	if due(now, t.batchAt) {
		t.flush(out)
	}
	if due(now, t.wantAt) {
		t.ask(now, out)
	}
	if due(now, t.tickAt) {
		t.tickAt = time.Time{}
		if len(t.links) > 0 || len(t.known) > 0 {
			t.tickAt = now.Add(t.cfg.Every)
		}
		t.gossip(out)
		t.tiers(now, out)
		t.expire(now, out)
	}
}

func due(now, at time.Time) bool { return !at.IsZero() && !now.Before(at) }

// wake sees to it that there are ticks.
func (t *Topic) wake(now time.Time, within time.Duration) {
	if at := now.Add(within); t.tickAt.IsZero() || at.Before(t.tickAt) {
		t.tickAt = at
	}
}

// Stats reads the counters.
func (t *Topic) Stats() Stats {
	s := t.stats
	s.Known, s.Wants, s.PushTime = len(t.known), len(t.wanted), t.transfer
	for _, l := range t.order {
		switch {
		case l.in:
			s.Eager++
		default:
			s.Lazy++
		}
		if !l.Episub {
			s.Plain++
		}
		if l.pushed() {
			s.PushedTo++
		}
	}
	return s
}

// Peers are the peers of the topic, as they came.
func (t *Topic) Peers() []PeerView {
	views := make([]PeerView, 0, len(t.order))
	for _, l := range t.order {
		v := PeerView{
			Peer: l.Peer, Reason: l.reason, Since: l.since, Random: l.random, Pushed: l.pushed(),
			First: l.first, Copies: l.copies,
		}
		if l.in {
			v.Tier = Eager
		}
		v.Delay, v.Samples = t.meanDelay(l)
		views = append(views, v)
	}
	return views
}
