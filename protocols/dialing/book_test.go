package dialing

import (
	"slices"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

func TestBootstrappersValidatorsAndConnectedPeersTakeNoRoomInTheBook(t *testing.T) {
	b := newBench(t, bootstrap("b1", "b2"), func(c *Config) { c.MaxKnown = 2 })
	b.command(SetValidators{names("v", 5)})
	for _, id := range names("in", 5) {
		b.accept(id)
	}
	b.discover("d1", "d2")
	if !b.knows("d1") || !b.knows("d2") || b.m.Stats().Known != 14 {
		t.Errorf("stats %+v", b.m.Stats())
	}
	b.discover("d3")
	if b.knows("d3") {
		t.Error("the book holds more than it may")
	}
}

func TestAClaimMakesRoomForItselfAmongHearsay(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxKnown, c.TargetDegree = 3, 0 })
	b.claim("c1", addr(1))
	b.discover("d1", "d2")
	b.claim("c2", addr(2))
	b.claim("c3", addr(3))
	b.claim("c4", addr(4))
	for id, want := range map[core.PeerID]bool{"c1": true, "c2": true, "c3": true, "c4": false, "d1": false, "d2": false} {
		if b.knows(id) != want {
			t.Errorf("%q is known: %v", id, !want)
		}
	}
	if s := b.m.Stats(); s.Evicted != 2 || s.Refused != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestWhenConnectionsEndTheLeastIsGivenUp(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxKnown, c.TargetDegree = 2, 0 })
	b.handle(core.Connected{Peer: "d", Addr: addr(1)})
	b.discover("h")
	b.claim("c", addr(2))
	b.advance(time.Hour)
	b.disconnect("d")
	if b.knows("h") || !b.knows("c") || !b.knows("d") {
		t.Errorf("known: %+v, want hearsay dropped", b.m.Peers(b.now))
	}
}

// crowd is a machine that knows n peers and has all the connections it wants.
func crowd(b testing.TB, n int) (*Machine, []core.PeerID) {
	cfg := DefaultConfig()
	cfg.Self, cfg.MaxKnown, cfg.DialBurst, cfg.MaxDialing = "Self", n, n, n
	m := New(cfg, newRand())
	var out []core.Effect
	ids := names("d", n)
	for _, id := range ids {
		m.Handle(start, core.Discovered{Peer: id, Addrs: addrs(id), From: core.SourceClaim}, &out)
	}
	for now := start; m.book.own < cfg.TargetDegree; now = now.Add(time.Second) {
		m.Tick(now, &out)
		for _, e := range out {
			if d, is := e.(core.Dial); is {
				m.Handle(now, core.Connected{Peer: d.Peer, Addr: d.Addrs[0]}, &out)
			}
		}
		out = out[:0]
	}
	if m.Stats().Known != n {
		b.Fatalf("%d known, want %d", m.Stats().Known, n)
	}
	return m, ids
}

func TestAnEventCostsLittleHoweverManyAreKnown(t *testing.T) {
	m, ids := crowd(t, 5000)
	now := start.Add(time.Minute)
	out := make([]core.Effect, 0, 64)
	evs := make([]core.Event, len(ids))
	for i, id := range ids {
		evs[i] = core.Discovered{Peer: id, Addrs: addrs(id), From: core.SourceClaim}
	}
	i := 0
	for what, act := range map[string]func(){
		"a tick":          func() { m.Tick(now, &out) },
		"a claim again":   func() { m.Handle(now, evs[i%len(evs)], &out) },
		"an unknown peer": func() { m.Handle(now, core.DialFailed{Peer: "x"}, &out) },
	} {
		if n := testing.AllocsPerRun(1000, func() { act(); i++; out = out[:0] }); n > 0 {
			t.Errorf("%s allocates %v times", what, n)
		}
	}
}

func BenchmarkTickOf5000Known(b *testing.B) {
	m, _ := crowd(b, 5000)
	now := start.Add(time.Minute)
	var out []core.Effect
	b.ReportAllocs()
	for b.Loop() {
		m.Tick(now, &out)
	}
}

func BenchmarkLostAndReplacedOf5000Known(b *testing.B) {
	m, ids := crowd(b, 5000)
	now := start.Add(time.Minute)
	var out []core.Effect
	last := ids[slices.IndexFunc(ids, func(id core.PeerID) bool { return m.book.get(id).connected() })]
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Minute)
		out = out[:0]
		m.Handle(now, core.Disconnected{Peer: last}, &out)
		for _, e := range out {
			if d, is := e.(core.Dial); is {
				last = d.Peer
				m.Handle(now, core.Connected{Peer: d.Peer, Addr: d.Addrs[0]}, &out)
			}
		}
	}
}

func BenchmarkClaimHeardAgainOf5000Known(b *testing.B) {
	m, ids := crowd(b, 5000)
	var out []core.Effect
	evs := make([]core.Event, len(ids))
	for i, id := range ids {
		evs[i] = core.Discovered{Peer: id, Addrs: addrs(id), From: core.SourceClaim}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Handle(start, evs[i%len(evs)], &out)
	}
}

func BenchmarkLearn5000(b *testing.B) {
	ids := names("d", 5000)
	evs := make([]core.Event, len(ids))
	for i, id := range ids {
		evs[i] = core.Discovered{Peer: id, Addrs: addrs(id), From: core.SourceClaim}
	}
	cfg := DefaultConfig()
	cfg.Self, cfg.MaxKnown = "Self", 5000
	var out []core.Effect
	b.ReportAllocs()
	for b.Loop() {
		out = out[:0]
		m := New(cfg, newRand())
		for _, ev := range evs {
			m.Handle(start, ev, &out)
		}
	}
}

func BenchmarkDiscoveredInAFullBook(b *testing.B) {
	cfg := DefaultConfig()
	cfg.Self, cfg.TargetDegree = "Self", 0
	m := New(cfg, newRand())
	var out []core.Effect
	ids := names("d", 2*cfg.MaxKnown)
	evs := make([]core.Event, len(ids))
	for i, id := range ids {
		evs[i] = core.Discovered{Peer: id, Addrs: addrs(id), From: core.SourceDHT}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Handle(start, evs[i%len(evs)], &out)
	}
}
