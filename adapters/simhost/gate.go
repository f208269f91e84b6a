package simhost

import (
	"sync"

	libp2pcontrol "github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// gate refuses connections with banned peers, both ways.
type gate struct {
	mu     sync.RWMutex
	banned map[peer.ID]bool
}

func newGate() *gate { return &gate{banned: make(map[peer.ID]bool)} }

func (g *gate) refuse(id peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.banned[id] = true
}

func (g *gate) allows(id peer.ID) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return !g.banned[id]
}

// InterceptPeerDial and the methods below implement connmgr.ConnectionGater.
func (g *gate) InterceptPeerDial(id peer.ID) bool { return g.allows(id) }

func (g *gate) InterceptAddrDial(id peer.ID, _ multiaddr.Multiaddr) bool { return g.allows(id) }

func (*gate) InterceptAccept(network.ConnMultiaddrs) bool { return true } // nobody is known yet

func (g *gate) InterceptSecured(_ network.Direction, id peer.ID, _ network.ConnMultiaddrs) bool {
	return g.allows(id)
}

func (g *gate) InterceptUpgraded(c network.Conn) (bool, libp2pcontrol.DisconnectReason) {
	return g.allows(c.RemotePeer()), 0
}
