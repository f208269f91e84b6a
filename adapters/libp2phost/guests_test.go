package libp2phost

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

// fullHost has one place, which is taken.
func fullHost(t *testing.T, change ...func(*Config)) *testHost {
	h := newTestHost(t, append(change, func(c *Config) { c.MaxPeers = 1 })...)
	mustConnect(t, newTestHost(t), h.on("tcp"))
	eventually(t, "the place is taken", func() bool { return h.NumPeers() == 1 })
	return h
}

func TestAGuestIsToldAsOneIsNeverAdmittedAndLeavesInTime(t *testing.T) {
	t.Parallel()                 // it waits for time to pass
	const stay = 2 * time.Second // long enough to look at the guest on a busy machine
	h, p := fullHost(t, func(c *Config) { c.GuestTime = stay }), plainHost(t)
	streams := handed(h, testProtocol)
	begin := time.Now()
	openTo(t, p, h.on("tcp"), testProtocol)
	up := await(t, h.events, func(c core.Connected) bool { return c.Peer == p.ID() })
	if !up.Guest || !up.Inbound {
		t.Errorf("told %+v", up)
	}
	h.Admit(p.ID())
	if st := h.Stats(); st.Guests != 1 || st.Admitted != 0 || h.NumPeers() != 1 {
		t.Errorf("stats %+v", st)
	}
	if net := h.Overlay().Network(); net.Connectedness(p.ID()) == network.Connected {
		t.Error("the overlay sees a guest")
	}
	if i := slices.IndexFunc(h.Peers(), func(i PeerInfo) bool { return i.ID == p.ID() }); i < 0 || !h.Peers()[i].Guest {
		t.Errorf("described as %+v", h.Peers())
	}
	await(t, h.events, func(d core.Disconnected) bool { return d.Peer == p.ID() })
	if stayed := time.Since(begin); stayed < stay {
		t.Errorf("sent away after %v", stayed)
	}
	eventually(t, "the peer notices", func() bool { return p.Network().Connectedness(h.ID()) == network.NotConnected })
	if len(streams) != 0 {
		t.Error("a guest's stream was handed over")
	}
	if st := h.Stats(); st.Guests != 0 || st.Peers != 1 {
		t.Errorf("stats %+v", st)
	}
}

func TestAPeerIsAGuestOnlyWhileThePlacesAreTaken(t *testing.T) {
	h, p := fullHost(t), newTestHost(t)
	mustConnect(t, p, h.on("tcp"))
	await(t, h.events, func(c core.Connected) bool { return c.Peer == p.ID() && c.Guest })
	for _, i := range h.Peers() {
		if err := h.Disconnect(i.ID); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all have left", func() bool { return len(h.Peers()) == 0 && len(p.Peers()) == 0 })
	mustConnect(t, p, h.on("tcp"))
	await(t, h.events, func(c core.Connected) bool { return c.Peer == p.ID() && !c.Guest })
	h.Admit(p.ID())
	if st := h.Stats(); st.Peers != 1 || st.Admitted != 1 || st.Guests != 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestADialOfOursNeverMakesAGuest(t *testing.T) {
	h, q := fullHost(t), newTestHost(t)
	h.Dial(q.ID(), q.Addrs())
	failed := await(t, h.events, func(f core.DialFailed) bool { return f.Peer == q.ID() })
	if !strings.Contains(failed.Reason, "places are taken") {
		t.Errorf("reason %q", failed.Reason)
	}
	if st := h.Stats(); st.Guests != 0 || st.Peers != 1 {
		t.Errorf("stats %+v", st)
	}
}

// With symmetry a guest gets its list on a connection of ours.
func TestWithSymmetryAGuestIsDialledBackAndStaysOne(t *testing.T) {
	h, p := fullHost(t, symmetric), newTestHost(t, symmetric)
	mustConnect(t, p, h.on("tcp"))
	await(t, h.events, func(c core.Connected) bool { return c.Peer == p.ID() && c.Guest })
	h.Dial(p.ID(), p.Addrs())
	await(t, h.events, func(l core.Linked) bool { return l.Peer == p.ID() && l.Inbound && l.Outbound })
	if st := h.Stats(); st.Guests != 1 || st.Peers != 1 {
		t.Errorf("stats %+v", st)
	}
}

func TestOneAddressHoldsAFewOfTheGuestsPlaces(t *testing.T) {
	h := fullHost(t, func(c *Config) { c.GuestsPerIP, c.LimitLoopback, c.ConnRatePerIP = 2, true, 0 })
	for range 2 {
		p := newTestHost(t)
		mustConnect(t, p, h.on("tcp"))
		await(t, h.events, func(c core.Connected) bool { return c.Peer == p.ID() && c.Guest })
	}
	p := newTestHost(t)
	_ = p.Connect(testContext(t), h.on("tcp")) // the dialler sees success first, then the end
	eventually(t, "the third is refused", func() bool { return h.Stats().Refused["full"] > 0 })
	for _, i := range h.Peers() {
		if i.Guest {
			if err := h.Disconnect(i.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "the guests have left", func() bool { return h.Stats().Guests == 0 && !p.Connected(h.ID()) })
	mustConnect(t, p, h.on("tcp"))
	await(t, h.events, func(c core.Connected) bool { return c.Peer == p.ID() && c.Guest })
}

func TestWhatIsOneAddressForGuests(t *testing.T) {
	for name, tc := range map[string]struct {
		here, comes string
		may         bool
	}{
		"the same":              {"/ip4/203.0.113.1/tcp/1", "/ip4/203.0.113.1/udp/2/quic-v1", false},
		"its neighbour":         {"/ip4/203.0.113.1/tcp/1", "/ip4/203.0.113.2/tcp/1", true},
		"mapped to IPv6":        {"/ip4/203.0.113.1/tcp/1", "/ip6/::ffff:203.0.113.1/tcp/1", false},
		"of one IPv6 /56":       {"/ip6/2001:db8:0:aa00::1/tcp/1", "/ip6/2001:db8:0:aaff::2/tcp/1", false},
		"of another IPv6 /56":   {"/ip6/2001:db8:0:aa00::1/tcp/1", "/ip6/2001:db8:0:ab00::1/tcp/1", true},
		"private":               {"/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/2", false},
		"loopback":              {"/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2", true},
		"loopback, of IPv6":     {"/ip6/::1/tcp/1", "/ip6/::1/tcp/2", true},
		"the end of all guests": {"", "/ip4/127.0.0.1/tcp/2", false},
	} {
		cfg := DefaultConfig()
		g := newGuests(cfg)
		if tc.here == "" {
			g.all = cfg.Guests
		} else {
			g.count(g.site(ma.StringCast(tc.here)), cfg.GuestsPerIP)
		}
		if may := g.may(network.DirInbound, ma.StringCast(tc.comes)); may != tc.may {
			t.Errorf("%s: may come: %v, want %v", name, may, tc.may)
		}
		if tc.here != "" {
			g.count(g.site(ma.StringCast(tc.here)), -cfg.GuestsPerIP)
		}
		if len(g.at) > 0 {
			t.Errorf("%s: %v is remembered when nobody is here", name, g.at)
		}
	}
}
