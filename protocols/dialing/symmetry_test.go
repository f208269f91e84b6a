package dialing

import (
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

func TestWhoDialledUsIsDialledBackAtItsClaim(t *testing.T) {
	b := newBench(t, symmetric, func(c *Config) { c.TargetDegree = 0 })
	b.hear("in", addr(5))
	b.accept("in")
	b.wantDial() // where it was observed or rumoured to be proves nothing
	b.claim("in", addr(1), addr(2))
	b.wantDialAt("in", addr(1), addr(2))
	if p := b.state("in"); p.State != StateConnected || !p.Inbound || p.Outbound {
		t.Errorf("while it is dialled back: %+v", p)
	}
	b.link("in", true, true)
	s := b.m.Stats()
	if p := b.state("in"); !p.Inbound || !p.Outbound || s.Both != 1 || s.Inbound+s.Outbound+s.Dialling != 0 || s.DialBacks != 1 {
		t.Errorf("both ways: %+v, %+v", p, s)
	}
	if d := b.m.Deadline(); !d.Equal(b.now.Add(30 * time.Second)) {
		t.Errorf("want nothing but the saving after 30s, there is something to do in %v", d.Sub(b.now))
	}
}

func TestADialBackWaitsForNoPlaceAndNoDegree(t *testing.T) {
	b := newBench(t, symmetric, func(c *Config) { c.MaxPeers, c.TargetDegree = 3, 1 })
	for _, id := range names("in", 5) {
		b.accept(id)
		b.claim(id, addrs(id)...)
	}
	b.wantDial(names("in", 5)...)
	for _, id := range names("in", 5) {
		b.link(id, true, true)
	}
	if b.m.book.own != 0 {
		t.Errorf("%d dial-backs count towards the degree", b.m.book.own)
	}
}

func TestAFailedDialBackIsTriedEverySecondWhileConnected(t *testing.T) {
	b := newBench(t, symmetric)
	b.accept("in")
	b.claim("in", addr(1))
	for range 12 {
		b.wantDial("in")
		b.fail("in")
		if p := b.state("in"); p.Failures != 0 || p.Reason != "dialling back failed: refused" {
			t.Errorf("after a failed dial-back: %+v", p)
		}
		if waited := b.advanceToDeadline(); waited != time.Second {
			t.Errorf("waited %v, want 1s", waited)
		}
	}
	b.wantDial("in")
	b.fail("in")
	b.disconnect("in")
	if waited := b.advanceToDeadline(); waited < time.Second {
		t.Errorf("dialled again after %v, want the backoff of a short connection", waited)
	}
}

func TestALostOutboundSideIsDialledAgain(t *testing.T) {
	b := newBench(t, symmetric)
	b.claim("d", addr(1))
	b.connect("d")
	b.link("d", true, true)
	b.wantDial("d")
	if b.m.book.own != 1 {
		t.Errorf("%d in the degree, want the peer that we chose", b.m.book.own)
	}
	b.link("d", true, false)
	b.wantDial()
	if waited := b.advanceToDeadline(); waited != time.Second {
		t.Errorf("waited %v, want 1s", waited)
	}
	b.wantDialAt("d", addr(1))
}

func TestADialUnderWayIsTheDialBack(t *testing.T) {
	b := newBench(t, symmetric)
	b.claim("d", addr(1))
	b.wantDial("d")
	b.accept("d")
	b.wantDial()
	b.link("d", true, true)
	if s := b.m.Stats(); s.Both != 1 || s.Dialling != 0 || b.m.book.own != 1 {
		t.Errorf("stats %+v, %d in the degree", s, b.m.book.own)
	}
}

func TestWithoutSymmetryNobodyIsDialledBack(t *testing.T) {
	b := newBench(t)
	b.claim("d", addr(1))
	b.wantDial("d")
	b.accept("d") // our own dial is not answered any more
	b.accept("in")
	b.claim("in", addr(2))
	b.wantDial()
	if s := b.m.Stats(); s.Dialling != 0 || s.Inbound != 2 {
		t.Errorf("stats %+v", s)
	}
}

// Without that a guest could not be told anything.
func TestAGuestIsDialledBack(t *testing.T) {
	b := newBench(t, symmetric)
	b.handle(core.Connected{Peer: "guest", Addr: addr(9), Inbound: true, Guest: true})
	b.claim("guest", addr(1))
	b.wantDialAt("guest", addr(1))
	if s := b.m.Stats(); s.Guests != 1 {
		t.Errorf("stats %+v, want one guest", s)
	}
	b.disconnect("guest")
	if p := b.state("guest"); p.Failures != 0 {
		t.Errorf("a guest that left as it must: %+v", p)
	}
}

func TestBannedAndRejectedPeersAreNotDialledBack(t *testing.T) {
	b := newBench(t, symmetric)
	b.accept("banned")
	b.command(CoolDown{Peer: "banned", Until: b.now.Add(time.Hour), Banned: true})
	b.claim("banned", addr(2))
	b.accept("rejected")
	b.command(Rejected{Peer: "rejected", Reason: "network", Lasting: true})
	b.claim("rejected", addr(3))
	b.wantDial()
}

func TestADialBackOutlivesTheConnection(t *testing.T) {
	b := newBench(t, symmetric, func(c *Config) { c.ForgetAfter = 1 })
	b.accept("other")
	b.accept("in")
	b.claim("in", addr(1))
	b.wantDial("in")
	b.advance(time.Second)
	b.disconnect("in")
	if p := b.state("in"); p.State != StateDialling || !p.Since.Equal(start) {
		t.Errorf("shown as %+v", p)
	}
	b.fail("in")
	if s := b.m.Stats(); b.knows("in") || s.Dialling != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestEveryLaneHasItsShareOfDials(t *testing.T) {
	b := newBench(t, symmetric, mesh)
	b.discover(names("d", 100)...)
	if dials := take[core.Dial](b); len(dials) != 12 {
		t.Fatalf("%d candidates are dialled at a time, want 12 of 16", len(dials))
	}
	for _, id := range names("in", 10) {
		b.accept(id)
		b.claim(id, addrs(id)...)
	}
	b.wantDial(names("in", 2)...)
	b.command(SetBootstrappers{infos("b1", "b2", "b3")})
	b.wantDial("b1", "b2")
	b.fail("b1")
	b.wantDial("b3")
}

func TestWhenTheRateDecidesTheLanesTakeTurns(t *testing.T) {
	b := newBench(t, symmetric, mesh, func(c *Config) {
		c.MaxDialing, c.DialBurst, c.DialsPerSecond, c.MaxPeers = 1000, 1, 10, 1000
	})
	b.discover(names("d", 50)...)
	for _, id := range names("i", 50) {
		b.accept(id)
		b.claim(id, addrs(id)...)
	}
	b.command(SetBootstrappers{infos(names("b", 50)...)})
	take[core.Dial](b)
	for range 30 {
		if waited := b.advanceToDeadline(); waited > 101*time.Millisecond {
			t.Fatalf("waited %v, want 100ms", waited)
		}
	}
	served := map[byte]int{}
	for _, d := range take[core.Dial](b) {
		served[d.Peer[0]]++
	}
	if served['d'] != 10 || served['i'] != 10 || served['b'] != 10 {
		t.Errorf("served %v of 30, want 10 each", served)
	}
}

func TestWhenTheRateDoesForAllBootstrappersComeFirst(t *testing.T) {
	b := newBench(t, func(c *Config) { c.DialBurst = 3 })
	b.discover(names("d", 5)...)
	if b.m.turn == pinned {
		t.Fatal("the burst is used up, yet it is nobody else's turn")
	}
	b.advance(time.Second)
	b.wantDial(names("d", 5)...)
	if b.m.turn != pinned {
		t.Errorf("it is the turn of lane %d", b.m.turn)
	}
}
