package simtest

import (
	"testing"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/discovery"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/peerlist"
)

// stranger is the claim of an identity that is no node, signed now.
func (c *crowd) stranger(n int) claim.Signed {
	key, id := keyOf(1<<32 + uint64(n))
	s, err := claim.Seal(claim.Claim{
		Network: "test", Peer: id, Time: c.Now(), Expiry: c.Now().Add(claim.Lifetime - time.Second),
		Addrs: []multiaddr.Multiaddr{addrOf(1<<20+n, 30303)},
	}, key)
	if err != nil {
		c.t.Fatal(err)
	}
	c.checked[string(s.Bytes())] = s // spares the run the check
	return s
}

func forged(n int, s claim.Signed) []byte {
	raw := append([]byte(nil), s.Bytes()...)
	raw[len(raw)-1-n%64] ^= byte(1 + n%255) // within the signature
	return raw
}

// Whichever way forged claims come, none is accepted and their sender is gone.
func TestAFloodOfForgedClaimsEndsWithinTwoSeconds(t *testing.T) {
	const perTick, tick = 100, 10 * time.Millisecond // 10,000 a second
	for name, message := range map[string]func(i int, raw []byte) core.Send{
		"own claim": func(_ int, raw []byte) core.Send {
			return core.Send{Protocol: peerlist.Protocol, Type: peerlist.TypeOwnClaim, Payload: raw}
		},
		"gossip": func(_ int, raw []byte) core.Send {
			return core.Send{Protocol: infect.ClaimsProtocol, Type: infect.TypePush, Payload: infect.Message{Item: raw}.Append(infect.TypePush, nil)}
		},
		"peer list": func(i int, raw []byte) core.Send {
			return core.Send{Protocol: peerlist.Protocol, Type: peerlist.TypePeerList, Payload: peerlist.PeerList{ID: uint64(i), Envelopes: [][]byte{raw}}.Append(nil)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCrowd(t, 1, wide())
			c.network(4, mesh(10))
			c.Run(10 * time.Second)
			victim, liar := c.members[0], c.members[3]
			real, sent, begun := c.stranger(0), 0, c.Elapsed()
			var over time.Duration
			c.Every(tick, func() bool {
				if over = c.Elapsed() - begun; !victim.sees(liar.ID()) {
					return false
				}
				for range perTick {
					m := message(sent, forged(sent, real))
					m.Peer = victim.ID()
					liar.Do(m)
					sent++
				}
				return true
			})
			c.Run(5 * time.Second)
			t.Logf("%d forged claims, then its end after %v", sent, over)
			if over > 2*time.Second {
				t.Errorf("it lasted %v, want 2 s", over)
			}
			if len(victim.machine().Bans(victim.Now())) != 1 {
				t.Errorf("bans %v, want one", victim.machine().Bans(victim.Now()))
			}
			if knownClaims(victim) > 3 || knownPeers(victim) > 3 {
				t.Errorf("%d claims and %d peers are known, want the 3 others", knownClaims(victim), knownPeers(victim))
			}
			c.Run(10 * time.Minute)
			if victim.sees(liar.ID()) {
				t.Error("it is back within its ban")
			}
			for _, m := range c.members[1:3] {
				if len(m.machine().Bans(m.Now())) != 0 {
					t.Errorf("node %d bans somebody too, who was it?", m.Index())
				}
			}
		})
	}
}

// liar is a machine that answers every question with fresh identities.
type liar struct {
	*discovery.Machine
	fresh func() claim.Signed
	told  int
}

func (l *liar) Handle(now time.Time, ev core.Event, out *[]core.Effect) {
	if m, ok := ev.(core.Received); ok && m.Type == peerlist.TypeGetPeerList && m.Protocol == peerlist.Protocol {
		if q, err := peerlist.ParseGetPeerList(m.Payload); err == nil {
			list := peerlist.PeerList{ID: q.ID}
			for range peerlist.MaxAnswer {
				list.Envelopes = append(list.Envelopes, l.fresh().Bytes())
				l.told++
			}
			*out = append(*out, core.Send{Peer: m.Peer, Protocol: peerlist.Protocol, Type: peerlist.TypePeerList, Payload: list.Append(nil)})
			return
		}
	}
	l.Machine.Handle(now, ev, out)
}

// Valid claims of identities that are no nodes, without end: in answers to
// questions, which each full answer with news brings forth, and by gossip.
func TestAFloodOfFreshIdentitiesLeavesTheHonestClaims(t *testing.T) {
	capacity, flood := 256, 6_000
	if complete {
		capacity, flood = 16_384, 1_000_000
	}
	honest := capacity / 2
	c := newCrowd(t, 1, wide())
	small := func(cfg *discovery.Config, _ *NodeConfig) {
		cfg.Claim.Capacity, cfg.Dialing.MaxKnown = capacity, capacity
	}
	c.network(12, places(20), small)
	victim, enemy := c.members[0], c.members[11]
	c.Run(20 * time.Second)
	c.tellHonest(victim, honest, 10)
	before := c.kept(victim, honest)
	// It is the one that is asked: the worst case.
	victim.Command(discovery.SetValidators{Peers: map[core.PeerID]uint64{enemy.ID(): 1}})
	l := &liar{Machine: enemy.machine()}
	l.fresh = func() claim.Signed { return c.stranger(honest + l.told) }
	enemy.Machine = l
	for l.told < flood {
		for range 16 { // as many as gossip takes of one peer in a second
			s := l.fresh()
			l.told++
			enemy.Do(core.Send{Peer: victim.ID(), Protocol: infect.ClaimsProtocol, Type: infect.TypePush, Payload: infect.Message{Item: s.Bytes()}.Append(infect.TypePush, nil)})
		}
		c.Run(time.Second)
	}
	after := c.kept(victim, honest)
	s := victim.machine().Stats()
	t.Logf("%d claims of fresh identities in %v: %d of %d honest claims stay; %d claims booked, %d displaced, %d peers known",
		l.told, c.Elapsed(), after, before, s.Claims.Known, s.Claims.Evicted, s.Dialing.Known)
	if s.Claims.Known > capacity {
		t.Errorf("%d claims are booked, want at most %d", s.Claims.Known, capacity)
	}
	if s.Claims.Evicted < uint64(flood)/2 {
		t.Errorf("%d claims were displaced: this was no flood", s.Claims.Evicted)
	}
	if before < honest || after < before*9/10 {
		t.Errorf("%d of %d honest claims stay, want 90 %%", after, before)
	}
	if n := len(victim.machine().Bans(victim.Now())); n != 0 {
		t.Errorf("%d bans: each claim was valid", n)
	}
}

// tellHonest has a node learn the claims of nodes elsewhere, as members answer its
// questions.
func (c *crowd) tellHonest(victim *member, n, tellers int) {
	told := 0
	for i := range tellers {
		m := c.members[1+i]
		answering := &liar{Machine: m.machine()}
		answering.fresh = func() claim.Signed { told++; return c.stranger((told - 1) % n) }
		m.Machine = answering
	}
	c.until("honest claims booked", func() bool { return c.kept(victim, n) == n }, time.Second, time.Hour)
	for i := range tellers {
		m := c.members[1+i]
		m.Machine = m.Machine.(*liar).Machine
	}
}

// kept is how many of the first n strangers are booked.
func (c *crowd) kept(m *member, n int) (kept int) {
	booked := map[core.PeerID]bool{}
	for _, s := range m.machine().Claims(m.Now()) {
		booked[s.Peer] = true
	}
	for i := range n {
		if _, id := keyOf(1<<32 + uint64(i)); booked[id] {
			kept++
		}
	}
	return kept
}
