package node_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/adapters/libp2phost"
	"github.com/weftnet/weft/node"
)

func mesh(c *node.Config) { c.Topology = "mesh" }

func places(most, dial int) func(*node.Config) {
	return func(c *node.Config) { c.MaxPeers, c.TargetDegree = most, dial }
}

// members counts the complete peers of a node.
func members(t testing.TB, n *node.Node) int {
	t.Helper()
	s, err := n.Status(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return s.Discovery.Members
}

// complete waits until every node has every other as a member.
func complete(t testing.TB, nodes []*node.Node) {
	t.Helper()
	for _, n := range nodes {
		eventually(t, "a complete mesh", func() bool { return members(t, n) == len(nodes)-1 })
	}
}

func TestAMeshOfTenCompletesAndHoldsEverybodysClaim(t *testing.T) {
	begun := time.Now()
	nodes := []*node.Node{start(t, mesh)}
	for range 9 {
		nodes = append(nodes, start(t, mesh, joining(nodes[0])))
	}
	complete(t, nodes)
	t.Logf("10 nodes have met %v after the first one began", time.Since(begun).Round(time.Millisecond))
	for _, n := range nodes {
		claims, err := n.Claims(soon(t))
		if err != nil || len(claims) != len(nodes) {
			t.Fatalf("%d claims, %v; want %d", len(claims), err, len(nodes))
		}
		for i, c := range claims {
			owner := nodes[slices.IndexFunc(nodes, func(o *node.Node) bool { return o.ID() == c.Peer })]
			if c.Own != (owner == n) || !slices.ContainsFunc(owner.Addrs(), func(a multiaddr.Multiaddr) bool { return a.Decapsulate(p2pOf(owner)).Equal(c.Addrs[0]) }) {
				t.Errorf("claim %d = %+v of a node at %v", i, c, owner.Addrs())
			}
		}
	}
}

func p2pOf(n *node.Node) multiaddr.Multiaddr { return multiaddr.StringCast("/p2p/" + n.ID().String()) }

func TestAFullNodeHandsANewcomerOn(t *testing.T) {
	for name, how := range map[string]func(*node.Config){"one way": func(*node.Config) {}, "symmetric": symmetric} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			full := start(t, how, places(2, 1))
			a := start(t, how, joining(full))
			awaitPeer(t, full, a.ID())
			newcomer := start(t, how, joining(full))
			awaitPeer(t, newcomer, a.ID())
			if r := refusal(t, newcomer, full.ID()); r.Reason != "full" || r.ByUs {
				t.Errorf("the newcomer shows %+v, want that the node was full", r)
			}
			if n := members(t, full); n != 1 {
				t.Errorf("the full node has %d members, want 1", n)
			}
		})
	}
}

// claimedAt waits until a node holds a peer's claim of an address.
func claimedAt(t testing.TB, n *node.Node, p peer.ID, at multiaddr.Multiaddr) {
	t.Helper()
	eventually(t, "the claim of "+at.String(), func() bool {
		claims, err := n.Claims(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(claims, func(c node.Claim) bool {
			return c.Peer == p && slices.ContainsFunc(c.Addrs, at.Equal)
		})
	})
}

// The one that moved connects to the hub alone: the other learns of it from there.
func TestANewAddressAfterARestartReachesThoseWhoAreNotConnected(t *testing.T) {
	key, err := libp2phost.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	leaf := func(c *node.Config) { c.TargetDegree, c.NoDHT = 1, true }
	fixed := func(c *node.Config) { c.Key = key }
	hub := start(t, leaf)
	other := start(t, leaf, joining(hub))
	awaitPeer(t, other, hub.ID())
	mover := start(t, leaf, joining(hub), fixed)
	id, before := mover.ID(), mover.Addrs()[0].Decapsulate(p2pOf(mover))
	claimedAt(t, other, id, before)
	if err := mover.Close(); err != nil {
		t.Fatal(err)
	}
	gone(t, hub, id)
	mover = start(t, leaf, joining(hub), fixed)
	after := mover.Addrs()[0].Decapsulate(p2pOf(mover))
	if mover.ID() != id || after.Equal(before) {
		t.Fatalf("the node is back as %s at %s", mover.ID(), after)
	}
	claimedAt(t, hub, id, after)
	claimedAt(t, other, id, after)
	if member(t, other, id) {
		t.Error("the two met, so that nothing is shown of those who do not")
	}
}

func TestABanEndsRefusesBothWaysAndOutlastsARestart(t *testing.T) {
	dir := t.TempDir()
	n, other := start(t, inDir(dir)), start(t)
	if err := n.Connect(soon(t), other.Addrs()[0].String()); err != nil {
		t.Fatal(err)
	}
	awaitPeer(t, n, other.ID())
	awaitPeer(t, other, n.ID())
	if err := n.Ban(t.Context(), other.ID(), time.Hour, "it was rude"); err != nil {
		t.Fatal(err)
	}
	gone(t, n, other.ID())
	if r := refusal(t, other, n.ID()); r.Reason != "banned" || !strings.Contains(r.Text, "it was rude") || r.ByUs {
		t.Errorf("the banned one shows %+v", r)
	}
	refused := func(n *node.Node) {
		t.Helper()
		if err := n.Connect(soon(t), other.Addrs()[0].String()); err == nil || !strings.Contains(err.Error(), "it was rude") {
			t.Errorf("dialling the banned one = %v", err)
		}
		_ = other.Connect(soon(t), n.Addrs()[0].String()) // it may see a connection for a moment
		if member(t, n, other.ID()) {
			t.Error("the banned one came in")
		}
		gone(t, n, other.ID())
	}
	refused(n)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = start(t, inDir(dir))
	bans, err := n.Bans(soon(t))
	if err != nil || len(bans) != 1 || bans[0].Peer != other.ID() || bans[0].Reason != "it was rude" || bans[0].Times != 1 {
		t.Fatalf("bans after a restart = %+v, %v", bans, err)
	}
	refused(n)
	if err := n.ConnectPeer(soon(t), other.ID()); err == nil || !strings.Contains(err.Error(), "blocked until") {
		t.Errorf("looking for a banned peer = %v, want that it is blocked", err)
	}
	if err := n.Unban(soon(t), other.ID()); err != nil {
		t.Fatal(err)
	}
	if err := n.Connect(soon(t), other.Addrs()[0].String()); err != nil {
		t.Errorf("dialling after the ban was lifted = %v", err)
	}
	eventually(t, "a member", func() bool { return member(t, n, other.ID()) })
	if err := n.Unban(soon(t), other.ID()); !errors.Is(err, node.ErrNotBanned) {
		t.Errorf("lifting it twice = %v", err)
	}
}

func TestMembersShowUptimeAndRoundTrip(t *testing.T) {
	t.Parallel() // the first pings take half a minute to come
	a := start(t)
	b := start(t, joining(a))
	for _, side := range []struct{ us, them *node.Node }{{a, b}, {b, a}} {
		inTime(t, time.Minute, "a pong", func() bool {
			all, err := side.us.Members(soon(t))
			return err == nil && len(all) == 1 && all[0].ID == side.them.ID() &&
				all[0].RTT > 0 && all[0].Uptime > 9_000 && all[0].Told && all[0].Says > 9_000
		})
	}
	eventually(t, "what others say", func() bool {
		s, err := a.Status(soon(t))
		return err == nil && s.Discovery.IsObserved && s.Discovery.Observed > 9_000
	})
}

func TestTheValidatorsComeFromTheFileOrFromTheOwner(t *testing.T) {
	a, b := start(t), start(t)
	set := node.ValidatorSet{Peers: map[peer.ID]uint64{b.ID(): 7}}
	if err := a.SetValidators(set); err != nil {
		t.Fatal(err)
	}
	if got, err := a.Validators(soon(t)); err != nil || len(got) != 1 || got[0].Peer != b.ID() || got[0].Weight != 7 || got[0].Connected {
		t.Errorf("validators = %+v, %v", got, err)
	}
	if err := a.Connect(soon(t), b.Addrs()[0].String()); err != nil {
		t.Fatal(err)
	}
	awaitPeer(t, a, b.ID())
	if got, err := a.Validators(soon(t)); err != nil || !got[0].Connected || !got[0].Known {
		t.Errorf("validators = %+v, %v; want it connected", got, err)
	}
	file := filepath.Join(t.TempDir(), "validators")
	replaceFile(t, file, a.ID().String()+" 3\n")
	fromFile := start(t, func(c *node.Config) { c.ValidatorsFile = file })
	if err := fromFile.SetValidators(set); !errors.Is(err, node.ErrValidatorsFile) {
		t.Errorf("setting what a file holds = %v", err)
	}
	replaceFile(t, file, b.ID().String()+" 4\n")
	eventually(t, "the new file", func() bool {
		got, err := fromFile.Validators(soon(t))
		return err == nil && len(got) == 1 && got[0].Peer == b.ID() && got[0].Weight == 4
	})
}

// A validator has a place where all are taken, and is dialled as soon as its
// address is known, however many peers there are.
func TestAValidatorHasAPlaceInAFullNode(t *testing.T) {
	full := start(t, places(2, 1))
	first := start(t, joining(full))
	awaitPeer(t, full, first.ID())
	validator := start(t)
	if err := full.SetValidators(node.ValidatorSet{Peers: map[peer.ID]uint64{validator.ID(): 1}}); err != nil {
		t.Fatal(err)
	}
	if err := validator.Connect(soon(t), full.Addrs()[0].String()); err != nil {
		t.Fatal(err)
	}
	awaitPeer(t, full, validator.ID())
}

func TestDiscoveryWorksWithoutDHTAndPubSub(t *testing.T) {
	bare := func(c *node.Config) { c.NoDHT, c.NoPubSub = true, true }
	nodes := []*node.Node{start(t, mesh, bare)}
	for range 2 {
		nodes = append(nodes, start(t, mesh, bare, joining(nodes[0])))
	}
	complete(t, nodes)
	if err := nodes[0].Publish(soon(t), "t", nil); !errors.Is(err, node.ErrOff) {
		t.Errorf("publish without pubsub = %v", err)
	}
	if _, err := nodes[0].Subscribe("t"); !errors.Is(err, node.ErrOff) {
		t.Errorf("subscribe without pubsub = %v", err)
	}
	if _, err := nodes[0].Closest(soon(t), "key"); !errors.Is(err, node.ErrOff) {
		t.Errorf("closest without the DHT = %v", err)
	}
	for _, c := range nodes[0].Peers() {
		for _, id := range c.Protocols {
			if slices.Contains(overlayProtocols(), string(id)) {
				t.Errorf("a bare node speaks %s", id)
			}
		}
	}
}
