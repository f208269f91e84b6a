package main

import (
	"context"
	"crypto/rand"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weftnet/weft/node"
)

// modes are what differs between the weft systems.
type modes struct {
	bare     bool // no pubsub, no DHT
	symmetry bool // a connection in each direction
}

// weftNode is one node, as a program that embeds it has it: an open network in
// which everyone dials everyone. Nothing of its limits is lifted but the number of
// peers.
type weftNode struct {
	cfg   node.Config
	node  *node.Node
	nodes float64 // in the process
}

// newWeft prepares n nodes. Keys are there before the clock starts.
func newWeft(m modes) func(n int) (cluster, error) {
	return func(n int) (c cluster, err error) {
		for range n {
			key, _, err := crypto.GenerateEd25519Key(rand.Reader)
			if err != nil {
				return nil, err
			}
			cfg := node.DefaultConfig()
			cfg.Key, cfg.Ephemeral, cfg.Registry = key, true, prometheus.NewRegistry()
			cfg.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
			cfg.Topology, cfg.Symmetry = "mesh", "off"
			cfg.MaxPeers = max(n, cfg.MaxPeers)
			cfg.NoPubSub, cfg.NoDHT = m.bare, m.bare
			if m.symmetry {
				cfg.Symmetry = "required"
			}
			c = append(c, &weftNode{cfg: cfg, nodes: float64(n)})
		}
		return c, nil
	}
}

func (w *weftNode) start(bootstrap member) error {
	if b, ok := bootstrap.(*weftNode); ok {
		w.cfg.Bootstrap = []string{b.node.Addrs()[0].String()}
	}
	var err error
	if w.node, err = node.New(w.cfg); err != nil {
		return err
	}
	return w.node.Start(context.Background())
}

func (w *weftNode) linked() (n int) {
	for _, p := range w.node.Peers() {
		if p.Admitted && !p.Guest {
			n++
		}
	}
	return n
}

func (w *weftNode) members() (n int, err error) {
	all, err := w.node.Members(context.Background())
	for _, m := range all {
		if m.Member && !m.Guest {
			n++
		}
	}
	return n, err
}

// counters take a share of the connections, as libp2p counts those of the whole
// process.
func (w *weftNode) counters() counters {
	m := gather(w.cfg.Registry)
	return counters{
		messages: m.sum("weft_messages_sent_total", "", ""), bytes: m.sum("weft_messages_sent_bytes_total", "", ""),
		streams: m.sum("weft_host_sent_bytes_total", "", ""), accepted: m.sum("libp2p_swarm_connections_opened_total", "dir", "inbound") / w.nodes,
	}
}

func (w *weftNode) close() error { return w.node.Close() }
