package simtest

import (
	"testing"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/discovery"
)

// sees says whether a peer is connected and complete at a node.
func (m *member) sees(peer core.PeerID) bool {
	for _, p := range m.machine().Peers(m.Now()) {
		if p.ID == peer {
			return p.Member
		}
	}
	return false
}

// seenBy is at how many running nodes a peer is complete.
func (c *crowd) seenBy(peer *member) (n int) {
	for _, m := range c.up() {
		if m != peer && m.sees(peer.ID()) {
			n++
		}
	}
	return n
}

func TestASilentDeathIsNoticedWithin50Seconds(t *testing.T) {
	const nodes = 20
	worst := time.Duration(0)
	for _, after := range []time.Duration{31 * time.Second, 40 * time.Second, 47 * time.Second, 55 * time.Second} {
		c := newCrowd(t, 1, wide())
		c.network(nodes, mesh(nodes))
		c.Run(after)
		dead := c.members[nodes/2]
		if n := c.seenBy(dead); n != nodes-1 {
			t.Fatalf("%d nodes have it, want all", n)
		}
		dead.Crash()
		worst = max(worst, c.until("nobody has it", func() bool { return c.seenBy(dead) == 0 }, 100*time.Millisecond, 2*time.Minute))
		c.noBans()
	}
	t.Logf("noticed by all after at most %v", worst)
	if worst > 50*time.Second {
		t.Errorf("noticed after %v, want 50 s", worst)
	}
}

// One whose clock is wrong is alone as long as it is, and back when it is right:
// nobody bans anybody over it.
func TestAClockThatJumpsAnHourLocksNobodyOut(t *testing.T) {
	const nodes = 12
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		c := newCrowd(t, 1, wide())
		c.network(nodes, mesh(nodes+4), keep)
		c.Run(time.Minute)
		c.members[5].SetClock(jump)
		c.Run(10 * time.Minute)
		wrong := c.seenBy(c.members[5])
		c.members[5].SetClock(0)
		took := c.until("a full mesh again", c.full, time.Second, 2*time.Hour)
		t.Logf("clock set by %v for 10 min: %d of %d nodes still had it, all again %v after the clock was right", jump, wrong, nodes-1, took)
		if took > 2*time.Minute {
			t.Errorf("back %v after the clock was right, want 2 min", took)
		}
		c.noBans()
	}
}

// newAddrs counts the running nodes that would dial a peer at an address.
func (c *crowd) dialledAt(peer *member, addr multiaddr.Multiaddr) (n int) {
	for _, m := range c.up() {
		for _, k := range m.machine().Known(m.Now()) {
			if k.ID == peer.ID() && len(k.Addrs) > 0 && k.Addrs[0].Equal(addr) {
				n++
			}
		}
	}
	return n
}

func TestAnAddressChangeReachesMembersAtOnceAndOthersSoon(t *testing.T) {
	const nodes = 100
	c := newCrowd(t, 1, wide())
	c.network(nodes)
	c.Run(time.Minute)
	mover, addr := c.members[50], addrOf(50, 4444)
	near := members(mover)
	mover.addr = addr
	mover.Move(addr)
	mover.Command(discovery.SetAddrs{Addrs: []multiaddr.Multiaddr{addr}})
	c.Run(200 * time.Millisecond)
	if n := c.dialledAt(mover, addr); n < near {
		t.Errorf("known to %d nodes after two trips, want at least the %d members", n, near)
	}
	most := c.until("known to 99 %", func() bool { return c.dialledAt(mover, addr) >= (nodes-1)*99/100 }, 100*time.Millisecond, 3*time.Minute)
	t.Logf("new address known to %d members within 200 ms, to 99 %% after %v", near, most)
	if most > 10*time.Second {
		t.Errorf("known to 99 %% after %v, want 10 s", most)
	}
	all := c.until("known to all", func() bool { return c.dialledAt(mover, addr) == nodes-1 }, time.Second, 10*time.Minute)
	t.Logf("known to all %v later", all)
	c.noBans()
}

func TestAPartitionHeals(t *testing.T) {
	const nodes = 30
	for name, topology := range map[string]setting{"mesh": mesh(nodes), "bounded": places(nodes)} {
		t.Run(name, func(t *testing.T) {
			c := newCrowd(t, 1, wide())
			c.network(nodes, topology)
			c.Run(time.Minute)
			for _, m := range c.members[nodes/2:] {
				m.SetSide(1)
			}
			c.Run(3 * time.Minute)
			if n := c.across(nodes / 2); n != 0 {
				t.Fatalf("%d links across after 3 min, want none", n)
			}
			for _, m := range c.members {
				m.SetSide(0)
			}
			healed := func() bool { return c.across(nodes/2) > 0 }
			if name == "mesh" {
				healed = c.full
			}
			took := c.until("one network again", healed, time.Second, 10*time.Minute)
			t.Logf("%s: one network again after %v", name, took)
			if took > 2*time.Minute {
				t.Errorf("healed after %v, want 2 min", took)
			}
			mover, addr := c.members[1], addrOf(1, 4444)
			mover.Move(addr)
			mover.Command(discovery.SetAddrs{Addrs: []multiaddr.Multiaddr{addr}})
			c.until("news cross", func() bool { return c.dialledAt(mover, addr) >= (nodes-1)*9/10 }, time.Second, 3*time.Minute)
			c.noBans()
		})
	}
}

// across is how many pairs from either side of a border are complete.
func (c *crowd) across(border int) (n int) {
	for _, a := range c.members[:border] {
		for _, b := range c.members[border:] {
			if a.sees(b.ID()) {
				n++
			}
		}
	}
	return n
}

// Pairs that learn of each other at the same moment.
func TestSimultaneousDialsEndWithAtMostTwoConnections(t *testing.T) {
	const pairs = 100
	for _, unaware := range []bool{true, false} {
		c := newCrowd(t, 1, wide())
		for range 2 * pairs {
			c.add(keep).Start()
		}
		for i, m := range c.members {
			other := c.members[i^1]
			m.post(core.Discovered{Peer: other.ID(), Addrs: other.cfg.Host.Addrs, From: core.SourceMDNS, Unaware: unaware})
		}
		took := c.until("every pair complete", func() bool { return c.least(members) == 1 }, 10*time.Millisecond, 30*time.Second)
		c.Run(10 * time.Second)
		two := 0
		for i, m := range c.members {
			switch n := m.Host.Connections(c.members[i^1].ID()); n {
			case 1:
			case 2:
				two++
			default:
				t.Errorf("node %d has %d connections", i, n)
			}
			if !m.sees(c.members[i^1].ID()) {
				t.Errorf("node %d lost its peer", i)
			}
		}
		t.Logf("told to dial at once %v: complete after %v, %d of %d pairs with two connections", unaware, took, two/2, pairs)
		c.gossipFlows(pairs)
		c.noBans()
	}
}

// gossipFlows changes every address and awaits that the other side has it.
func (c *crowd) gossipFlows(pairs int) {
	c.t.Helper()
	for i, m := range c.members {
		m.addr = addrOf(i, 4444)
		m.Move(m.addr)
		m.Command(discovery.SetAddrs{Addrs: []multiaddr.Multiaddr{m.addr}})
	}
	c.Run(time.Second)
	for i, m := range c.members {
		if c.members[i^1].Records.Claims[m.ID()].Envelope == nil {
			c.t.Errorf("node %d has no claim of its peer", i^1)
		}
		if n := c.dialledAt(m, m.addr); n != 1 {
			c.t.Errorf("the new address of node %d is known to %d, want its peer", i, n)
		}
	}
}
