package node_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/node"
)

// patience bounds every wait for something that must happen; far above what a
// loaded machine needs.
const patience = 30 * time.Second

// loopback is a configuration whose traffic cannot leave the machine.
func loopback(change ...func(*node.Config)) node.Config {
	cfg := node.DefaultConfig()
	cfg.Listen = []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}
	for _, f := range change {
		f(&cfg)
	}
	return cfg
}

// start runs a node until the test ends.
func start(t testing.TB, change ...func(*node.Config)) *node.Node {
	t.Helper()
	n, err := node.New(loopback(change...))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error("close:", err)
		}
	})
	return n
}

func joining(via ...*node.Node) func(*node.Config) {
	return func(cfg *node.Config) {
		for _, n := range via {
			cfg.Bootstrap = append(cfg.Bootstrap, n.Addrs()[0].String())
		}
	}
}

func withTopic(names ...string) func(*node.Config) {
	return func(cfg *node.Config) { cfg.Topics = names }
}

func inDir(dir string) func(*node.Config) {
	return func(cfg *node.Config) { cfg.DataDir = dir }
}

// soon is a context that ends when patience does.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// awaitEvent reads events until one has the kind and, unless empty, the peer.
func awaitEvent(t testing.TB, events *node.EventStream, kind string, p peer.ID) node.Event {
	t.Helper()
	ctx := soon(t)
	for {
		e, err := events.Next(ctx)
		if err != nil {
			t.Fatalf("waiting for %s of %s: %v", kind, p, err)
		}
		if e.Kind == kind && (p == "" || e.Peer == p) {
			return e
		}
	}
}

// awaitPeer waits until n is connected to p, whether it happened or will.
func awaitPeer(t testing.TB, n *node.Node, p peer.ID) {
	t.Helper()
	awaitEvent(t, n.EventsAfter(0), "peer.member", p)
}

func next(t testing.TB, sub *node.Subscription) node.Message {
	t.Helper()
	m, err := sub.Next(soon(t))
	if err != nil {
		t.Fatal("waiting for a message:", err)
	}
	return m
}

// awaitMesh waits until n pushes a topic to so many peers: gossipsub repairs what
// it forwarded earlier only towards peers outside its mesh.
func awaitMesh(t testing.TB, n *node.Node, topic string, peers int) {
	t.Helper()
	eventually(t, "a mesh of the topic "+topic, func() bool {
		return slices.ContainsFunc(n.Topics(), func(i node.Topic) bool { return i.Name == topic && i.Mesh >= peers })
	})
}

// awaitTable waits until n's Kademlia table holds so many peers.
func awaitTable(t testing.TB, n *node.Node, peers int) {
	t.Helper()
	eventually(t, "peers in the DHT table", func() bool {
		s, err := n.Status(soon(t))
		return err == nil && s.DHTPeers >= peers
	})
}

// eventually asks again and again, for what nobody announces.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	inTime(t, patience, what, holds)
}

func inTime(t testing.TB, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("in vain waited for", what)
		}
	}
}
