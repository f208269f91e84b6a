package episub

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weftnet/weft/protocols/core"
)

var steps = []int{1, 2, 3, 5, 8, 13, 17, 19}

func TestNothingIsLostThoughAFifthOfTheControlIs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, 24, rapid.Uint64().Draw(rt, "seed"), DefaultConfig())
		w.loss = rapid.Float64Range(0, 0.2).Draw(rt, "loss")
		for i := range rapid.IntRange(0, 12).Draw(rt, "plain peers") {
			w.nodes[2*i].plain = true
		}
		w.ring(steps[:rapid.IntRange(4, 8).Draw(rt, "links")]...)
		graftPlain(w)
		w.run(3 * time.Second)
		w.publishAll(20, time.Duration(rapid.IntRange(1, 300).Draw(rt, "ms apart"))*time.Millisecond)
		w.run(10 * time.Second)
		if lost := w.missing(); len(lost) > 0 {
			rt.Fatalf("%d deliveries did not happen: %.300s", len(lost), lost)
		}
	})
}

// graftPlain lets plain peers join up to six of their neighbours, as gossipsub does.
func graftPlain(w *world) {
	for i, n := range w.nodes {
		for j := range w.nodes {
			if o := w.nodes[j]; n.plain && n.nbrs[j] && len(n.mesh) < 6 && !n.mesh[j] {
				n.mesh[j] = true
				o.grafted(w.nodes[i])
			}
		}
	}
}

func TestFewPushWhereCopiesOnlyDuplicate(t *testing.T) {
	w := newWorld(t, 40, 1, DefaultConfig())
	w.ring(steps...)
	w.run(2 * time.Second)
	for _, n := range w.nodes {
		if got := len(n.eager()); got != w.cfg.EagerTarget {
			t.Fatalf("%s starts with %d eager peers, want %d", n.id, got, w.cfg.EagerTarget)
		}
	}
	w.publishAll(80, 250*time.Millisecond)
	w.copies = 0
	w.publishAll(40, 250*time.Millisecond)
	if lost := w.missing(); len(lost) > 0 {
		t.Errorf("lost: %.300s", lost)
	}
	if copies := float64(w.copies) / (40 * 39); copies > 3.5 {
		t.Errorf("%.2f copies per delivery, want at most 3.5", copies)
	}
	for _, n := range w.nodes {
		if got := len(n.eager()); got < w.cfg.EagerMin || got > w.cfg.EagerTarget {
			t.Errorf("%s has %d eager peers", n.id, got)
		}
	}
}

func TestTheQuickestPeerIsEagerAndARandomOneStays(t *testing.T) {
	w := newWorld(t, 16, 2, DefaultConfig())
	w.delay = func(a, b int) time.Duration {
		if a+b == 1 { // nodes 0 and 1 are near
			return time.Millisecond
		}
		return time.Duration(40+(a+b)%5) * time.Millisecond
	}
	for i := range w.nodes {
		for j := range i {
			w.connect(i, j)
		}
	}
	w.run(2 * time.Second)
	for range 60 {
		w.publish(1 + 7*w.rng.IntN(2))
		w.run(250 * time.Millisecond)
	}
	random := 0
	for _, p := range w.nodes[0].eager() {
		if p.Random {
			random++
		}
	}
	if random != w.cfg.Random {
		t.Errorf("%d random peers, want %d", random, w.cfg.Random)
	}
	if l := w.nodes[0].m.links[name(1)]; l.in == false {
		t.Errorf("the nearest peer is lazy: %+v", l)
	}
}

func TestThoseOfOnePublicGroupAreFew(t *testing.T) {
	m, out := New(DefaultConfig(), 1), []Effect(nil)
	for i := range 10 {
		m.PeerUp(start, Peer{ID: name(i), Episub: true, Group: "203.0.113.0/24"})
	}
	for i := 10; i < 12; i++ {
		m.PeerUp(start, Peer{ID: name(i), Episub: true})
	}
	m.Tick(start.Add(time.Second), &out)
	if s := m.Stats(); s.Eager != 4 {
		t.Errorf("%d eager, want 2 of the group and 2 others", s.Eager)
	}
}

func TestTheLivingGetEverythingWhenATenthVanishes(t *testing.T) {
	w := newWorld(t, 40, 3, DefaultConfig())
	w.ring(steps...)
	w.run(2 * time.Second)
	w.publishAll(40, 100*time.Millisecond)
	for i := 0; i < 40; i += 10 {
		w.vanish(i, 5*time.Second)
	}
	w.publishAll(40, 100*time.Millisecond)
	w.run(10 * time.Second)
	if lost := w.missing(); len(lost) > 0 {
		t.Errorf("lost: %.300s", lost)
	}
}

// quiet is a machine with one lazy and one eager peer.
func quiet(t *testing.T) (*Topic, core.PeerID, core.PeerID) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.EagerTarget, cfg.EagerMin, cfg.Random = 1, 1, 0
	m, out := New(cfg, 1), []Effect(nil)
	m.PeerUp(start, Peer{ID: name(0), Episub: true})
	m.Tick(start.Add(settle), &out)
	m.PeerUp(start, Peer{ID: name(1), Episub: true})
	return m, name(0), name(1)
}

func asks(out []Effect) (peers []core.PeerID) {
	for _, e := range out {
		if a, ok := e.(Ask); ok {
			peers = append(peers, a.Peer)
		}
	}
	return peers
}

func TestOneAnnouncerIsAskedAtATimeAndThenTheNext(t *testing.T) {
	m, eager, lazy := quiet(t)
	var out []Effect
	m.Announced(start, lazy, []string{"m"}, &out)
	m.Announced(start, eager, []string{"m"}, &out)
	if len(asks(out)) != 0 {
		t.Fatal("asked at once, though a push may come")
	}
	m.Tick(start.Add(m.cfg.PullWait), &out)
	if got := asks(out); len(got) != 1 || got[0] != lazy {
		t.Fatalf("asked %v, want the first announcer %s", got, lazy)
	}
	m.Tick(start.Add(m.cfg.PullWait+m.cfg.PullTimeout), &out)
	if got := asks(out); len(got) != 2 || got[1] != eager {
		t.Fatalf("asked %v, want then %s", got, eager)
	}
	m.Arrived(start.Add(time.Second), eager, "author", "m", &out)
	m.Tick(start.Add(time.Minute), &out)
	if got := asks(out); len(got) != 2 {
		t.Errorf("asked %v though the message came", got)
	}
}

func TestAForgedCopyDoesNotEndTheWait(t *testing.T) {
	m, eager, lazy := quiet(t)
	var out []Effect
	m.Announced(start, lazy, []string{"m"}, &out)
	m.Arrived(start, eager, "author", "m", &out)
	m.Lost(start, "m")
	m.Tick(start.Add(m.cfg.PullWait), &out)
	if got := asks(out); len(got) != 1 {
		t.Errorf("asked %v, want one of the two", got)
	}
}

func TestALazyPeerThatPushesIsChokedAgain(t *testing.T) {
	m, eager, lazy := quiet(t)
	var out []Effect
	for i := range 2 * missteps {
		m.Arrived(start.Add(time.Second), eager, "author", fmt.Sprint(i), &out)
		m.Arrived(start.Add(time.Second), lazy, "author", fmt.Sprint(i), &out)
	}
	chokes := 0
	for _, e := range out {
		if c, ok := e.(Choke); ok && c.Peer == lazy {
			chokes++
		}
	}
	if chokes != 1 {
		t.Errorf("choked %d times, want once in two seconds", chokes)
	}
}

func TestAPeerThatRefusesGivesItsPlaceToAnother(t *testing.T) {
	m, eager, lazy := quiet(t)
	var out []Effect
	m.Pruned(start.Add(3*time.Second), eager, time.Second, &out)
	if l := m.links[eager]; !l.in {
		t.Error("a choke, which concerns the other direction, made the peer lazy")
	}
	m.Pruned(start.Add(3*time.Second), eager, 10*time.Second, &out)
	m.Tick(start.Add(4*time.Second), &out)
	if m.links[eager].in || !m.links[lazy].in {
		t.Error("the other peer has not taken the place")
	}
}

func TestWhatAPeerCanMakeUsRememberIsBounded(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxMessages, cfg.MaxWanted, cfg.IDsPerSec = 50, 20, 30
	m, out := New(cfg, 1), []Effect(nil)
	m.PeerUp(start, Peer{ID: name(0), Episub: true})
	m.PeerUp(start, Peer{ID: name(1), Episub: true})
	for i := range 1000 {
		m.Announced(start, name(i%2), []string{fmt.Sprint(i)}, &out)
	}
	if s := m.Stats(); s.Known > 2*cfg.MaxWanted || s.Wants > 2*cfg.MaxWanted {
		t.Errorf("%d messages known, %d waited for", s.Known, s.Wants)
	}
	for i := range 1000 {
		m.Arrived(start, name(0), "author", fmt.Sprint("m", i), &out)
	}
	if s := m.Stats(); s.Known > cfg.MaxMessages {
		t.Errorf("%d messages known, want at most %d", s.Known, cfg.MaxMessages)
	}
	m.Tick(start.Add(cfg.Remember+time.Minute), &out)
	if s := m.Stats(); s.Known != 0 {
		t.Errorf("%d messages known after %s", s.Known, cfg.Remember)
	}
}

func TestTheNumberOfPeersPushedToIsBounded(t *testing.T) {
	m, out := New(DefaultConfig(), 1), []Effect(nil)
	for i := range maxSlots + 10 {
		m.PeerUp(start, Peer{ID: name(i), Episub: true})
		if m.Room(name(i)) {
			m.Grafted(name(i))
			m.Mesh(start, name(i), true, &out)
		}
	}
	if s := m.Stats(); s.PushedTo != m.cfg.MaxPushed || len(m.Peers()) != maxSlots {
		t.Errorf("%d pushed to of %d peers, want %d of %d", s.PushedTo, len(m.Peers()), m.cfg.MaxPushed, maxSlots)
	}
	m.PeerDown(start, name(3))
	m.PeerUp(start, Peer{ID: "another", Episub: true})
	if len(m.Peers()) != maxSlots {
		t.Error("a place that became free was not taken")
	}
}

func TestBadConfigurationsAreNamed(t *testing.T) {
	for _, set := range []func(*Config){
		func(c *Config) { c.EagerMin = 0 }, func(c *Config) { c.EagerMin = 7 }, func(c *Config) { c.Random = 4 },
		func(c *Config) { c.MaxPushed = 1 }, func(c *Config) { c.PerGroup = 0 }, func(c *Config) { c.MinPause = time.Second },
		func(c *Config) { c.Every = 0 }, func(c *Config) { c.MinSamples = 100 }, func(c *Config) { c.MaxPeers = maxSlots + 1 },
		func(c *Config) { c.MaxMessages = 0 }, func(c *Config) { c.PullTimeout = 1 }, func(c *Config) { c.PushBudget = 0 },
	} {
		cfg := DefaultConfig()
		set(&cfg)
		if err := cfg.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: got %v", cfg, err)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}
