package libp2phost

import (
	"fmt"
	"net/netip"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// A node without a free place takes some newcomers all the same, for a moment: a
// guest gets a peer list and goes elsewhere, so that a whole network can join
// through one full node. Only peers that dial us become guests, and only a few from
// one site at a time, or one machine could keep everybody else out.

// guests counts those that are here, in all and by site.
type guests struct {
	max, perSite int
	loopback     bool // is a site too
	all          int
	at           map[netip.Prefix]int
}

func newGuests(cfg Config) guests {
	return guests{max: cfg.Guests, perSite: cfg.GuestsPerIP, loopback: cfg.LimitLoopback, at: map[netip.Prefix]int{}}
}

// site is what counts as one address: an IPv4 address or an IPv6 /56. The zero
// prefix is bound by nothing.
func (g *guests) site(addr ma.Multiaddr) netip.Prefix {
	ip, err := manet.ToIP(addr)
	if err != nil { // no transport of ours listens there
		return netip.Prefix{}
	}
	at, _ := netip.AddrFromSlice(ip)
	at = at.Unmap()
	bits := siteBits
	if at.Is4() {
		bits = at.BitLen()
	}
	if at.IsLoopback() && !g.loopback {
		return netip.Prefix{}
	}
	site, _ := at.Prefix(bits) // the zero prefix for the zero address
	return site
}

// may says whether a connection that finds no place may be a guest's.
func (g *guests) may(dir network.Direction, addr ma.Multiaddr) bool {
	if dir != network.DirInbound || g.all >= g.max {
		return false
	}
	site := g.site(addr)
	return !site.IsValid() || g.at[site] < g.perSite
}

// count adds guests at a site.
func (g *guests) count(site netip.Prefix, by int) {
	g.all += by
	if !site.IsValid() {
		return
	}
	if g.at[site] += by; g.at[site] == 0 {
		delete(g.at, site)
	}
}

// full says why no place is free; nil when one is.
func (b *book) full(dir network.Direction) *refusal {
	switch {
	case b.ordinary >= b.max:
		return &refusal{ReasonFull, fmt.Sprintf("all %d places are taken: raise the maximum of peers or disconnect one", b.max)}
	case dir == network.DirInbound && b.inbound >= b.maxInbound:
		return &refusal{ReasonFull, fmt.Sprintf("all %d places for peers that dial us are taken: raise the maximum of peers", b.maxInbound)}
	}
	return nil
}
