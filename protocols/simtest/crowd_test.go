package simtest

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dialing"
	"github.com/weftnet/weft/protocols/discovery"
	"github.com/weftnet/weft/protocols/handshake"
)

// crowd is many nodes that run discovery.
type crowd struct {
	*Sim
	t       testing.TB
	net     *Network
	members []*member
	checked map[string]claim.Signed // what claim.Verify said of good envelopes
}

// member is one of them.
type member struct {
	*Node
	key  crypto.PrivKey
	addr multiaddr.Multiaddr
}

func (m *member) machine() *discovery.Machine { return m.Machine.(*discovery.Machine) }

// setting changes what a node is before it is made.
type setting func(*discovery.Config, *NodeConfig)

func newCrowd(t testing.TB, seed uint64, cfg Config) *crowd {
	s := New(seed)
	net, err := NewNetwork(s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &crowd{Sim: s, t: t, net: net, checked: map[string]claim.Signed{}}
}

// keyOf is the key of a number: the same in every run.
func keyOf(n uint64) (crypto.PrivKey, core.PeerID) {
	var seed [ed25519.SeedSize]byte
	binary.BigEndian.PutUint64(seed[:], n)
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		panic(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		panic(err)
	}
	return key, id
}

// addrOf gives every number an address of its own.
func addrOf(n, port int) multiaddr.Multiaddr {
	return multiaddr.StringCast(fmt.Sprintf("/ip4/10.%d.%d.%d/tcp/%d", n>>16&255, n>>8&255, n&255, port))
}

// add makes a node, which is down until it is started.
func (c *crowd) add(settings ...setting) *member {
	i := len(c.members)
	key, id := keyOf(uint64(i))
	m := &member{key: key, addr: addrOf(i, 30303)}
	cfg := discovery.DefaultConfig(key, id, "test", handshake.Version{Major: 1})
	cfg.VerifyClaim = c.verify
	node := NodeConfig{Host: DefaultHostConfig(id, m.addr)}
	for _, set := range settings {
		set(&cfg, &node)
	}
	node.Host.Symmetry = cfg.Symmetry
	node.Boot = func(n *Node) (core.Machine, []core.Event) { return c.boot(n, m, cfg) }
	m.Node = NewNode(c.net, node)
	c.members = append(c.members, m)
	return m
}

// boot makes the machine of a node as the node itself would, from its records.
func (c *crowd) boot(n *Node, m *member, cfg discovery.Config) (core.Machine, []core.Event) {
	events := []core.Event{core.Command{Body: discovery.SetAddrs{Addrs: []multiaddr.Multiaddr{m.addr}}}}
	if r := n.Records; r != nil {
		cfg.Highest = r.Highest
		cfg.Dialing.Saved = byID(r.Peers)
		var claims discovery.LoadClaims
		for _, s := range byID(r.Claims) {
			if signed, err := claim.Verify(s.Envelope); err == nil {
				claims.Claims = append(claims.Claims, signed)
			}
		}
		events = append(events, core.Command{Body: claims}, core.Command{Body: discovery.LoadBans{Bans: byID(r.Bans)}})
	}
	machine, err := discovery.New(cfg, c.NewRand(uint64(n.Index())<<32|n.Host.life))
	if err != nil {
		c.t.Fatal(err)
	}
	return machine, events
}

func byID[V any](records map[core.PeerID]V) []V {
	ids := make([]core.PeerID, 0, len(records))
	for id := range records {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	all := make([]V, len(ids))
	for i, id := range ids {
		all[i] = records[id]
	}
	return all
}

// verify is claim.Verify, once for each envelope.
func (c *crowd) verify(raw []byte) (claim.Signed, error) {
	if s, ok := c.checked[string(raw)]; ok {
		return s, nil
	}
	s, err := claim.Verify(raw)
	if err == nil {
		c.checked[string(s.Bytes())] = s
	}
	return s, err
}

// bootstrap makes nodes join through others.
func bootstrap(via ...*member) setting {
	return func(cfg *discovery.Config, _ *NodeConfig) {
		for _, v := range via {
			cfg.Dialing.Bootstrappers = append(cfg.Dialing.Bootstrappers, peer.AddrInfo{ID: v.ID(), Addrs: []multiaddr.Multiaddr{v.addr}})
			cfg.PeerList.Bootstrappers = append(cfg.PeerList.Bootstrappers, v.ID())
		}
	}
}

// mesh makes nodes dial everyone they know.
func mesh(places int) setting {
	return func(cfg *discovery.Config, node *NodeConfig) {
		cfg.Dialing.Topology, cfg.Dialing.MaxPeers, node.Host.Places = dialing.Mesh, places, places
	}
}

func places(n int) setting {
	return func(cfg *discovery.Config, node *NodeConfig) { cfg.Dialing.MaxPeers, node.Host.Places = n, n }
}

func keep(_ *discovery.Config, node *NodeConfig) { node.Keep = true }

func symmetric(cfg *discovery.Config, _ *NodeConfig) { cfg.Symmetry = true }

// network makes n nodes that join through the first, and starts all at once.
func (c *crowd) network(n int, settings ...setting) {
	c.add(settings...)
	settings = append(slices.Clone(settings), bootstrap(c.members[0]))
	for len(c.members) < n {
		c.add(settings...)
	}
	for _, m := range c.members {
		m.Start()
	}
}

// unknown is how many addresses the running nodes lack of each other, in all. While
// these are many it is only a lower bound, which takes no look at each.
func (c *crowd) unknown() (lacking int) {
	up := c.up()
	for _, m := range up {
		lacking += max(0, len(up)-1-knownPeers(m))
	}
	if lacking > len(up)*len(up)/1000 {
		return lacking
	}
	lacking = 0
	for _, m := range up {
		known := make(map[core.PeerID]bool, len(up))
		for _, k := range m.machine().Known(m.Now()) {
			known[k.ID] = len(k.Addrs) > 0
		}
		for _, other := range up {
			if other != m && !known[other.ID()] {
				lacking++
			}
		}
	}
	return lacking
}

// mean is what a measure is at the running nodes, on average.
func (c *crowd) mean(measure func(*member) int) int {
	sum := 0
	for _, m := range c.up() {
		sum += measure(m)
	}
	return sum / max(1, len(c.up()))
}

// asked is how many questions for peer lists each running node sent, on average.
func (c *crowd) asked() int {
	return c.mean(func(m *member) int { return int(m.machine().Stats().PeerList.Asked) })
}

// up are the nodes that run.
func (c *crowd) up() []*member {
	return slices.DeleteFunc(slices.Clone(c.members), func(m *member) bool { return !m.Up() })
}

// full says whether every running node is a member at every other.
func (c *crowd) full() bool {
	up := c.up()
	return !slices.ContainsFunc(up, func(m *member) bool { return m.machine().Stats().Members < len(up)-1 })
}

// least is the smallest number that a measure has at any running node.
func (c *crowd) least(measure func(*member) int) int {
	least := -1
	for _, m := range c.up() {
		if n := measure(m); least < 0 || n < least {
			least = n
		}
	}
	return least
}

// members is how many peers are complete at a node.
func members(m *member) int { return m.machine().Stats().Members }

// knownClaims is how many claims a node has booked; knownPeers, how many peers it
// could dial.
func knownClaims(m *member) int { return m.machine().Stats().Claims.Known }
func knownPeers(m *member) int  { return m.machine().Stats().Dialing.Known }

// until lets time pass until cond holds.
func (c *crowd) until(what string, cond func() bool, every, within time.Duration) time.Duration {
	c.t.Helper()
	begun := c.Elapsed()
	at, ok := c.Until(cond, every, within)
	if !ok {
		c.t.Fatalf("not within %v: %s", within, what)
	}
	return at - begun
}

// bytesPerNode are the bytes sent by each running node, on average.
func (c *crowd) bytesPerNode() int {
	sum := uint64(0)
	for _, t := range c.net.Traffic() {
		sum += t.Sent.Bytes
	}
	return int(sum) / max(1, len(c.up()))
}

// table logs what was sent, by protocol.
func (c *crowd) table(title string) {
	c.t.Helper()
	traffic := c.net.Traffic()
	names := make([]string, 0, len(traffic))
	for name := range traffic {
		names = append(names, name)
	}
	slices.Sort(names)
	nodes := uint64(max(1, len(c.up())))
	text := fmt.Sprintf("%s (per node, %v, %d steps)\n", title, c.Elapsed(), c.Steps())
	for _, name := range names {
		s := traffic[name].Sent
		text += fmt.Sprintf("  %-30s %8d messages %10d B\n", name, s.Messages/nodes, s.Bytes/nodes)
	}
	c.t.Log(text)
}

// noBans fails when anybody banned anybody, or blamed somebody for more than what
// is allowed.
func (c *crowd) noBans(allowed ...core.Offence) {
	c.t.Helper()
	for _, m := range c.up() {
		if bans := m.machine().Bans(m.Now()); len(bans) > 0 {
			c.t.Errorf("node %d bans %d peers, want none: %+v", m.Index(), len(bans), bans[0])
		}
		for o, times := range m.Offences {
			if !slices.Contains(allowed, o) {
				c.t.Errorf("node %d reported %d x %s, want none", m.Index(), times, o)
			}
		}
	}
}
