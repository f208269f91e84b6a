package main

import (
	"context"
	"crypto"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ava-labs/avalanchego/ids"
	"github.com/ava-labs/avalanchego/message"
	"github.com/ava-labs/avalanchego/network"
	"github.com/ava-labs/avalanchego/network/dialer"
	"github.com/ava-labs/avalanchego/snow/validators"
	"github.com/ava-labs/avalanchego/staking"
	"github.com/ava-labs/avalanchego/upgrade"
	"github.com/ava-labs/avalanchego/utils"
	"github.com/ava-labs/avalanchego/utils/constants"
	"github.com/ava-labs/avalanchego/utils/ips"
	"github.com/ava-labs/avalanchego/utils/logging"
	"github.com/ava-labs/avalanchego/utils/set"
	"github.com/ava-labs/avalanchego/version"
)

// avalancheNode is one node of AvalancheGo's network package, with the settings
// of its own NewTestNetworkConfig: those of production, with processor and disk
// never short. Two more of its limits are lifted, as its tests lift them, since
// all nodes share one machine and one address: at most 256 connections accepted
// per second, and at most 50 dials per second. The one upgrade per address in
// 10 s exempts loopback already. Validators have no BLS key, as in its tests,
// which spares it a pairing per handshake.
type avalancheNode struct {
	cfg      *network.Config
	registry *prometheus.Registry
	listener net.Listener
	net      network.Network
	done     chan error
	peers    atomic.Int64
}

// newAvalanche prepares n nodes, every one a validator to every other. Keys,
// certificates and sockets are there before the clock starts.
func newAvalanche(n int) (cluster, error) {
	var c cluster
	var all []ids.NodeID
	for range n {
		a, err := newAvalancheNode()
		if err != nil {
			return nil, err
		}
		c, all = append(c, a), append(all, a.cfg.MyNodeID)
	}
	for _, m := range c {
		if err := m.(*avalancheNode).validators(all); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func newAvalancheNode() (*avalancheNode, error) {
	a := &avalancheNode{registry: prometheus.NewRegistry(), done: make(chan error, 1)}
	var err error
	a.cfg, err = network.NewTestNetworkConfig(a.registry, constants.UnitTestID, validators.NewManager(), set.Set[ids.ID]{})
	if err != nil {
		return nil, err
	}
	cert, err := staking.ParseCertificate(a.cfg.TLSConfig.Certificates[0].Leaf.Raw)
	if err != nil {
		return nil, err
	}
	a.cfg.MyNodeID = ids.NodeIDFromCert(cert)
	a.cfg.TLSKey = a.cfg.TLSConfig.Certificates[0].PrivateKey.(crypto.Signer)
	if a.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	at, err := ips.ParseAddrPort(a.listener.Addr().String())
	if err != nil {
		return nil, err
	}
	a.cfg.MyIPPort = utils.NewAtomic(at)
	return a, nil
}

// validators tells a node who the validators are, and that the first is a beacon.
func (a *avalancheNode) validators(all []ids.NodeID) error {
	for _, id := range all {
		if err := a.cfg.Validators.AddStaker(constants.PrimaryNetworkID, id, nil, ids.GenerateTestID(), 1); err != nil {
			return err
		}
	}
	return a.cfg.Beacons.AddStaker(constants.PrimaryNetworkID, all[0], nil, ids.GenerateTestID(), 1)
}

func (a *avalancheNode) start(bootstrap member) error {
	creator, err := message.NewCreator(a.registry, a.cfg.CompressionType, a.cfg.MaximumInboundMessageTimeout)
	if err != nil {
		return err
	}
	dial := dialer.NewDialer(constants.NetworkType, dialer.Config{ConnectionTimeout: a.cfg.DialerConfig.ConnectionTimeout}, logging.NoLog{})
	a.net, err = network.NewNetwork(a.cfg, upgrade.InitiallyActiveTime, creator, a.registry, logging.NoLog{}, a.listener, dial, a)
	if err != nil {
		return err
	}
	if b, ok := bootstrap.(*avalancheNode); ok {
		a.net.ManuallyTrack(b.cfg.MyNodeID, b.addr())
	}
	go func() { a.done <- a.net.Dispatch() }()
	return nil
}

func (a *avalancheNode) addr() netip.AddrPort { return a.cfg.MyIPPort.Get() }

func (a *avalancheNode) linked() int { return int(a.peers.Load()) }

func (a *avalancheNode) members() (int, error) { return len(a.net.PeerInfo(nil)), nil }

// counters add the 4-byte length to each message, which its metrics leave out.
func (a *avalancheNode) counters() (c counters) {
	m := gather(a.registry)
	c.messages = m.sum("msgs", "io", "sent")
	c.bytes = m.sum("msgs_bytes", "io", "sent") + 4*c.messages
	c.streams, c.accepted = c.bytes, m.sum("inbound_conn_throttler_allowed", "", "")
	return c
}

func (a *avalancheNode) close() error {
	a.net.StartClose()
	return <-a.done
}

// Connected, Disconnected and HandleInbound make it the router of its network.
func (a *avalancheNode) Connected(ids.NodeID, *version.Application, ids.ID)     { a.peers.Add(1) }
func (a *avalancheNode) Disconnected(ids.NodeID)                                { a.peers.Add(-1) }
func (a *avalancheNode) HandleInbound(context.Context, *message.InboundMessage) {}
