package simhost

import (
	"errors"
	"fmt"
	"net"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/quic-go/quic-go"
)

// simHost is a libp2p host on the simulated network.
type simHost struct {
	host.Host
	socket *endpoint
	quic   *quicreuse.ConnManager
	gate   *gate
}

// newHost starts a host with a key at an address, in the place of the i-th node.
func (n *simnetwork) newHost(key crypto.PrivKey, ip net.IP, i int) (*simHost, error) {
	h := &simHost{gate: newGate()}
	reuse := func(reset quic.StatelessResetKey, token quic.TokenGeneratorKey, opts ...quicreuse.Option) (_ *quicreuse.ConnManager, err error) {
		h.quic, err = quicreuse.NewConnManager(reset, token, opts...)
		return h.quic, err
	}
	var err error
	h.Host, err = libp2p.New(
		libp2p.Identity(key),
		libp2p.ListenAddrStrings(fmt.Sprintf("/ip4/%s/udp/%d/quic-v1", ip, port)),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.QUICReuse(reuse,
			quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) { return source(ip), nil }),
			quicreuse.OverrideListenUDP(func(_ string, addr *net.UDPAddr) (net.PacketConn, error) {
				h.socket = n.listen(addr, i)
				return h.socket, nil
			})),
		libp2p.ConnectionGater(h.gate),
		libp2p.DisableIdentifyAddressDiscovery(), // it stalls virtual time
		libp2p.DisableRelay(), libp2p.DisableMetrics(),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.ConnectionManager(connmgr.NullConnMgr{}),
	)
	if err != nil {
		return nil, fmt.Errorf("start host %d: %w", i, err)
	}
	return h, nil
}

// vanish cuts the host off without a word to anybody.
func (h *simHost) vanish() { h.socket.cut.Store(true) }

// Close ends the host and its transport.
func (h *simHost) Close() error { return errors.Join(h.Host.Close(), h.quic.Close()) }
