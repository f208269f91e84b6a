package core

import (
	"strconv"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Group is a block of public IP addresses that one operator could easily have all of,
// as "8.8.4.0/24". The empty one is no group.
type Group string

// The size of a group in bits: a /24 is the least that is routed of IPv4 (and what
// Basalt counts), a /48 what a site gets of IPv6 at most (RFC 6177).
const (
	GroupBits4 = 24
	GroupBits6 = 48
)

// GroupOf is the group of the IP address that an address begins with. Loopback,
// private and unique-local ones, and all others that are not public, have none: else
// the nodes of a devnet, a cluster or a LAN would be one group. Neither has the address
// of somebody behind a relay, whose IP is the relay's.
func GroupOf(addr multiaddr.Multiaddr) Group {
	if len(addr) == 0 || !manet.IsPublicAddr(addr) {
		return ""
	}
	if _, err := addr.ValueForProtocol(multiaddr.P_CIRCUIT); err == nil {
		return ""
	}
	ip, err := manet.ToIP(addr)
	if err != nil {
		return ""
	}
	bits, at := GroupBits6, ip.To16()
	if v4 := ip.To4(); v4 != nil {
		bits, at = GroupBits4, v4
	}
	at = append(at[:bits/8:bits/8], make([]byte, len(at)-bits/8)...)
	return Group(at.String() + "/" + strconv.Itoa(bits))
}
