package dialing

import (
	"fmt"
	"testing"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

func TestDialsPerSecondAreBounded(t *testing.T) {
	b := newBench(t, mesh, func(c *Config) { c.MaxDialing, c.MaxPeers = 10_000, 10_000 })
	b.discover(names("d", 1000)...)
	if n := len(take[core.Dial](b)); n != 100 {
		t.Errorf("%d dials at once, want a burst of 100", n)
	}
	for end := b.now.Add(2 * time.Second); b.m.Deadline().Before(end); {
		if waited := b.advanceToDeadline(); waited > 21*time.Millisecond {
			t.Fatalf("waited %v, want 20ms", waited)
		}
	}
	if n := len(take[core.Dial](b)); n < 99 || n > 100 {
		t.Errorf("%d dials in 2 s, want 50 a second", n)
	}
}

// victims are claims of many peers, all of one host.
func (b *bench) victims(host string, n int) {
	for i, id := range names("x", n) {
		b.claim(id, at(host, i+1))
	}
}

func wide(c *Config) {
	mesh(c)
	c.MaxDialing, c.MaxPeers, c.DialBurst, c.DialsPerSecond = 10_000, 10_000, 10_000, 10_000
}

func TestNobodyMakesUsFloodAHost(t *testing.T) {
	for _, host := range []string{"203.0.113.1", "10.0.0.1"} {
		b := newBench(t, wide)
		b.accept("in") // so that the dead are forgotten
		b.victims(host, 500)
		if n := len(take[core.Dial](b)); n != 60 {
			t.Errorf("%s: %d dials at once, want 60", host, n)
		}
		if s := b.m.Stats(); s.Postponed != 440 || s.LeftOut != 440 {
			t.Errorf("%s: stats %+v", host, s)
		}
		if p := b.state("x0499"); p.State != StateBackoff || p.Reason != "its IP is dialled too often: waiting" || p.Failures != 0 {
			t.Errorf("%s: put off: %+v", host, p)
		}
	}
}

func TestAHostWhereNobodyAnswersIsDialledTwelveTimesAMinute(t *testing.T) {
	b := newBench(t, wide)
	b.accept("in")
	b.victims("203.0.113.1", 500)
	dials := 0
	for end := b.now.Add(11 * time.Minute); b.now.Before(end); {
		for _, d := range take[core.Dial](b) {
			if b.now.After(start.Add(time.Minute)) {
				dials++
			}
			b.fail(d.Peer)
		}
		b.advanceToDeadline()
	}
	if dials > 121 || dials < 60 {
		t.Errorf("%d dials in 10 minutes, want at most 12 a minute, and not much less", dials)
	}
}

func TestManyPeersBehindOneIPDoNotWaitForEachOther(t *testing.T) {
	b := newBench(t, wide)
	for i, id := range names("d", 500) {
		b.claim(id, at("203.0.113.1", i+1))
		b.wantDial(id)
		b.handle(core.Connected{Peer: id, Addr: at("203.0.113.1", i+1)})
	}
}

func TestAnAddressOverBudgetIsLeftOut(t *testing.T) {
	b := newBench(t, wide)
	b.victims("203.0.113.1", 60)
	take[core.Dial](b)
	b.claim("d", at("203.0.113.1", 99), at("203.0.113.2", 99))
	b.wantDialAt("d", at("203.0.113.2", 99))
}

func TestWhatIsSureIsDialledBeyondTheBudget(t *testing.T) {
	b := newBench(t, wide, saved("s1"))
	b.handle(core.Connected{Peer: "d", Addr: at("203.0.113.1", 99)})
	b.victims("203.0.113.1", 60)
	take[core.Dial](b)
	b.advance(10 * time.Second)
	b.disconnect("d")
	b.claim("d", at("203.0.113.1", 99))
	b.claim("loop", addr(1))
	for _, id := range names("x", 60) {
		b.fail(id)
	}
	b.advance(2 * time.Second)
	dialled := map[core.PeerID]bool{}
	for _, d := range take[core.Dial](b) {
		dialled[d.Peer] = true
	}
	if !dialled["d"] || !dialled["loop"] || len(dialled) != 2 {
		t.Errorf("dialled %v, want d where it was reached before, and loopback", dialled)
	}
}

func TestLoopbackIsBoundedWhereThatIsWanted(t *testing.T) {
	b := newBench(t, wide, func(c *Config) { c.LimitLoopback = true })
	b.victims("127.0.0.1", 100)
	if n := len(take[core.Dial](b)); n != 60 {
		t.Errorf("%d dials, want 60", n)
	}
}

func TestWhichHostADialConcerns(t *testing.T) {
	for _, c := range []struct {
		a, b           string
		same, loopback bool
	}{
		{a: "/ip4/203.0.113.1/tcp/1", b: "/ip4/203.0.113.1/udp/2/quic-v1", same: true},
		{a: "/ip4/203.0.113.1/tcp/1", b: "/ip4/203.0.113.2/tcp/1"},
		{a: "/ip4/127.0.0.1/tcp/1", b: "/ip4/127.1.2.3/tcp/1", loopback: true},
		{a: "/ip6/::1/tcp/1", b: "/ip6/::1/tcp/2", same: true, loopback: true},
		{a: "/ip6/::ffff:203.0.113.1/tcp/1", b: "/ip4/203.0.113.1/tcp/1", same: true},
		{a: "/ip6/::ffff:127.0.0.1/tcp/1", b: "/ip4/127.0.0.1/tcp/1", same: true, loopback: true},
		{a: "/ip6/2001:db8::1/tcp/1", b: "/ip6/2001:db8::2/tcp/1", same: true},
		{a: "/ip6/2001:db8::1/tcp/1", b: "/ip6/2001:db8:0:1::1/tcp/1"},
		{a: "/ip6/fd00::1/tcp/1", b: "/ip6/fd00::2/tcp/1"},
		{a: "/ip6/::2/tcp/1", b: "/ip6/::3/tcp/1"},
		{a: "/ip6zone/eth0/ip6/fe80::1/tcp/1", b: "/ip6zone/eth1/ip6/fe80::1/tcp/1", same: true},
		{a: "/dns4/example.org/tcp/1", b: "/dns4/example.org/tcp/2", same: true},
		{a: "/dns4/example.org/tcp/1", b: "/dns4/example.com/tcp/1"},
	} {
		x, loopback := target(multiaddr.StringCast(c.a))
		y, _ := target(multiaddr.StringCast(c.b))
		if (x == y) != c.same || loopback != c.loopback {
			t.Errorf("%s and %s: same %v, loopback %v", c.a, c.b, x == y, loopback)
		}
	}
}

func TestTheWatchedIPsAreBounded(t *testing.T) {
	b := newBench(t, wide, func(c *Config) { c.MaxIPs = 10 })
	check := func(most int) {
		t.Helper()
		if n := len(b.m.ips.byIP); n > most || n != len(b.m.ips.order) {
			t.Errorf("%d IPs in the map, %d in order, want at most %d", n, len(b.m.ips.order), most)
		}
	}
	for i, id := range names("d", 100) {
		b.claim(id, at(fmt.Sprintf("203.0.113.%d", i), 1))
		check(10)
	}
	b.advance(50 * time.Second) // all are full again
	b.claim("e", at("198.51.100.1", 1))
	check(1)
}

func TestWhatWasReachedInAnEarlierRunIsWithinTheBudget(t *testing.T) {
	b := newBench(t, wide, func(c *Config) {
		c.Saved = []core.SavedPeer{{Peer: "s1", Addrs: []multiaddr.Multiaddr{at("203.0.113.1", 99)}}}
		c.AwaitBootstrappers = true
	})
	b.victims("203.0.113.1", 60)
	take[core.Dial](b)
	b.command(SetBootstrappers{})
	b.wantDial()
}

func TestADialBackOverBudgetLeavesTheClaimAsItIs(t *testing.T) {
	b := newBench(t, wide, symmetric)
	b.victims("203.0.113.1", 60)
	take[core.Dial](b)
	claimed := []multiaddr.Multiaddr{at("203.0.113.1", 99), at("203.0.113.2", 99)}
	b.claim("in", claimed...)
	take[core.Dial](b)
	b.fail("in")
	b.accept("in")
	b.wantDialAt("in", claimed[1])
	if p := b.state("in"); !sameAddrs(p.Addrs, claimed) {
		t.Errorf("known at %v, want %v", p.Addrs, claimed)
	}
}

func TestThoseThatWaitForOneIPDoNotComeBackTogether(t *testing.T) {
	b := newBench(t, wide)
	b.accept("in")
	b.victims("203.0.113.1", 4000)
	for end := b.now.Add(10 * time.Minute); b.now.Before(end); b.advanceToDeadline() {
		for _, d := range take[core.Dial](b) {
			b.fail(d.Peer)
		}
	}
	if s := b.m.Stats(); s.Postponed > 20*4000 {
		t.Errorf("%d dials were put off, %d each", s.Postponed, s.Postponed/4000)
	}
}
