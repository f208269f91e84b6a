package libp2phost

import (
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// gater refuses connections as early as the reason is known, and in the end
// books each one that stays.
type gater struct {
	book    *book
	dials   *dialBudget
	refused *refusals
}

var _ connmgr.ConnectionGater = (*gater)(nil)

// InterceptPeerDial refuses dials that could only be refused later. An empty ID
// would accept whoever answers. A peer with all its connections is dialled by
// AutoNAT alone, whose connections do not count.
func (g *gater) InterceptPeerDial(p peer.ID) bool {
	why := g.book.refuse(p, network.DirOutbound, nil)
	if p == "" {
		why = &refusal{ReasonNoID, "a dial needs the peer ID that it expects"}
	}
	if why == nil || why.reason == ReasonPerPeer {
		return true
	}
	g.refuse(network.DirOutbound, p, why)
	return false
}

// InterceptAddrDial refuses blocked addresses, and spares machines that never asked for it. It does not look at
// the scope, which filters addresses where they are learnt.
func (g *gater) InterceptAddrDial(p peer.ID, addr ma.Multiaddr) bool {
	now := time.Now()
	why := g.book.blocks.refuseAt(now, addr, g.book.reserved(p))
	if why == nil {
		why = g.dials.charge(now, p, addr)
	}
	if why == nil {
		return true
	}
	g.refuse(network.DirOutbound, p, why, "addr", addr)
	return false
}

// InterceptAccept cannot tell: it is before the peer's name is known.
func (g *gater) InterceptAccept(network.ConnMultiaddrs) bool { return true }

// InterceptSecured spares a full node the rest of an inbound handshake.
// Outbound connections were asked for, so InterceptUpgraded decides.
func (g *gater) InterceptSecured(dir network.Direction, p peer.ID, addrs network.ConnMultiaddrs) bool {
	if dir == network.DirOutbound {
		return true
	}
	why := g.book.refuse(p, dir, addrs.RemoteMultiaddr())
	if why == nil {
		return true
	}
	g.refuse(dir, p, why, "addr", addrs.RemoteMultiaddr())
	return false
}

// InterceptUpgraded decides for good. libp2p asks it about connections of
// AutoNAT's dialling host too, which has a key of its own and takes no place.
func (g *gater) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	if c.Stat().Direction == network.DirOutbound {
		g.dials.succeeded(c.RemotePeer(), c.RemoteMultiaddr())
	}
	why := checkQUIC(c)
	if why == nil && c.LocalPeer() == g.book.self {
		why = g.book.enter(c)
	}
	if why == nil {
		return true, 0
	}
	g.refuse(c.Stat().Direction, c.RemotePeer(), why, "addr", c.RemoteMultiaddr())
	return false, 0
}

func (g *gater) refuse(dir network.Direction, p peer.ID, why *refusal, attrs ...any) {
	g.refused.add(why, append(attrs, "peer", p, "direction", dir.String())...)
	if dir == network.DirOutbound {
		g.book.denials.add(p, why)
	}
}
