package libp2phost

import (
	"context"
	"slices"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// overlayNetwork shows the peers that the overlay sees.
type overlayNetwork struct {
	network.Network // the base host's, for what names no peer
	overlay         *overlay
}

// Connectedness implements network.Network.
func (n *overlayNetwork) Connectedness(p peer.ID) network.Connectedness {
	if !n.overlay.book.shown(p) {
		return network.NotConnected
	}
	return n.Network.Connectedness(p)
}

// Peers implements network.Network.
func (n *overlayNetwork) Peers() []peer.ID {
	return slices.DeleteFunc(n.Network.Peers(), func(p peer.ID) bool { return !n.overlay.book.shown(p) })
}

// Conns implements network.Network.
func (n *overlayNetwork) Conns() []network.Conn {
	return slices.DeleteFunc(n.Network.Conns(), func(c network.Conn) bool { return !n.overlay.book.shown(c.RemotePeer()) })
}

// ConnsToPeer implements network.Network.
func (n *overlayNetwork) ConnsToPeer(p peer.ID) []network.Conn {
	if !n.overlay.book.shown(p) {
		return nil
	}
	return n.Network.ConnsToPeer(p)
}

// NewStream implements network.Network.
func (n *overlayNetwork) NewStream(ctx context.Context, p peer.ID) (network.Stream, error) {
	if err := n.overlay.reach(ctx, p); err != nil {
		return nil, err
	}
	s, err := n.Network.NewStream(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := n.overlay.check(s); err != nil {
		return nil, err
	}
	return s, nil
}

// DialPeer implements network.Network.
func (n *overlayNetwork) DialPeer(ctx context.Context, p peer.ID) (network.Conn, error) {
	c, err := n.Network.DialPeer(direct(ctx, n.overlay.symmetry), p)
	if err != nil {
		return nil, err
	}
	return c, n.overlay.await(ctx, p)
}

// Notify passes on what concerns listening. Peers are announced on the event
// bus, where admission is respected.
func (n *overlayNetwork) Notify(f network.Notifiee) { n.Network.Notify(listening{f}) }

// StopNotify implements network.Network.
func (n *overlayNetwork) StopNotify(f network.Notifiee) { n.Network.StopNotify(listening{f}) }

// listening is a notifiee that hears of no connection.
type listening struct{ to network.Notifiee }

func (l listening) Listen(n network.Network, a ma.Multiaddr)      { l.to.Listen(n, a) }
func (l listening) ListenClose(n network.Network, a ma.Multiaddr) { l.to.ListenClose(n, a) }
func (l listening) Connected(network.Network, network.Conn)       {}
func (l listening) Disconnected(network.Network, network.Conn)    {}
