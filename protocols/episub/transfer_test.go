package episub

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestFewPushLargeMessagesAndNoneIsLost(t *testing.T) {
	w := newWorld(t, 40, 1, DefaultConfig())
	w.size = 128 << 10
	w.uplinks(42 * time.Millisecond) // 25 Mbit/s
	w.ring(steps...)
	w.run(2 * time.Second)
	w.publishAll(30, 1500*time.Millisecond)
	w.copies = 0
	w.publishAll(20, 1500*time.Millisecond)
	w.run(10 * time.Second)
	if lost := w.missing(); len(lost) > 0 {
		t.Errorf("lost: %.300s", lost)
	}
	if copies := float64(w.copies) / (20 * 39); copies > 3 {
		t.Errorf("%.2f copies per delivery, want at most 3", copies)
	}
	if w.blamed > 0 {
		t.Errorf("%d requests in vain were blamed on honest peers", w.blamed)
	}
}

// pushed is a machine to which all its eager peers pushed messages, each for so long.
func pushed(t *testing.T, took time.Duration, messages int) *Topic {
	t.Helper()
	m, out := New(DefaultConfig(), 1), []Effect(nil)
	for i := range 12 {
		m.PeerUp(start, Peer{ID: name(i), Episub: true})
	}
	m.Tick(start.Add(settle), &out)
	for i := range messages {
		now := start.Add(time.Duration(i) * 10 * time.Second)
		for _, l := range m.order {
			if l.in {
				m.Begun(now, l.ID, []string{fmt.Sprint(i)})
				m.Arrived(now.Add(took), l.ID, "author", fmt.Sprint(i), &out)
			}
		}
		m.Accepted(now.Add(took), fmt.Sprint(i), 1<<17, false, "author", &out)
		m.Tick(now.Add(5*time.Second), &out)
	}
	return m
}

func TestTheLongerAPushTakesTheFewerPush(t *testing.T) {
	for _, c := range []struct {
		took          time.Duration
		eager, pushed int
		wait, answer  time.Duration
	}{
		{0, 6, 24, 20 * time.Millisecond, time.Second},
		{16 * time.Millisecond, 5, 10, 20 * time.Millisecond, 1128 * time.Millisecond},
		{80 * time.Millisecond, 2, 4, 40 * time.Millisecond, 1640 * time.Millisecond},
		{time.Hour, 2, 4, 500 * time.Millisecond, 9 * time.Second}, // as if it took a second
	} {
		m := pushed(t, c.took, 60)
		if got := m.target(); got != c.eager {
			t.Errorf("pushes of %s: %d eager peers, want %d", c.took, got, c.eager)
		}
		if got := m.maxPushed(); got != c.pushed {
			t.Errorf("pushes of %s: %d pushed to, want %d", c.took, got, c.pushed)
		}
		if got := m.patience(); got.Round(time.Millisecond) != c.wait {
			t.Errorf("pushes of %s: waits for %s, want %s", c.took, got, c.wait)
		}
		if got := m.pullTimeout(); got.Round(4*time.Millisecond) != c.answer {
			t.Errorf("pushes of %s: an answer may take %s, want %s", c.took, got, c.answer)
		}
	}
}

func TestWhoBeginsEarlyAndPushesLateSlowsNothing(t *testing.T) {
	m, out := pushed(t, 80*time.Millisecond, 60), []Effect(nil)
	before, liar := m.transfer, m.order[slices.IndexFunc(m.order, func(l *link) bool { return l.in })]
	for i := range 60 {
		now, id := start.Add(time.Hour+time.Duration(i)*time.Second), fmt.Sprint("late ", i)
		m.Begun(now, liar.ID, []string{id})
		m.Arrived(now.Add(time.Minute), liar.ID, "author", id, &out)
	}
	if m.transfer > before+time.Millisecond {
		t.Errorf("a push is taken to need %s, %s before", m.transfer, before)
	}
}

func TestTooManyThatPushLargeMessagesAreChokedBeforeTheyAreCompared(t *testing.T) {
	m := pushed(t, 100*time.Millisecond, 10)
	if s := m.Stats(); len(m.samples) >= m.cfg.MinSamples || s.Eager != m.cfg.EagerMin {
		t.Errorf("%d eager after %d messages, want %d", s.Eager, len(m.samples), m.cfg.EagerMin)
	}
	for _, p := range m.Peers() {
		if p.Tier == Lazy && p.Reason != "" && p.Reason != ReasonMany {
			t.Errorf("%s is lazy: %s", p.Peer.ID, p.Reason)
		}
	}
}

func TestSmallMessagesBringTheEagerPeersBack(t *testing.T) {
	m, out := pushed(t, 100*time.Millisecond, 10), []Effect(nil)
	if got := m.target(); got != m.cfg.EagerMin {
		t.Fatalf("%d eager peers of large messages, want %d", got, m.cfg.EagerMin)
	}
	for i := range 200 {
		for _, l := range m.order {
			if l.in {
				m.Arrived(start.Add(time.Hour), l.ID, "author", fmt.Sprint("small ", i), &out)
			}
		}
	}
	if got := m.target(); got != m.cfg.EagerTarget {
		t.Errorf("%d eager peers, want %d", got, m.cfg.EagerTarget)
	}
}

func TestWhatAPeerSaysThatItBeginsIsBounded(t *testing.T) {
	m := pushed(t, 0, 1)
	for _, l := range m.order {
		for i := range 10 {
			ids := make([]string, 1000)
			for j := range ids {
				ids[j] = fmt.Sprint(i, j)
			}
			m.Begun(start, l.ID, ids)
		}
		if got := len(l.begun); got > mostBegun || !l.in && got > 0 {
			t.Errorf("%d pushes noted of %s, eager: %v", got, l.ID, l.in)
		}
	}
}
