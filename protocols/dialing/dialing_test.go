package dialing

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

func TestBootstrappersAreDialledAtOnceAndSavedPeersWait(t *testing.T) {
	b := newBench(t, bootstrap("b1", "b2"), saved("s1"))
	b.wantDial("b1", "b2")
	b.connect("b1")
	b.wantNotice() // it may refuse us yet
	b.command(Joined{"b1"})
	b.wantNotice("bootstrap.connected")
	b.fail("b2")
	b.wantDial()
}

func TestSavedPeersAreTriedOnceEveryBootstrapperHasFailed(t *testing.T) {
	b := newBench(t, bootstrap("b1", "b2"), saved("s1", "s2"))
	b.wantDial("b1", "b2")
	b.fail("b1")
	b.wantNotice("bootstrap.unreachable")
	b.wantDial()
	b.fail("b2")
	b.wantNotice("bootstrap.unreachable", "bootstrap.fallback")
	b.wantDial("s1", "s2")
}

func TestSavedPeersAreTriedAtOnceWhereNoBootstrapperIsConfigured(t *testing.T) {
	b := newBench(t, saved("s1", "s2"))
	b.wantDial("s1", "s2")
	b.wantNotice()
}

func TestSavedPeersWaitForBootstrappersThatAreStillBeingRead(t *testing.T) {
	await := func(c *Config) { c.AwaitBootstrappers = true }
	b := newBench(t, await, saved("s1"))
	b.wantDial()
	b.command(SetBootstrappers{infos("b1")})
	b.wantDial("b1")

	b = newBench(t, await, saved("s1"))
	b.command(SetBootstrappers{})
	b.wantDial("s1")
}

func TestTheNewestSavedPeersAreTriedFirst(t *testing.T) {
	ids := names("s", 100)
	b := newBench(t, saved(ids...))
	b.wantDial(ids[:12]...)
	for _, id := range ids[:12] {
		b.fail(id)
	}
	b.wantDial(ids[12:24]...)
}

func TestAFailedPeerWaitsDoublingWithJitterUpToAMinute(t *testing.T) {
	b := newBench(t, bootstrap("b1"))
	b.accept("in")
	b.wantDial("b1")
	for i, least := range []time.Duration{1, 2, 4, 8, 16, 32, 45, 45, 45} {
		b.fail("b1")
		if p := b.state("b1"); p.State != StateBackoff || p.Failures != i+1 || p.Reason != "refused" {
			t.Errorf("after failure %d: %+v", i+1, p)
		}
		waited := b.advanceToDeadline()
		if waited < least*time.Second || waited >= min(2*least*time.Second, time.Minute) {
			t.Errorf("waited %v after failure %d, want from %v s up", waited, i+1, int64(least))
		}
		b.wantDial("b1")
	}
	b.wantNotice("bootstrap.unreachable", "bootstrap.fallback") // once for the streak
}

func TestAnUnreachableBootstrapperIsToldAgainAfterItWasConnected(t *testing.T) {
	b := newBench(t, bootstrap("b1"))
	b.fail("b1")
	b.advanceToDeadline()
	b.connect("b1")
	b.command(Joined{"b1"})
	b.advance(time.Hour)
	b.disconnect("b1")
	b.advanceToDeadline()
	b.fail("b1")
	b.wantNotice("bootstrap.unreachable", "bootstrap.fallback", "bootstrap.connected", "bootstrap.unreachable", "bootstrap.fallback")
}

func TestALostBootstrapperIsRedialledWithinASecond(t *testing.T) {
	b := newBench(t, bootstrap("b1"))
	b.wantDial("b1")
	b.connect("b1")
	b.advance(time.Minute)
	b.disconnect("b1")
	if waited := b.advanceToDeadline(); waited > time.Second {
		t.Errorf("waited %v, want at most a second", waited)
	}
	b.wantDial("b1")
}

func TestAConnectionThatDoesNotLastCountsAsAFailure(t *testing.T) {
	b := newBench(t, bootstrap("b1"))
	for i := range 3 {
		b.wantDial("b1")
		b.connect("b1")
		b.advance(10 * time.Second)
		b.disconnect("b1")
		if p := b.state("b1"); p.Failures != i+1 || p.State != StateBackoff {
			t.Errorf("after %d short connections: %+v", i+1, p)
		}
		b.advanceToDeadline()
	}
}

func TestDiscoveredPeersAreDialledUpToTheDegree(t *testing.T) {
	b := newBench(t)
	ids := names("d", 20)
	b.discover(ids...)
	b.wantDial(ids[:12]...) // in the order in which they were heard of
	for _, id := range ids[:12] {
		b.connect(id)
	}
	b.wantDial()
	if d := b.m.Deadline(); !d.IsZero() {
		t.Errorf("the degree is met, yet the machine waits for %v", d)
	}
	b.disconnect(ids[3])
	if dials := take[core.Dial](b); len(dials) != 1 || slices.Contains(ids[:12], dials[0].Peer) {
		t.Errorf("a lost peer was replaced by %v, want one of the 8 that wait", dials)
	}
}

func TestInboundConnectionsDoNotFillTheDegree(t *testing.T) {
	b := newBench(t)
	for _, id := range names("in", 30) {
		b.accept(id)
	}
	b.discover(names("d", 12)...)
	b.wantDial(names("d", 12)...)
}

func TestBootstrappersAreDialledBeyondMaxPeersAndOthersAreNot(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxPeers = 5 })
	for _, id := range names("in", 5) {
		b.accept(id)
	}
	b.discover("d")
	b.wantDial()
	b.command(SetBootstrappers{infos("b1")})
	b.wantDial("b1")
	b.disconnect("in0000")
	b.wantDial() // the dial of the bootstrapper takes the place
}

func TestADialWithoutAnAnswerIsGivenUpAfterAMinute(t *testing.T) {
	b := newBench(t, bootstrap("b1"))
	b.wantDial("b1")
	if waited := b.advanceToDeadline(); waited != time.Minute {
		t.Errorf("gave up after %v, want 1m", waited)
	}
	b.wantNotice("bootstrap.unreachable", "bootstrap.fallback")
	b.fail("b1") // too late: counts no second time
	if p := b.state("b1"); p.Failures != 1 || p.Reason != "no answer in 1m0s" {
		t.Errorf("after the sweep: %+v", p)
	}
}

func TestWhatWorkedIsSavedAndSeenAgainAtTheEnd(t *testing.T) {
	b := newBench(t)
	b.discover("d")
	b.handle(core.Connected{Peer: "d", Addr: addr(7)})
	b.wantSaved("d", addr(7))
	b.advance(time.Hour)
	b.disconnect("d")
	b.wantSaved("d", addr(7))
	b.advanceToDeadline()
	dials := take[core.Dial](b)
	if got := dials[len(dials)-1].Addrs; !sameAddrs(got, append([]multiaddr.Multiaddr{addr(7)}, addrs("d")...)) {
		t.Errorf("redialled at %v, want what worked first", got)
	}
}

func TestAPeerThatDialledUsIsNotSavedAndForgottenWhenItGoes(t *testing.T) {
	b := newBench(t)
	b.accept("in")
	if p := b.state("in"); p.State != StateConnected || !p.Inbound || p.Source != "inbound" {
		t.Errorf("inbound peer shown as %+v", p)
	}
	b.disconnect("in")
	if saved := take[core.Persist](b); len(saved) > 0 || b.knows("in") {
		t.Errorf("saved %v, known %v: its remote port leads nowhere", saved, b.knows("in"))
	}
}

func TestTheNodeItselfIsNeverDialled(t *testing.T) {
	b := newBench(t, bootstrap("Self"), saved("Self"))
	b.discover("Self")
	b.handle(core.Connected{Peer: "Self", Addr: addr(1)})
	b.wantDial()
	if s := b.m.Stats(); s.Known != 0 || s.Self != 3 {
		t.Errorf("stats %+v, want nobody known and 3 recognised", s)
	}
}

func TestNewBootstrappersReplaceTheOld(t *testing.T) {
	b := newBench(t, bootstrap("b1", "b2"))
	b.fail("b1")
	b.connect("b2")
	b.wantDial("b1", "b2")

	b.command(SetBootstrappers{infos("b1", "b2")})
	b.wantDial() // nothing is new

	moved := peer.AddrInfo{ID: "b1", Addrs: []multiaddr.Multiaddr{addr(9)}}
	b.command(SetBootstrappers{[]peer.AddrInfo{moved}})
	b.wantDial("b1") // at its new address, at once
	if p := b.state("b2"); p.Bootstrapper || p.State != StateConnected {
		t.Errorf("the one that left the list: %+v", p)
	}
	b.fail("b1")
	if p := b.state("b1"); !sameAddrs(p.Addrs, moved.Addrs) || p.Failures != 1 {
		t.Errorf("the one that moved: %+v", p)
	}
}

func TestAFullBookKeepsUntriedCandidatesAndDropsFailedOnes(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxKnown, c.TargetDegree = 3, 1 })
	b.discover("d1", "d2", "d3", "d4")
	if b.knows("d4") || b.m.Stats().Refused != 1 {
		t.Fatalf("stats %+v, want the fourth refused", b.m.Stats())
	}
	b.wantDial("d1")
	b.fail("d1")
	b.discover("d4")
	if b.knows("d1") || !b.knows("d4") || b.m.Stats().Evicted != 1 {
		t.Errorf("stats %+v, want d1 replaced by d4", b.m.Stats())
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	for name, broken := range map[string]func(*Config){
		"Self":        func(c *Config) { c.Self = "" },
		"MaxPeers":    func(c *Config) { c.MaxPeers = 0 },
		"MaxDialing":  func(c *Config) { c.MaxDialing = 2 },
		"MaxKnown":    func(c *Config) { c.MaxKnown = -1 },
		"MaxAddrs":    func(c *Config) { c.MaxAddrs = 0 },
		"ForgetAfter": func(c *Config) { c.ForgetAfter = 0 },
		"backoff":     func(c *Config) { c.BackoffMax = 0 },
		"DialSweep":   func(c *Config) { c.DialSweep = 0 },
		"StableAfter": func(c *Config) { c.StableAfter = -1 },

		"Topology":           func(c *Config) { c.Topology = 2 },
		"MaxHearsay":         func(c *Config) { c.MaxHearsay = 0 },
		"ForgetHearsayAfter": func(c *Config) { c.ForgetHearsayAfter = 0 },
		"LoneBackoffMax":     func(c *Config) { c.LoneBackoffMax = 0 },
		"FullBackoffMax":     func(c *Config) { c.FullBackoffMax = 0 },
		"RejectedFor":        func(c *Config) { c.RejectedFor = 0 },
		"DialBackAfter":      func(c *Config) { c.DialBackAfter = 0 },
		"DialSecondAfter":    func(c *Config) { c.DialSecondAfter = -1 },
		"DialsPerSecond":     func(c *Config) { c.DialsPerSecond = 0 },
		"DialBurst":          func(c *Config) { c.DialBurst = 0 },
		"IPDialsPerMinute":   func(c *Config) { c.IPDialsPerMinute = 0 },
		"IPFailureCost":      func(c *Config) { c.IPFailureCost = 0 },
		"MaxIPs":             func(c *Config) { c.MaxIPs = 0 },
	} {
		cfg := DefaultConfig()
		cfg.Self = "Self"
		broken(&cfg)
		if err := cfg.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v, want ErrConfig", name, err)
		}
	}
}
