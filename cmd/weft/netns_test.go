//go:build netns

package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/node"
)

// lan is a bridge in a network namespace of its own, to which others are tied, so
// that nodes have different addresses and no packet leaves. It needs root.
type lan struct {
	t     *testing.T
	name  string
	hosts int
}

func newLAN(t *testing.T) *lan {
	t.Helper()
	l := &lan{t: t, name: "weft-" + strings.ToLower(rand.Text()[:6])}
	l.namespace(l.name)
	l.ip("-n", l.name, "link", "add", "bridge", "type", "bridge")
	l.ip("-n", l.name, "link", "set", "bridge", "up")
	return l
}

func (l *lan) run(name string, args ...string) {
	l.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		l.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func (l *lan) ip(args ...string) { l.t.Helper(); l.run("ip", args...) }

func (l *lan) namespace(name string) {
	l.t.Helper()
	l.ip("netns", "add", name)
	l.t.Cleanup(func() { l.ip("netns", "delete", name) })
}

// place is a machine in the network.
type place struct {
	lan      *lan
	ns, addr string
}

func (l *lan) place() place {
	l.t.Helper()
	return l.placeAt(fmt.Sprintf("10.77.0.%d", l.hosts+1))
}

// placeAt is a machine at an address; those with the same first two bytes reach each other.
func (l *lan) placeAt(addr string) place {
	l.t.Helper()
	l.hosts++
	p := place{l, fmt.Sprintf("%s-%d", l.name, l.hosts), addr}
	l.namespace(p.ns)
	port := fmt.Sprintf("port%d", l.hosts)
	l.ip("-n", p.ns, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", l.name)
	l.ip("-n", l.name, "link", "set", port, "master", "bridge", "up")
	l.ip("-n", p.ns, "addr", "add", p.addr+"/16", "dev", "eth0")
	l.ip("-n", p.ns, "link", "set", "lo", "up")
	l.ip("-n", p.ns, "link", "set", "eth0", "up")
	return p
}

// firewalled lets nobody in.
func (p place) firewalled() place {
	p.lan.t.Helper()
	for _, rule := range [][]string{{"-p", "tcp", "--syn"}, {"-p", "udp"}} {
		p.lan.run("ip", append(append([]string{"netns", "exec", p.ns, "iptables", "-A", "INPUT"}, rule...), "-j", "DROP")...)
	}
	return p
}

// node makes a node of the place, which is not started.
func (p place) node(flags ...string) *kept {
	p.lan.t.Helper()
	k := newKept(p.lan.t, append([]string{
		"--listen", "/ip4/" + p.addr + "/tcp/30303", "--listen", "/ip4/" + p.addr + "/udp/30303/quic-v1",
	}, flags...)...)
	k.via = []string{"ip", "netns", "exec", p.ns}
	return k
}

// peer is what a node shows of another.
func (k *kept) peer(id string) *weftv1.Peer {
	k.t.Helper()
	c := k.client()
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	all, err := c.Peers(ctx, &weftv1.PeersRequest{All: true, PeerId: id})
	if err != nil {
		k.t.Fatal(err)
	}
	if len(all.Peers) == 0 {
		return &weftv1.Peer{}
	}
	return all.Peers[0]
}

// event waits for the first event of a kind that concerns a peer.
func (k *kept) event(kind, id string) (found *weftv1.EventsResponse) {
	k.t.Helper()
	await(k.t, kind, func() bool {
		events := k.past(kind)
		at := slices.IndexFunc(events, func(e *weftv1.EventsResponse) bool { return e.PeerId == id })
		if at >= 0 {
			found = events[at]
		}
		return at >= 0
	})
	return found
}

var symmetric = []string{"--symmetry", "required", "--topology", "mesh"}

func TestSymmetryBetweenMachines(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	all := []*kept{l.place().node(symmetric...).start()}
	for range 2 {
		all = append(all, l.place().node(append(symmetric, "--bootstrap", all[0].addr())...).start())
	}
	begun := time.Now()
	for _, k := range all {
		for _, other := range all {
			if k == other {
				continue
			}
			await(t, "symmetric pair", func() bool {
				p := k.peer(other.id)
				return p.Role == "member" && p.InboundConnections == 1 && p.OutboundConnections == 1
			})
		}
	}
	if took, limit := time.Since(begun), node.DefaultConfig().SymmetryWithin; took > limit {
		t.Errorf("symmetric after %v, want well below %v", took, limit)
	}
}

func TestAMachineBehindAFirewallIsDroppedAndKeptOut(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	open := l.place().node(symmetric...).start()
	shut := l.place().firewalled().node(append(symmetric, "--bootstrap", open.addr())...).start()
	up, down := open.event("peer.connected", shut.id), open.event("peer.disconnected", shut.id)
	within := node.DefaultConfig().SymmetryWithin
	if took := down.Time.AsTime().Sub(up.Time.AsTime()); took < within*9/10 || took > within*11/10 {
		t.Errorf("dropped after %v, want %v", took, within)
	}
	for _, side := range []struct{ us, them *kept }{{open, shut}, {shut, open}} {
		await(t, "cool-down", func() bool { return side.us.peer(side.them.id).State == "cooldown" }) // a dial may be under way
		p := side.us.peer(side.them.id)
		if p.Rejection != "asymmetric" || p.Reason == "" || p.RetryAt == nil ||
			time.Until(p.RetryAt.AsTime()) < 9*time.Minute {
			t.Errorf("the other is shown as %v, want it to cool down for 10 min", p)
		}
	}
	c := shut.client()
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := c.Connect(ctx, &weftv1.ConnectRequest{Address: open.addr()}); err == nil {
		t.Error("it came in during its cool-down")
	}
	if len(open.members())+len(shut.members()) > 0 {
		t.Error("they are members")
	}
}

// Both validators dial the same node. The other node knows them from there, and dials
// them, which one does not allow: it never sees that one up. Itself it accepts nobody
// either, or the DHT of that validator would come to it.
func TestAValidatorThatAcceptsNobodyHasALowerUptime(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	hub := l.place().node("--target-degree", "1").start()
	leaf := []string{"--target-degree", "1", "--bootstrap", hub.addr()}
	open := l.place().node(leaf...).start()
	shut := l.place().firewalled().node(leaf...).start()
	judge := l.place().firewalled().node(leaf...).start()
	for _, k := range []*kept{hub, judge} {
		k.trust(open.id, shut.id)
	}
	await(t, "reachable validator", func() bool { return judge.peer(open.id).Role == "member" })
	await(t, "failed dial", func() bool { return judge.peer(shut.id).Failures > 0 })
	await(t, "validators at the hub", func() bool { return hub.peer(shut.id).Role == "member" })
	atHub, atJudge := hub.uptimes(), judge.uptimes()
	t.Logf("the hub sees %v, the other node %v", atHub, atJudge)
	if atJudge[shut.id] > atJudge[open.id]-20 {
		t.Errorf("a validator that accepts nobody is up %.1f%% of the time, one that does %.1f%%", atJudge[shut.id], atJudge[open.id])
	}
}

// trust makes peers validators.
func (k *kept) trust(ids ...string) {
	k.t.Helper()
	set := &weftv1.SetValidatorsRequest{}
	for _, id := range ids {
		set.Validators = append(set.Validators, &weftv1.Validator{PeerId: id})
	}
	c := k.client()
	defer c.Close()
	if _, err := c.SetValidators(k.t.Context(), set); err != nil {
		k.t.Fatal(err)
	}
}

// uptimes are what a node perceives of each validator, in percent.
func (k *kept) uptimes() map[string]float64 {
	k.t.Helper()
	c := k.client()
	defer c.Close()
	all, err := c.Validators(k.t.Context(), &weftv1.ValidatorsRequest{})
	if err != nil {
		k.t.Fatal(err)
	}
	found := map[string]float64{}
	for _, v := range all.Validators {
		found[v.PeerId] = v.GetUptime()
	}
	return found
}

// A cable that is pulled sends no word, unlike a process that ends.
func TestAMachineThatIsCutOffIsNoticed(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	stays := l.place().node().start()
	place := l.place()
	leaves := place.node("--bootstrap", stays.addr()).start()
	await(t, "member", func() bool { return stays.peer(leaves.id).Role == "member" })
	l.ip("-n", place.ns, "link", "set", "eth0", "down")
	since := time.Now()
	for stays.peer(leaves.id).State == "connected" {
		if time.Since(since) > 52*time.Second {
			t.Fatalf("not noticed after %v", time.Since(since))
		}
		time.Sleep(lookEvery)
	}
	t.Logf("noticed after %v", time.Since(since).Round(time.Millisecond))
	l.ip("-n", place.ns, "link", "set", "eth0", "up")
	await(t, "return", func() bool { return stays.peer(leaves.id).Role == "member" })
}
