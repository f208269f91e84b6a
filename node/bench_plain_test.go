package node_test

import (
	"context"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/prometheus/client_golang/prometheus"
)

// plain says what is on top of a libp2p host that is not ours.
type plain struct{ gossipsub, kad, metrics bool }

// host is as cheap as libp2p's options make it: the transports of a node, no
// relay, no AutoNAT.
func (w plain) host(tb testing.TB) host.Host {
	tb.Helper()
	measured := libp2p.DisableMetrics()
	if w.metrics {
		measured = libp2p.PrometheusRegisterer(prometheus.NewRegistry())
	}
	h, err := libp2p.New(
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()), libp2p.Transport(libp2pquic.NewTransport),
		libp2p.Security(libp2ptls.ID, libp2ptls.New), libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.DisableRelay(), libp2p.ForceReachabilityPublic(), measured)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

// open starts a host and what is on top of it.
func (w plain) open(tb testing.TB) (h host.Host, ps *pubsub.PubSub, stop func()) {
	tb.Helper()
	h = w.host(tb)
	stops := []func() error{h.Close}
	ctx, cancel := context.WithCancel(context.Background())
	if w.gossipsub {
		var err error
		if ps, err = pubsub.NewGossipSub(ctx, h); err != nil {
			tb.Fatal(err)
		}
	}
	if w.kad {
		d, err := dht.New(h, dht.Mode(dht.ModeServer), dht.ProtocolPrefix("/weft/bench"),
			dht.BucketSize(20), dht.Concurrency(3), dht.DisableValues())
		if err != nil {
			tb.Fatal(err)
		}
		stops = append(stops, d.Close)
	}
	return h, ps, func() {
		cancel()
		for _, f := range slices.Backward(stops) {
			if err := f(); err != nil {
				tb.Error(err)
			}
		}
	}
}

func fullAddr(tb testing.TB, h host.Host) string {
	tb.Helper()
	addrs, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()})
	if err != nil {
		tb.Fatal(err)
	}
	return addrs[0].String()
}
