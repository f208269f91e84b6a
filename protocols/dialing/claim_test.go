package dialing

import (
	"testing"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

func TestANewerClaimReplacesTheOlder(t *testing.T) {
	b := newBench(t)
	b.claim("d", addr(1), addr(2))
	b.wantDialAt("d", addr(1), addr(2))
	b.claim("d", addr(3))
	b.wantDialAt("d", addr(3)) // beside the dial under way
	b.fail("d")
	b.advanceToDeadline()
	b.wantDialAt("d", addr(3))
	if p := b.state("d"); p.Source != "claim" {
		t.Errorf("source %q, want claim", p.Source)
	}
}

func TestANewClaimIsDialledBesideADeadAddressWithinTheBudgets(t *testing.T) {
	dead, fresh := at("203.0.113.1", 1), at("203.0.113.2", 1)
	for name, c := range map[string]struct {
		change func(*Config)
		before func(*bench)
		want   []multiaddr.Multiaddr
	}{
		"a new address": {want: []multiaddr.Multiaddr{fresh}},
		"over the rate": {change: func(c *Config) { c.DialBurst, c.DialsPerSecond = 1, 1 }},
		"over the budget of its IP": {
			change: func(c *Config) { c.IPDialsPerMinute = 1 },
			before: func(b *bench) { b.claim("other", at("203.0.113.2", 2)) },
		},
		"over the addresses of one dial": {change: func(c *Config) { c.MaxAddrs = 1 }},
		"of one that is banned": {
			before: func(b *bench) { b.command(CoolDown{Peer: "d", Until: b.now.Add(time.Hour), Banned: true}) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(cfg *Config) {
				cfg.Saved = []core.SavedPeer{{Peer: "d", Addrs: []multiaddr.Multiaddr{dead}}}
				if c.change != nil {
					c.change(cfg)
				}
			})
			b.wantDialAt("d", dead)
			if c.before != nil {
				c.before(b)
			}
			take[core.Dial](b)
			b.claim("d", fresh)
			if len(c.want) > 0 {
				b.wantDialAt("d", c.want...)
			}
			b.claim("d", fresh) // again
			if dials := take[core.Dial](b); len(dials) > 0 {
				t.Errorf("dialled %v", dials)
			}
		})
	}
}

func TestAClaimOfANewAddressIsTriedSoon(t *testing.T) {
	b := newBench(t)
	b.claim("d", addr(1))
	for range 6 {
		b.fail("d")
		b.advanceToDeadline()
	}
	b.fail("d")
	take[core.Dial](b)
	b.claim("d", addr(1))
	if p := b.state("d"); p.Failures != 7 {
		t.Errorf("the same claim again: %+v", p)
	}
	b.claim("d", addr(2))
	if waited := b.advanceToDeadline(); waited > time.Second {
		t.Errorf("waited %v, want at most a second", waited)
	}
	b.wantDialAt("d", addr(2))
}

func TestAddressesAreDialledTheMostTrustedFirst(t *testing.T) {
	b := newBench(t, bootstrap("b1"))
	b.handle(core.Connected{Peer: "b1", Addr: addr(3)})
	b.hear("b1", addr(4))
	b.claim("b1", addr(2))
	b.advance(time.Hour)
	b.disconnect("b1")
	take[core.Dial](b)
	b.advanceToDeadline()
	b.wantDialAt("b1", addrs("b1")[0], addr(2), addr(3), addr(4))
}

func TestHearsayIsDialledFourAtATimeUntilAllWereTried(t *testing.T) {
	b := newBench(t)
	b.hear("d", addr(1), addr(2), addr(3), addr(4), addr(5), addr(6))
	b.wantDialAt("d", addr(1), addr(2), addr(3), addr(4))
	b.hear("d", addr(1), addr(2), addr(3), addr(4)) // again and again, to keep the others out
	b.fail("d")
	b.hear("d", addr(1), addr(2), addr(3), addr(4))
	b.advanceToDeadline()
	b.wantDialAt("d", addr(5), addr(6), addr(1), addr(2))
}

func TestFalseAddressesDoNotPushOutTrueOnes(t *testing.T) {
	b := newBench(t, func(c *Config) { c.TargetDegree = 0 })
	b.discover("d")
	for port := range 10 {
		b.handle(core.Discovered{Peer: "d", Addrs: []multiaddr.Multiaddr{addr(port + 1)}, From: core.SourceMDNS})
	}
	hearsay := b.m.book.get("d").hearsay.addrs()
	if len(hearsay) != 11 || !hearsay[10].Equal(addrs("d")[0]) || b.state("d").Source != "mdns" {
		t.Errorf("known at %v from %s", hearsay, b.state("d").Source)
	}
}

func TestAnAddressIsKnownWithoutThePeerIDAndOnce(t *testing.T) {
	b := newBench(t)
	full := multiaddr.StringCast("/ip4/127.0.0.1/tcp/1/p2p/12D3KooWBmAwcd4PJNJvfV89HwE48nwkRmAgo8Vy3uQEyNNHBox2")
	b.claim("d", full, addr(1), addr(2))
	b.wantDialAt("d", addr(1), addr(2))
	b.hear("e", full)
	b.wantDialAt("e", addr(1))
	b.hear("f") // nothing to know
	if b.knows("f") {
		t.Error("a peer without an address is in the book")
	}
}

func TestWhoIsForgottenWhen(t *testing.T) {
	for name, c := range map[string]struct {
		from  core.Source
		alone bool
		after int // failures; 0: never
	}{
		"hearsay only":       {from: core.SourceDHT, after: 3},
		"on the network":     {from: core.SourceMDNS, after: 3},
		"a claim":            {from: core.SourceClaim, after: 8},
		"hearsay, alone":     {from: core.SourceDHT, alone: true},
		"a claim, and alone": {from: core.SourceClaim, alone: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if !c.alone {
				b.accept("in")
				b.advance(time.Hour)
			}
			b.handle(core.Discovered{Peer: "d", Addrs: addrs("d"), From: c.from})
			for i := 1; i <= 20; i++ {
				b.wantDial("d")
				b.fail("d")
				if gone := !b.knows("d"); gone != (i == c.after) {
					t.Fatalf("after %d failures forgotten: %v", i, gone)
				} else if gone {
					return
				}
				b.advanceToDeadline()
			}
		})
	}
}

func TestWhoDialledUsIsSavedWhereItClaimsToBe(t *testing.T) {
	b := newBench(t)
	b.accept("in")
	b.claim("in", addr(1))
	if waited := b.advanceToDeadline(); waited != 30*time.Second {
		t.Errorf("waited %v, want 30s", waited)
	}
	b.wantSaved("in", addr(1))
	b.claim("in", addr(2)) // it moved
	b.wantSaved("in", addr(2))
	b.claim("in", addr(2))
	if saved := take[core.Persist](b); len(saved) > 0 {
		t.Errorf("saved %v, which is saved already", saved)
	}
	b.advance(time.Hour)
	b.disconnect("in")
	b.wantSaved("in", addr(2)) // seen last at the end
}

func TestWhoDialledUsForAMomentIsNotSaved(t *testing.T) {
	b := newBench(t)
	b.accept("in")
	b.claim("in", addr(1))
	b.advance(29 * time.Second)
	b.disconnect("in")
	b.advance(time.Hour)
	if saved := take[core.Persist](b); len(saved) > 0 {
		t.Errorf("saved %v", saved)
	}
}
