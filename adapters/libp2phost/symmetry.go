package libp2phost

import (
	"context"
	"io"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/pnet"
	"github.com/libp2p/go-libp2p/core/transport"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/tcpreuse"
	ma "github.com/multiformats/go-multiaddr"
)

// With symmetry a peer that dialled us is dialled back. libp2p's swarm does not
// dial a peer that it is connected to, with one exception: asked for a direct
// connection, it dials past one that goes through a proxy, and from then on
// prefers the direct one for new streams. That is made for relays, of which we
// have none. So with symmetry a connection that a listener accepted says that it
// goes through a proxy, and nothing else about it changes: our own connection can
// be made beside it, and streams go out on our own. There is still one swarm, so
// identify, the peerstore, limits and events see both connections as they are.
//
// A second host with the same key, the other way to get there, would let its
// identify overwrite what the peer knows of us, and hide half of the connections
// from everything above.

// direct asks, with symmetry, for a connection of our own, whether or not the
// peer has one with us.
func direct(ctx context.Context, symmetry bool) context.Context {
	if !symmetry {
		return ctx
	}
	return network.WithForceDirectDial(ctx, "symmetry")
}

// transports are TCP and QUIC.
func transports(symmetry bool) []libp2p.Option {
	if symmetry {
		return []libp2p.Option{libp2p.Transport(newSymmetricTCP), libp2p.Transport(newSymmetricQUIC)}
	}
	return []libp2p.Option{
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()), // see newSymmetricTCP
		libp2p.Transport(libp2pquic.NewTransport),
	}
}

// symmetricTCP is libp2p's TCP with marked inbound connections.
type symmetricTCP struct{ *tcp.TcpTransport }

// Without port reuse a second process on our port is told so, and dials from
// both sides at once do not collide on one pair of addresses.
func newSymmetricTCP(u transport.Upgrader, limits network.ResourceManager, shared *tcpreuse.ConnMgr) (*symmetricTCP, error) {
	inner, err := tcp.NewTCPTransport(u, limits, shared, tcp.DisableReuseport())
	return &symmetricTCP{inner}, err
}

// Listen implements transport.Transport.
func (t *symmetricTCP) Listen(at ma.Multiaddr) (transport.Listener, error) {
	return listenMarked(t.TcpTransport, at)
}

// symmetricQUIC is libp2p's QUIC with marked inbound connections.
type symmetricQUIC struct{ transport.Transport }

func newSymmetricQUIC(key crypto.PrivKey, m *quicreuse.ConnManager, psk pnet.PSK, g connmgr.ConnectionGater, limits network.ResourceManager) (*symmetricQUIC, error) {
	inner, err := libp2pquic.NewTransport(key, m, psk, g, limits)
	return &symmetricQUIC{inner}, err
}

// Listen implements transport.Transport.
func (t *symmetricQUIC) Listen(at ma.Multiaddr) (transport.Listener, error) {
	return listenMarked(t.Transport, at)
}

// Close implements io.Closer, by which the swarm ends transports.
func (t *symmetricQUIC) Close() error {
	if c, ok := t.Transport.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// markedListener accepts connections that name a proxy as their transport.
type markedListener struct {
	transport.Listener
	as transport.Transport
}

func listenMarked(t transport.Transport, at ma.Multiaddr) (transport.Listener, error) {
	l, err := t.Listen(at)
	if err != nil {
		return nil, err
	}
	return &markedListener{l, proxy{t}}, nil
}

// Accept implements transport.Listener.
func (l *markedListener) Accept() (transport.CapableConn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &markedConn{c, l.as}, nil
}

// proxy is a transport that says of itself that it is a proxy.
type proxy struct{ transport.Transport }

// Proxy implements transport.Transport.
func (proxy) Proxy() bool { return true }

// markedConn is a connection of that transport.
type markedConn struct {
	transport.CapableConn
	as transport.Transport
}

// Transport implements transport.CapableConn.
func (c *markedConn) Transport() transport.Transport { return c.as }

// Stat implements network.ConnStat, as the connections of TCP do.
func (c *markedConn) Stat() (s network.ConnStats) {
	if inner, ok := c.CapableConn.(network.ConnStat); ok {
		return inner.Stat()
	}
	return s
}
