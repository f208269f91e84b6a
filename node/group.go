package node

import (
	"fmt"
	"net/netip"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

// Group is a block of public IP addresses that is banned as one: an IPv4 /24 or an IPv6
// /48.
type Group = core.Group

// ParseGroup reads a group, or the one in which an address is. Addresses that are not
// public form none.
func ParseGroup(text string) (Group, error) {
	addr, bits, err := parseIP(text)
	if err != nil {
		return "", fmt.Errorf("%w: %q is neither an IP address nor a group of them such as 8.8.4.0/24", ErrArgument, text)
	}
	version, size := "ip6", core.GroupBits6
	if addr.Is4() {
		version, size = "ip4", core.GroupBits4
	}
	if bits != size && bits != addr.BitLen() {
		return "", fmt.Errorf("%w: %q is not a group: groups are IPv4 /%d and IPv6 /%d", ErrArgument, text, core.GroupBits4, core.GroupBits6)
	}
	at, err := multiaddr.NewComponent(version, addr.String())
	if err != nil {
		return "", fmt.Errorf("%w: %q: %w", ErrArgument, text, err)
	}
	g := core.GroupOf(at.Multiaddr())
	if g == "" {
		return "", fmt.Errorf("%w: %q is not public: such addresses form no group; ban the peers", ErrArgument, text)
	}
	return g, nil
}

// parseIP reads an address, or a block of them, and the bits that are given of it.
func parseIP(text string) (netip.Addr, int, error) {
	prefix, err := netip.ParsePrefix(text)
	if err == nil {
		return prefix.Addr(), prefix.Bits(), nil
	}
	addr, err := netip.ParseAddr(text)
	addr = addr.Unmap().WithZone("")
	return addr, addr.BitLen(), err
}
