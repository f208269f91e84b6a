package dialing

import (
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

func TestAValidatorIsAlwaysDialledOnceItsAddressIsKnown(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxPeers, c.TargetDegree = 2, 0 })
	b.accept("in1")
	b.accept("in2")
	b.command(SetValidators{[]core.PeerID{"v1", "v2", "Self", "", "v1"}})
	b.wantDial()
	if p := b.state("v1"); !p.Validator || p.Bootstrapper || p.State != StateWaiting || p.Source != "validators" {
		t.Errorf("before its address is known: %+v", p)
	}
	b.hear("v1", addr(1))
	b.wantDialAt("v1", addr(1))
	for range 20 {
		b.fail("v1")
		b.advanceToDeadline()
		b.wantDial("v1")
	}
	if s := b.m.Stats(); s.Validators != 2 || s.Forgotten != 0 {
		t.Errorf("stats %+v", s)
	}
	b.connect("v1")
	if s := b.m.Stats(); s.ValidatorsConnected != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestNewValidatorsReplaceTheOld(t *testing.T) {
	b := newBench(t, func(c *Config) { c.TargetDegree = 0 })
	b.command(SetValidators{[]core.PeerID{"v1", "v2", "v3"}})
	b.claim("v2", addr(2))
	b.wantDial("v2")
	b.fail("v2")
	b.connect("v3")
	b.command(SetValidators{[]core.PeerID{"v4"}})
	if b.knows("v1") || !b.knows("v2") || b.state("v2").Validator || b.state("v3").Validator || !b.state("v4").Validator {
		t.Errorf("known: %+v", b.m.Peers(b.now))
	}
	b.advance(time.Hour)
	b.wantDial() // v2 is a candidate now, and none is wanted
	b.command(SetValidators{[]core.PeerID{"v2"}})
	b.wantDial("v2")
}

func TestABootstrapperThatIsAValidatorToo(t *testing.T) {
	b := newBench(t, bootstrap("b1"), func(c *Config) { c.TargetDegree = 0 })
	b.command(SetValidators{[]core.PeerID{"b1"}})
	b.command(SetBootstrappers{})
	b.wantDial("b1")
	b.fail("b1")
	b.advanceToDeadline()
	b.wantDial("b1") // at the address that was configured
	b.command(SetValidators{})
	b.fail("b1")
	if p := b.state("b1"); p.Bootstrapper || p.Validator {
		t.Errorf("shown as %+v", p)
	}
	b.advance(time.Hour)
	b.wantDial()
}

func TestARejectedPeerIsShownAndRedialledWhenThatHasASense(t *testing.T) {
	for _, lasting := range []bool{false, true} {
		b := newBench(t)
		b.accept("in")
		b.claim("d", addr(1))
		for range 12 { // more often than a dead one may fail
			b.wantDial("d")
			b.connect("d")
			b.command(Rejected{Peer: "d", Reason: "full: try later", Lasting: lasting})
			if p := b.state("d"); p.State != StateConnected || p.Reason != "full: try later" {
				t.Errorf("rejected, not yet disconnected: %+v", p)
			}
			b.disconnect("d")
			b.wantDial()
			p := b.state("d")
			wait := p.RetryAt.Sub(b.now)
			if p.State != StateRejected || p.Reason != "full: try later" || lasting != (wait == 10*time.Minute) || !lasting && wait > time.Minute {
				t.Errorf("lasting %v: %+v, again in %v", lasting, p, wait)
			}
			b.advance(wait)
		}
		if s := b.m.Stats(); s.Rejected != 12 || s.Forgotten != 0 {
			t.Errorf("stats %+v", s)
		}
	}
}

func TestARejectionThatComesAfterTheEndStandsToo(t *testing.T) {
	b := newBench(t)
	b.claim("d", addr(1))
	b.wantDial("d")
	b.connect("d")
	b.disconnect("d")
	b.command(Rejected{Peer: "d", Reason: "network", Lasting: true})
	b.claim("d", addr(2)) // a new address changes nothing about it
	b.advance(9 * time.Minute)
	b.wantDial()
	if p := b.state("d"); p.State != StateRejected || p.Failures != 1 {
		t.Errorf("shown as %+v", p)
	}
}

func TestARejectedGuestWithoutAddressIsShownAndThenForgotten(t *testing.T) {
	b := newBench(t)
	b.accept("in")
	b.command(Rejected{Peer: "in", Reason: "version", Lasting: true})
	b.disconnect("in")
	if p := b.state("in"); p.State != StateRejected || p.Reason != "version" {
		t.Errorf("shown as %+v", p)
	}
	if waited := b.advanceToDeadline(); waited != 10*time.Minute || b.knows("in") {
		t.Errorf("after %v known: %v", waited, b.knows("in"))
	}
	b.wantDial()
}

func TestARejectedBootstrapperLetsSavedPeersBeTried(t *testing.T) {
	b := newBench(t, bootstrap("b1"), saved("s1"))
	b.connect("b1")
	b.command(Rejected{Peer: "b1", Reason: "full"})
	b.disconnect("b1")
	b.wantDial("b1", "s1")
}

func TestABannedBootstrapperLetsSavedPeersBeTried(t *testing.T) {
	b := newBench(t, saved("s1"), func(c *Config) { c.AwaitBootstrappers = true })
	b.command(CoolDown{Peer: "b1", Until: b.now.Add(time.Hour), Banned: true})
	b.command(SetBootstrappers{infos("b1")})
	b.wantDial("s1")
}

func TestAPeerInCoolDownIsNotDialled(t *testing.T) {
	for banned, want := range map[bool]State{false: StateCoolDown, true: StateBanned} {
		b := newBench(t)
		b.accept("d")
		b.command(CoolDown{Peer: "d", Until: b.now.Add(10 * time.Minute), Reason: "why", Banned: banned})
		b.disconnect("d")
		b.discover("d")
		b.wantDial()
		if p := b.state("d"); p.State != want || p.RetryAt != b.now.Add(10*time.Minute) {
			t.Errorf("shown as %+v", p)
		}
		if waited := b.advanceToDeadline(); waited != 10*time.Minute {
			t.Errorf("waited %v, want 10m", waited)
		}
		b.wantDial("d")
	}
}

func TestACoolDownNeverShortensABan(t *testing.T) {
	b := newBench(t)
	b.discover("d")
	b.fail("d")
	b.command(CoolDown{Peer: "d", Until: b.now.Add(time.Hour), Reason: "ban", Banned: true})
	b.command(CoolDown{Peer: "d", Until: b.now.Add(time.Minute), Reason: "owner"})
	if p := b.state("d"); p.State != StateBanned || p.Reason != "ban" {
		t.Errorf("shown as %+v", p)
	}
	b.command(CoolDown{Peer: "d"})
	if p := b.state("d"); p.State != StateBackoff {
		t.Errorf("after the ban was lifted: %+v", p)
	}
	b.command(CoolDown{Peer: "unknown"})
	if b.knows("unknown") {
		t.Error("a ban that was lifted is in the book")
	}
}

func TestWhoeverBansFillTheBookWithMakesRoom(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxKnown = 10 })
	for i, id := range names("x", 10) {
		b.command(CoolDown{Peer: id, Until: b.now.Add(time.Hour + time.Duration(i)), Banned: true})
	}
	b.discover("d1", "d2")
	if !b.knows("d1") || !b.knows("d2") || b.knows("x0000") || b.knows("x0001") || !b.knows("x0002") {
		t.Errorf("known: %+v", b.m.Peers(b.now))
	}
}

func TestAForgottenPeerLeavesNothingBehind(t *testing.T) {
	b := newBench(t, bootstrap("b1"), saved("s1"))
	b.command(Forget{"s1"})
	b.fail("b1")
	b.claim("b1", addr(1))
	b.command(Forget{"b1"})
	take[core.Dial](b)
	b.fail("b1")
	b.advanceToDeadline()
	b.wantDialAt("b1", addrs("b1")...)

	b.accept("in")
	b.claim("in", addr(2))
	b.command(Forget{"in"})
	if p := b.state("in"); p.State != StateConnected || len(p.Addrs) != 0 {
		t.Errorf("connected and forgotten: %+v", p)
	}
	b.disconnect("in")

	b.discover("d")
	b.command(Forget{"d"})
	b.fail("d") // it was being dialled

	b.command(CoolDown{Peer: "c", Until: b.now.Add(time.Hour)})
	b.command(Forget{"c"})
	b.command(Forget{"unknown"})
	for id, want := range map[core.PeerID]bool{"s1": false, "in": false, "d": false, "c": true, "unknown": false} {
		if b.knows(id) != want {
			t.Errorf("%q is known: %v", id, !want)
		}
	}
}

func TestInAMeshEveryoneIsDialledUpToMaxPeers(t *testing.T) {
	b := newBench(t, mesh, func(c *Config) { c.MaxPeers, c.MaxDialing, c.TargetDegree = 30, 64, 1 })
	b.accept("in")
	ids := names("d", 40)
	b.discover(ids...)
	b.wantDial(ids[:29]...)
	for _, id := range ids[:29] {
		b.connect(id)
	}
	b.wantDial()
	b.command(SetBootstrappers{infos("b1")})
	b.wantDial("b1")
	b.command(SetValidators{ids[39:]})
	b.wantDial(ids[39])
}

func TestGuestsTakeNoPlace(t *testing.T) {
	b := newBench(t, mesh, func(c *Config) { c.MaxPeers = 1 })
	b.handle(core.Connected{Peer: "guest", Addr: addr(1), Inbound: true, Guest: true})
	b.discover("d")
	b.wantDial("d")
}

func TestALoneNodeTriesItsBootstrappersEveryFifteenSeconds(t *testing.T) {
	b := newBench(t, bootstrap("b1"))
	for range 10 {
		b.fail("b1")
		if waited := b.advanceToDeadline(); waited > 15*time.Second {
			t.Errorf("waited %v", waited)
		}
	}
}

func TestWhoseLastPeerGoesTriesItsBootstrappersSoon(t *testing.T) {
	b := newBench(t, bootstrap("b1", "b2"))
	b.accept("in")
	for range 10 {
		b.fail("b1")
		b.fail("b2")
		b.advanceToDeadline()
		b.advance(time.Minute)
	}
	b.fail("b1")
	b.command(Rejected{Peer: "b2", Reason: "network", Lasting: true})
	b.fail("b2")
	take[core.Dial](b)
	b.disconnect("in")
	if waited := b.advanceToDeadline(); waited > 15*time.Second {
		t.Errorf("waited %v", waited)
	}
	b.wantDial("b1")
}

func TestARejectedPeerIsDialledAtOnceWhenItsCauseIsGone(t *testing.T) {
	b := newBench(t)
	b.claim("a", addr(1))
	b.advance(time.Second)
	b.wantDial("a")
	b.connect("a")
	b.command(Rejected{Peer: "a", Reason: "no member", Lasting: true})
	b.disconnect("a")
	b.advance(time.Minute)
	b.wantDial()
	b.command(Retry{"a"})
	b.wantDial("a")
	if p := b.state("a"); p.Reason != "" || p.State != StateDialling {
		t.Errorf("after the retry: %+v", p)
	}
	b.command(Retry{"nobody"})
	if b.knows("nobody") {
		t.Error("a retry made a peer known")
	}
}

// askFull lets a full bootstrapper refuse us for a time, and returns how often it was
// asked and the longest pause.
func (b *bench) askFull(id core.PeerID, during time.Duration) (asked int, pause time.Duration) {
	b.t.Helper()
	last := b.now
	for end := b.now.Add(during); b.now.Before(end); b.advance(time.Second) {
		for _, d := range take[core.Dial](b) {
			if d.Peer != id {
				continue
			}
			asked, pause, last = asked+1, max(pause, b.now.Sub(last)), b.now
			b.connect(id)
			b.command(Rejected{Peer: id, Reason: "full", Full: true})
			b.disconnect(id)
		}
	}
	return asked, pause
}

func TestAFullBootstrapperIsLeftAloneByWhoJoinedElsewhere(t *testing.T) {
	b := newBench(t, bootstrap("b1"))
	b.accept("in")
	if asked, pause := b.askFull("b1", 3*time.Hour); asked > 30 || pause < 7*time.Minute || pause > 10*time.Minute+time.Second {
		t.Errorf("asked %d times in 3 h, the longest pause was %v, want up to 10 min", asked, pause)
	}
	b.disconnect("in") // the last one
	if asked, pause := b.askFull("b1", 10*time.Minute); asked < 30 || pause > 16*time.Second {
		t.Errorf("alone: asked %d times in 10 min, the longest pause was %v, want at most 15 s", asked, pause)
	}
}
