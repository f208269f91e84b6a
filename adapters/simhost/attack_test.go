package simhost

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/core"
)

// TestAttacks lets 40 Sybils attack 20 nodes, with -attacks; without, and quicker,
// it lets 3 attack 8.
func TestAttacks(t *testing.T) {
	strategies := []Strategy{Episub()}
	if *bench.attacks {
		strategies = chosen(t)
	}
	for _, a := range Attacks() {
		if !*bench.attacks {
			a.Sybils = 3
		}
		t.Run(strings.ReplaceAll(a.Name, " ", "-"), func(t *testing.T) {
			for _, seed := range seeds() {
				for _, s := range strategies {
					survives(t, newTestWorld(t, setting(a, seed)), s, a)
				}
			}
		})
	}
}

// seeds are those of the worlds: one without -attacks.
func seeds() (all []int64) {
	for seed := range *bench.seeds {
		if all = append(all, int64(seed+1)); !*bench.attacks {
			break
		}
	}
	return all
}

// setting is how many nodes there are, and for how long: those who betray have two
// minutes to earn trust, and two minutes follow; floods are the same all the time.
func setting(a Attack, seed int64) func(*Config) {
	return func(c *Config) {
		c.Seed = seed
		c.Interval, c.Warmup, c.Messages = 4*time.Second, 30, 30
		if a.Offence != "" {
			c.Warmup, c.Messages = 3, 8
		}
		if !*bench.attacks {
			c.Nodes, c.Dials, c.Interval, c.Warmup, c.Messages = 8, 3, 4*time.Second, 3, 4
		}
		if a.Offence == core.OffenceGossipIHave {
			c.Messages = 9 // a promise is broken after 15 s only
		}
	}
}

// survives wants every message at every honest node within 6 s, the honest well again
// within 90 heartbeats, and under episub, where the nodes judge, the offenders banned
// and nobody else. Of plain gossipsub it only tells.
func survives(t *testing.T, w *World, s Strategy, a Attack) Verdict {
	t.Helper()
	start := time.Now()
	r, v, err := RunAttacked(t, w, s, a)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s, seed %d: p50 %.0f ms, p95 %.0f ms, max %.0f ms (before the attack %.0f); %d of %d missing; %.0f B of control per delivery; recovered after %s",
		s.Name, r.Seed, r.P50, r.P95, r.Max, r.Cold.Max, len(r.Missing), r.Expected, r.Control, v.Recovery.Round(time.Second))
	t.Logf("%s: %d of %d Sybils banned by all, %d of %d pairs, the last after %s: %v; %.2f of the eager were Sybils, %.2f are; took %s",
		s.Name, v.Banned, v.Sybils, v.Bans, v.Pairs, v.Last.Round(time.Second), v.Reasons, v.Gained, v.Eager, time.Since(start).Round(time.Second))
	if s.Name == Plain().Name {
		return v
	}
	if !r.Complete() || r.Max > 6000 || v.Recovery > 90*time.Second {
		t.Errorf("want all within 6 s, and within %s again after 90 s: missing %.300s", slow, r.Missing)
	}
	if len(v.Honest) > 0 || v.Accused > 0 {
		t.Errorf("%d offences and bans of honest nodes: %.500s", v.Accused, v.Honest)
	}
	for reason := range v.Reasons {
		if a.Offence == "" || !strings.HasPrefix(reason, string(a.Offence)) {
			t.Errorf("banned for %s, want %q", reason, a.Offence)
		}
	}
	if a.Offence != "" && v.Banned != v.Sybils {
		t.Errorf("%d of %d Sybils are banned by all whom they attacked", v.Banned, v.Sybils)
	}
	return v
}

// TestHonestButSlowNodesAreDemotedNotBanned gives some nodes a slow last mile.
func TestHonestButSlowNodesAreDemotedNotBanned(t *testing.T) {
	const slowOnes = 2
	w := newTestWorld(t, func(c *Config) {
		c.Nodes, c.Dials, c.Interval, c.Warmup, c.Messages = 12, 5, 500*time.Millisecond, 20, 40
	})
	for i := range slowOnes {
		w.places[i].lastMile = 700 * time.Millisecond
	}
	r, v, err := RunAttacked(t, w, Episub(), Attack{Name: "none"})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Complete() || len(v.Honest) > 0 || v.Accused > 0 {
		t.Errorf("missing %v, banned %v, %d offences", r.Missing, v.Honest, v.Accused)
	}
	t.Logf("pushes to others, by node: %v", v.Pushes)
	sum := func(of []int) (n int) {
		for _, p := range of {
			n += p
		}
		return n
	}
	if s, q := sum(v.Pushes[:slowOnes])*(len(v.Pushes)-slowOnes), sum(v.Pushes[slowOnes:])*slowOnes; 2*s > q {
		t.Errorf("slow nodes push to others more than half as often as quick ones: %v, the slow ones first", v.Pushes)
	}
}

// TestHonestNodesUnderLoadAreNotBlamed loses one packet in ten on lines that are full, and
// waits until all promises are due: much comes late that was asked for.
func TestHonestNodesUnderLoadAreNotBlamed(t *testing.T) {
	w := newTestWorld(t, func(c *Config) {
		c.Nodes, c.Dials, c.Interval, c.Warmup, c.Messages = 12, 5, 250*time.Millisecond, 20, 40
		c.Size, c.Mbps, c.Loss, c.Drain = 8<<10, 2, 0.1, 150*time.Second
	})
	r, v, err := RunAttacked(t, w, Episub(), Attack{Name: "none"})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("p95 %.0f ms, max %.0f ms, %d requests in vain, %d offences", r.P95, r.Max, v.InVain, v.Accused)
	if v.InVain == 0 {
		t.Error("no request was too late: this shows nothing")
	}
	if !r.Complete() || len(v.Honest) > 0 || v.Accused > 0 {
		t.Errorf("missing %v, banned %v, %d offences", r.Missing, v.Honest, v.Accused)
	}
}

// TestABannedPeerIsRefusedBothWays dials from either side.
func TestABannedPeerIsRefusedBothWays(t *testing.T) {
	w := newTestWorld(t, nil)
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(w)
		n.net.Start()
		defer n.net.Close()
		var hosts []*simHost
		for i := range 2 {
			h, err := n.newHost(w.keys[i], address(i), i)
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			hosts = append(hosts, h)
		}
		hosts[0].gate.refuse(hosts[1].ID())
		for i, from := range hosts {
			to := hosts[1-i]
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			err := from.Connect(ctx, peer.AddrInfo{ID: to.ID(), Addrs: to.Addrs()})
			cancel()
			time.Sleep(time.Second) // over QUIC, who dials is told a moment later
			if up := slices.Contains(from.Network().Peers(), to.ID()); up || from == hosts[0] && err == nil {
				t.Errorf("host %d dials: connected %v, error %v", i, up, err)
			}
			if to.Network().Connectedness(from.ID()) == network.Connected {
				t.Errorf("host %d took the connection", 1-i)
			}
		}
	})
}
