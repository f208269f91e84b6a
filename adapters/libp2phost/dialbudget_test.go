package libp2phost

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

func testDialBudget(limit int, exempt peer.ID) *dialBudget {
	cfg := DefaultConfig()
	cfg.DialFailuresPerIP = limit
	cfg.Reserved = func(p peer.ID) bool { return p == exempt }
	return newDialBudget(cfg)
}

func TestDialsThatBringNoConnectionAreBoundedPerIPAddress(t *testing.T) {
	b, now := testDialBudget(3, "friend"), time.Now()
	for i, tc := range []struct {
		after time.Duration
		peer  peer.ID
		addr  string
		ok    bool
	}{
		{0, "a", "/ip4/203.0.113.7/tcp/1", true},
		{0, "a", "/ip4/203.0.113.7/tcp/1", true}, // the same counts once
		{0, "a", "/ip4/203.0.113.7/tcp/2", true},
		{0, "b", "/ip4/203.0.113.7/tcp/1", true},
		{0, "b", "/ip4/203.0.113.7/udp/1/quic-v1", false},
		{0, "a", "/ip4/203.0.113.7/tcp/2", true}, // nothing new
		{0, "b", "/ip6/::ffff:203.0.113.7/tcp/9", false},
		{0, "friend", "/ip4/203.0.113.7/tcp/3", true},
		{0, "b", "/ip4/203.0.113.8/tcp/1", true},
		{0, "b", "/ip4/10.0.0.1/tcp/1", true},
		{0, "b", "/ip4/10.0.0.1/tcp/2", true},
		{0, "b", "/ip4/10.0.0.1/tcp/3", true},
		{0, "b", "/ip4/10.0.0.1/tcp/4", false}, // private addresses are no exception
		{0, "b", "/ip4/127.0.0.1/tcp/4", true},
		{0, "b", "/dns4/node.example/tcp/4", true}, // comes again when resolved
		{dialWindow - 1, "c", "/ip4/203.0.113.7/tcp/1", false},
		{dialWindow, "c", "/ip4/203.0.113.7/tcp/1", true},
	} {
		if why := b.charge(now.Add(tc.after), tc.peer, ma.StringCast(tc.addr)); (why == nil) != tc.ok {
			t.Errorf("%d: %s at %s: %v", i, tc.peer, tc.addr, why)
		}
	}
}

func TestAConnectionTakesBackWhatItsPeerWasCharged(t *testing.T) {
	b, now := testDialBudget(2, ""), time.Now()
	addr := func(port int) ma.Multiaddr { return ma.StringCast(fmt.Sprintf("/ip4/203.0.113.7/tcp/%d", port)) }
	b.charge(now, "a", addr(1))
	b.charge(now, "b", addr(2))
	b.succeeded("b", addr(2))
	if why := b.charge(now, "c", addr(3)); why != nil {
		t.Errorf("refused: %v", why)
	}
	if b.charge(now, "d", addr(4)) == nil {
		t.Error("what others were charged was taken back too")
	}
	b.succeeded("a", addr(9)) // the other transport
	b.succeeded("c", addr(3))
	if len(b.ips) != 0 {
		t.Errorf("%d addresses are remembered for nothing", len(b.ips))
	}
}

func TestTheAddressesOfTheDialBudgetAreBounded(t *testing.T) {
	b, now := testDialBudget(1, ""), time.Now()
	at := func(i int) ma.Multiaddr {
		return ma.StringCast(fmt.Sprintf("/ip4/10.0.%d.%d/tcp/1", i>>8, i&255))
	}
	for i := range maxDialIPs + 1 {
		b.charge(now.Add(time.Duration(i)), "a", at(i))
	}
	now = now.Add(maxDialIPs + 1)
	if len(b.ips) != maxDialIPs {
		t.Errorf("%d addresses", len(b.ips))
	}
	if b.charge(now, "b", at(1)) == nil || b.charge(now, "b", at(0)) != nil {
		t.Error("not the oldest was forgotten")
	}
	b.charge(now.Add(dialWindow), "b", at(0))
	b.charge(now.Add(dialWindow), "b", ma.StringCast("/ip4/10.1.0.0/tcp/1"))
	if len(b.ips) > 2 {
		t.Errorf("%d addresses, of which all but two count no longer", len(b.ips))
	}
}

func TestHearsayDoesNotMakeTheNodeScanPorts(t *testing.T) {
	friend := testID(t)
	a := newTestHost(t, func(c *Config) {
		c.LimitLoopback, c.DialFailuresPerIP = true, 3
		c.Reserved = func(p peer.ID) bool { return p == friend }
	})
	ports := make([]ma.Multiaddr, 6)
	for i := range ports {
		ports[i] = closedAddr(t)
	}
	victim := testID(t)
	a.Dial(victim, ports)
	got := await(t, a.events, func(f core.DialFailed) bool { return f.Peer == victim })
	if n := a.Stats().Refused["dial_rate"]; n != 3 || !strings.Contains(got.Reason, "within a minute brought no connection") {
		t.Errorf("%d refused; failed with %q", n, got.Reason)
	}
	other := testID(t)
	a.Dial(other, ports[5:])
	got = await(t, a.events, func(f core.DialFailed) bool { return f.Peer == other })
	if !strings.HasPrefix(got.Reason, "refused by this node: 3 dials to 127.0.0.1 within a minute") {
		t.Errorf("failed with %q", got.Reason)
	}
	a.Dial(friend, ports[5:])
	got = await(t, a.events, func(f core.DialFailed) bool { return f.Peer == friend })
	if !strings.Contains(got.Reason, "nobody listens there") {
		t.Errorf("a bootstrapper's dial failed with %q", got.Reason)
	}
}

func TestManyPeersOfOneSiteAreReached(t *testing.T) {
	a := newTestHost(t, func(c *Config) { c.LimitLoopback, c.DialFailuresPerIP, c.ConnRatePerIP = true, 2, 0 })
	for _, to := range slices.Repeat([]string{"tcp", "quic-v1"}, 3) {
		mustConnect(t, a, newTestHost(t).on(to))
		mustConnect(t, a, newTestHost(t).info())
	}
}
