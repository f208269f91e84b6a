package episub

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// actor is a peer with messages, and what it does with them.
type actor struct {
	id     core.PeerID
	delay  time.Duration // of what it says, after the publication
	pushes bool          // when it is eager
	hints  bool          // it announces what it does not push
	gives  bool          // what it is asked for, after another delay
}

// stage is a machine and its peers; messages are 200 ms apart.
type stage struct {
	*Topic
	now     time.Time
	n       int
	actors  []*actor
	answers []answer
	out     []Effect
	blamed  map[core.PeerID]int
	check   func() // called at every step
}

// answer is a message under way to whoever asked for it.
type answer struct {
	at time.Time
	by *actor
	id string
}

func newStage(cfg Config, actors ...*actor) *stage {
	s := &stage{Topic: New(cfg, 1), now: start, blamed: make(map[core.PeerID]int), check: func() {}}
	for _, a := range actors {
		s.enter(a)
	}
	return s
}

func (s *stage) enter(a *actor) {
	s.PeerUp(s.now, Peer{ID: a.id, Episub: true})
	s.actors = append(s.actors, a)
}

func (s *stage) play(messages int) {
	const step, gap = 5 * time.Millisecond, 200 * time.Millisecond
	for range messages {
		s.n++
		for at := time.Duration(0); at < gap; at += step {
			for _, a := range s.actors {
				switch {
				case at != a.delay:
				case s.links[a.id].in && a.pushes:
					s.bring(a, fmt.Sprint(s.n))
				case a.hints:
					s.Announced(s.now, a.id, []string{fmt.Sprint(s.n)}, &s.out)
				}
			}
			for len(s.answers) > 0 && !s.now.Before(s.answers[0].at) {
				s.bring(s.answers[0].by, s.answers[0].id)
				s.answers = s.answers[1:]
			}
			s.Tick(s.now, &s.out)
			s.check()
			s.act()
			s.now = s.now.Add(step)
		}
	}
}

func (s *stage) bring(a *actor, id string) {
	s.Arrived(s.now, a.id, "author", id, &s.out)
	s.Accepted(s.now, id, 1024, false, "author", &s.out)
}

// act lets those answer who are asked.
func (s *stage) act() {
	for _, e := range s.out {
		switch e := e.(type) {
		case Ask:
			a := s.actors[slices.IndexFunc(s.actors, func(a *actor) bool { return a.id == e.Peer })]
			for _, id := range e.IDs {
				if a.gives {
					s.answers = append(s.answers, answer{s.now.Add(a.delay), a, id})
				}
			}
		case Withheld:
			s.blamed[e.Peer]++
		}
	}
	s.out = s.out[:0]
}

// pair lets one peer push, so that another can come into its place.
func pair() Config {
	cfg := DefaultConfig()
	cfg.EagerTarget, cfg.EagerMin, cfg.Random = 1, 1, 0
	return cfg
}

func honest(i int, delay time.Duration) *actor {
	return &actor{id: name(i), delay: delay, pushes: true, hints: true, gives: true}
}

func TestAQuickerPeerTakesThePlaceWhenItHasPushed(t *testing.T) {
	for what, pushes := range map[string]bool{"it pushes": true, "it announces only": false} {
		t.Run(what, func(t *testing.T) {
			slow, quick := honest(0, 50*time.Millisecond), honest(1, 10*time.Millisecond)
			quick.pushes = pushes
			s := newStage(pair(), slow)
			s.play(5)
			s.enter(quick)
			tried := false
			s.check = func() {
				l := s.links[quick.id]
				tried = tried || l.in
				if !s.links[slow.id].in && (!l.in || l.trial) {
					t.Fatal("the slower one lost its place to one that had not pushed")
				}
			}
			s.play(60)
			if !tried || s.links[slow.id].in == pushes {
				t.Errorf("tried: %v, the slower one is still eager: %v", tried, s.links[slow.id].in)
			}
		})
	}
}

func TestAnEagerPeerThatStopsLosesItsPlace(t *testing.T) {
	for what, hints := range map[string]bool{"silent": false, "announces only": true} {
		t.Run(what, func(t *testing.T) {
			traitor, other := honest(0, 10*time.Millisecond), honest(1, 50*time.Millisecond)
			s := newStage(pair(), traitor)
			s.play(5)
			s.enter(other)
			s.play(30)
			if !s.links[traitor.id].in || s.links[other.id].in {
				t.Fatal("the quicker one is not eager")
			}
			*traitor = actor{id: traitor.id, delay: traitor.delay, hints: hints}
			s.play(s.cfg.Silence + 12)
			if s.links[traitor.id].in || !s.links[other.id].in {
				t.Error("the other has not taken its place")
			}
		})
	}
}

func TestWhoDoesNotGiveIsAskedLastAndBlamedAtLast(t *testing.T) {
	liar, late, other := &actor{id: name(1), hints: true}, honest(2, 0), honest(3, 20*time.Millisecond)
	late.pushes, other.pushes = false, false
	cfg := pair()
	cfg.Remember = 20 * time.Second // so that this is short
	s := newStage(cfg, &actor{id: name(0)}, liar, late)
	late.delay = 700 * time.Millisecond // of its answers; it announces no more
	s.Announced(s.now, late.id, []string{"1", "2", "3", "4", "5", "6"}, &s.out)
	s.play(20)
	s.enter(other)
	s.play(10)
	before := s.stats
	s.play(20)
	if pulled := s.stats.Pulled - before.Pulled; pulled != 20 || s.stats.Retried != before.Retried {
		t.Errorf("%d of 20 messages came at the first request", pulled)
	}
	if len(s.blamed) > 0 {
		t.Errorf("blamed before the time was over: %v", s.blamed)
	}
	s.play(150)
	if s.blamed[liar.id] == 0 || len(s.blamed) != 1 {
		t.Errorf("%d requests were in vain, blamed: %v, want the liar alone", s.stats.Unanswered, s.blamed)
	}
}

func TestManyLiarsWinSecondsOnly(t *testing.T) {
	m, eager, _ := quiet(t)
	var out []Effect
	for i := range 100 {
		m.PeerUp(start, Peer{ID: name(10 + i), Episub: true})
		m.Announced(start, name(10+i), []string{"m"}, &out)
	}
	m.Announced(start, eager, []string{"m"}, &out)
	now := start
	for now.Sub(start) < 6*time.Second {
		now = m.Deadline()
		m.Tick(now, &out)
		for i, p := range asks(out) {
			if p == eager {
				t.Logf("asked as number %d after %s", i+1, now.Sub(start))
				return
			}
		}
	}
	t.Error("the one that has the message was not asked within 6 s")
}

func TestALateAnswerIsNoLapseNorIsOurOwnPause(t *testing.T) {
	m, _, lazy := quiet(t)
	var out []Effect
	now := start.Add(time.Second)
	m.Announced(now, lazy, []string{"late"}, &out)
	now = now.Add(m.cfg.PullWaitMax)
	m.Tick(now, &out)
	now = now.Add(m.cfg.PullTimeout / 2)
	m.Tick(now, &out)
	if l := m.links[lazy]; l.debt.lapses(now) != 1 {
		t.Fatalf("%.2f lapses, want one", l.debt.lapses(now))
	}
	m.Arrived(now, lazy, "author", "late", &out)
	if l := m.links[lazy]; l.debt.lapses(now) != 0 {
		t.Errorf("%.2f lapses though it answered", l.debt.lapses(now))
	}
	m.Announced(now, lazy, []string{"pause"}, &out)
	now = now.Add(m.cfg.PullWaitMax)
	m.Tick(now, &out)
	now = now.Add(5 * time.Second)
	m.Tick(now, &out)
	if l := m.links[lazy]; l.debt.lapses(now) != 0 || m.stats.Unanswered != 1 {
		t.Errorf("%.2f lapses though it was we who slept", l.debt.lapses(now))
	}
}

func TestLapsesAreForgotten(t *testing.T) {
	var d debt
	for range 100 {
		d.add(start, 1)
	}
	if got := d.lapses(start); got != mostLapses {
		t.Errorf("%.2f lapses, want at most %d", got, mostLapses)
	}
	if got := d.lapses(start.Add(3*forgive + time.Second)); got >= trusted {
		t.Errorf("%.2f lapses after three minutes", got)
	}
}

// TestWhoLosesAFewPacketsIsNotBlamed loses one control message in ten.
func TestWhoLosesAFewPacketsIsNotBlamed(t *testing.T) {
	cfg := pair() // with one eager peer, and nothing pushed on, much has to be asked for
	cfg.FloodSize = 0
	w := newWorld(t, 24, 5, cfg)
	w.loss = 0.1
	w.ring(steps...)
	w.run(2 * time.Second)
	w.publishAll(100, 100*time.Millisecond)
	w.run(10 * time.Second)
	var s Stats
	for _, n := range w.nodes {
		s.Add(n.m.Stats())
	}
	if s.Unanswered == 0 || w.blamed > 0 || len(w.missing()) > 0 {
		t.Errorf("%d of %d requests in vain, blamed %d times, missing %v", s.Unanswered, s.Asked, w.blamed, w.missing())
	}
}
