package kaddht

import (
	"fmt"
	"net"
	"sync"

	"github.com/libp2p/go-libp2p-kad-dht/amino"
	"github.com/libp2p/go-libp2p-kbucket/peerdiversity"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	asnutil "github.com/libp2p/go-libp2p-asn-util"
)

// group names the peers that one operator could easily run all of: a public IPv4
// /16 (or legacy /8), the autonomous system of a public IPv6 address, or its /32
// when that is not known.
type group string

// groupOf returns the group of an address. Addresses that are not public have
// none, so that devnets, containers and LANs are not thinned out.
func groupOf(addr ma.Multiaddr) (group, bool) {
	ip, err := manet.ToIP(addr)
	if err != nil || !manet.IsPublicAddr(addr) {
		return "", false
	}
	if ip.To4() != nil {
		return group(peerdiversity.IPGroupKey(ip)), true
	}
	// The library puts all IPv6 of no known system into one group.
	if asn := asnutil.AsnForIPv6(ip); asn != 0 {
		return group(fmt.Sprintf("AS%d", asn)), true
	}
	return group(ip.Mask(net.CIDRMask(32, 128)).String() + "/32"), true
}

// diversity limits how many peers of one group the routing table holds, in all
// and per bucket. It counts a peer once per group, by the groups that it had when
// it entered the table.
//
// The library's Filter calls it once per address, with a group of its own making
// that cannot tell private IPv6 apart; that group is not used.
type diversity struct {
	addrs func(peer.ID) []ma.Multiaddr

	mu      sync.Mutex
	members map[peer.ID][]slot // as many as the table has peers
	counts  map[slot]int
}

// slot is a group in one bucket, or in the whole table.
type slot struct {
	group  group
	bucket int
}

const wholeTable = -1

var _ peerdiversity.PeerIPGroupFilter = (*diversity)(nil)

func newDiversity(addrs func(peer.ID) []ma.Multiaddr) *diversity {
	return &diversity{addrs: addrs, members: make(map[peer.ID][]slot), counts: make(map[slot]int)}
}

// PeerAddresses is where a peer counts as being.
func (d *diversity) PeerAddresses(p peer.ID) []ma.Multiaddr { return d.addrs(p) }

// Allow says whether a peer may enter the table.
func (d *diversity) Allow(g peerdiversity.PeerGroupInfo) bool {
	slots := d.slots(g)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range slots {
		if d.counts[s] >= s.limit() {
			return false
		}
	}
	return true
}

// Increment counts a peer in, on the first of its addresses.
func (d *diversity) Increment(g peerdiversity.PeerGroupInfo) {
	slots := d.slots(g)
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, counted := d.members[g.Id]; counted {
		return
	}
	d.members[g.Id] = slots
	for _, s := range slots {
		d.counts[s]++
	}
}

// Decrement counts a peer out, on the first of its addresses.
func (d *diversity) Decrement(g peerdiversity.PeerGroupInfo) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.members[g.Id] {
		if d.counts[s]--; d.counts[s] == 0 {
			delete(d.counts, s)
		}
	}
	delete(d.members, g.Id)
}

// slots are what a peer takes up, without repetition.
func (d *diversity) slots(g peerdiversity.PeerGroupInfo) []slot {
	var slots []slot
	seen := make(map[group]bool)
	for _, a := range d.addrs(g.Id) {
		if grp, public := groupOf(a); public && !seen[grp] {
			seen[grp] = true
			slots = append(slots, slot{grp, wholeTable}, slot{grp, g.Cpl})
		}
	}
	return slots
}

// limit is how many peers a slot holds: the public IPFS network's values.
func (s slot) limit() int {
	if s.bucket == wholeTable {
		return amino.DefaultMaxPeersPerIPGroup
	}
	return amino.DefaultMaxPeersPerIPGroupPerCpl
}

// addrsOf are the addresses at which a peer is connected, since those cannot be
// made up; without a connection, those known of it. The library refuses a peer
// for one address without an IP, so these are left out.
func (d *DHT) addrsOf(p peer.ID) []ma.Multiaddr {
	var addrs []ma.Multiaddr
	for _, c := range d.host.Network().ConnsToPeer(p) {
		addrs = append(addrs, c.RemoteMultiaddr())
	}
	if len(addrs) == 0 {
		addrs = d.host.Peerstore().Addrs(p)
	}
	return ma.FilterAddrs(addrs, func(a ma.Multiaddr) bool { _, err := manet.ToIP(a); return err == nil })
}
