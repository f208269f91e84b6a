package node_test

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"

	"github.com/weftnet/weft/node"
)

// BenchmarkStart is the time from New to a node that can be dialled.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		n, err := node.New(loopback())
		if err != nil {
			b.Fatal(err)
		}
		if err := n.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		n.Close()
		b.StartTimer()
	}
}

// BenchmarkFullMesh connects every pair of N nodes by direct dialling, beside
// plain libp2p hosts with the same transports, and with plain gossipsub on them.
func BenchmarkFullMesh(b *testing.B) {
	for _, n := range []int{10, 50} {
		b.Run(fmt.Sprintf("N=%d/weft", n), func(b *testing.B) { benchMesh(b, n, weftDialers) })
		b.Run(fmt.Sprintf("N=%d/libp2p", n), func(b *testing.B) { benchMesh(b, n, plainDialers(false)) })
		b.Run(fmt.Sprintf("N=%d/libp2p+gossipsub", n), func(b *testing.B) { benchMesh(b, n, plainDialers(true)) })
	}
}

// dialer is one end of a mesh benchmark.
type dialer struct {
	addr string
	dial func(ctx context.Context, addr string) error
}

func benchMesh(b *testing.B, n int, make func(testing.TB, int) ([]dialer, func())) {
	pairs := float64(n * (n - 1) / 2)
	var cpu time.Duration
	var heap uint64
	for b.Loop() {
		b.StopTimer()
		ends, stop := make(b, n)
		cpu0, heap0 := cpuTime(), heapInUse()
		b.StartTimer()
		connectAll(b, ends)
		b.StopTimer()
		cpu += cpuTime() - cpu0
		heap += heapInUse() - min(heap0, heapInUse())
		stop()
		b.StartTimer()
	}
	rounds := float64(b.N)
	b.ReportMetric(float64(cpu.Microseconds())/rounds/pairs/1000, "cpu-ms/pair")
	b.ReportMetric(float64(heap)/rounds/pairs/2/1024, "KB/peer-end")
}

// connectAll dials each pair once, a node at a time.
func connectAll(b *testing.B, ends []dialer) {
	for i, from := range ends {
		for _, to := range ends[:i] {
			if err := from.dial(b.Context(), to.addr); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func meshConfig(c *node.Config) {
	c.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	c.MaxPeers = 200
}

func weftDialers(tb testing.TB, n int) (ends []dialer, stop func()) {
	var nodes []*node.Node
	for range n {
		w, err := node.New(loopback(meshConfig))
		if err != nil {
			tb.Fatal(err)
		}
		if err := w.Start(tb.Context()); err != nil {
			tb.Fatal(err)
		}
		nodes = append(nodes, w)
		ends = append(ends, dialer{w.Addrs()[0].String(), w.Connect})
	}
	return ends, func() {
		for _, w := range nodes {
			w.Close()
		}
	}
}

func plainDialers(withPubSub bool) func(testing.TB, int) ([]dialer, func()) {
	return func(tb testing.TB, n int) (ends []dialer, stop func()) {
		var hosts []host.Host
		for range n {
			h := plainHost(tb)
			if withPubSub {
				if _, err := pubsub.NewGossipSub(tb.Context(), h); err != nil {
					tb.Fatal(err)
				}
			}
			hosts = append(hosts, h)
			ends = append(ends, dialer{fullAddr(tb, h), func(ctx context.Context, addr string) error {
				info, err := peer.AddrInfoFromString(addr)
				if err != nil {
					return err
				}
				return h.Connect(ctx, *info)
			}})
		}
		return ends, func() {
			for _, h := range hosts {
				h.Close()
			}
		}
	}
}

func plainHost(tb testing.TB) host.Host {
	tb.Helper()
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		libp2p.ResourceManager(nil), libp2p.DisableRelay(), libp2p.DisableMetrics())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { h.Close() })
	return h
}

func fullAddr(tb testing.TB, h host.Host) string {
	tb.Helper()
	addrs, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()})
	if err != nil {
		tb.Fatal(err)
	}
	return addrs[0].String()
}

// BenchmarkThroughput publishes on one node and receives on another over
// loopback TCP, beside two plain gossipsub hosts.
func BenchmarkThroughput(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("%dKiB/weft", size>>10), func(b *testing.B) { benchThroughput(b, size, weftPipe) })
		b.Run(fmt.Sprintf("%dKiB/gossipsub", size>>10), func(b *testing.B) { benchThroughput(b, size, plainPipe) })
	}
}

type pipe struct {
	publish func(context.Context, []byte) error
	receive func(context.Context) error
}

// window is how many messages are under way, below every queue's limit, so that
// none is dropped and all can be waited for.
const window = 16

func benchThroughput(b *testing.B, size int, open func(testing.TB) pipe) {
	p := open(b)
	data := make([]byte, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if i >= window {
			receive(b, p)
		}
		if err := p.publish(b.Context(), data); err != nil {
			b.Fatal(err)
		}
	}
	for range min(window, b.N) {
		receive(b, p)
	}
}

func receive(b *testing.B, p pipe) {
	if err := p.receive(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func weftPipe(tb testing.TB) pipe {
	from := start(tb, meshConfig)
	to := start(tb, meshConfig, joining(from))
	sub, err := to.Subscribe("bench")
	if err != nil {
		tb.Fatal(err)
	}
	awaitPeer(tb, to, from.ID())
	return pipe{
		publish: func(ctx context.Context, data []byte) error { return from.Publish(ctx, "bench", data) },
		receive: func(ctx context.Context) error { _, err := sub.Next(ctx); return err },
	}
}

func plainPipe(tb testing.TB) pipe {
	from, to := plainHost(tb), plainHost(tb)
	topics := make([]*pubsub.Topic, 2)
	for i, h := range []host.Host{from, to} {
		ps, err := pubsub.NewGossipSub(tb.Context(), h)
		if err != nil {
			tb.Fatal(err)
		}
		if topics[i], err = ps.Join("bench"); err != nil {
			tb.Fatal(err)
		}
	}
	sub, err := topics[1].Subscribe(pubsub.WithBufferSize(2 * window))
	if err != nil {
		tb.Fatal(err)
	}
	to.Peerstore().AddAddrs(from.ID(), from.Addrs(), peerstore.PermanentAddrTTL)
	if err := to.Connect(tb.Context(), peer.AddrInfo{ID: from.ID()}); err != nil {
		tb.Fatal(err)
	}
	return pipe{
		publish: func(ctx context.Context, data []byte) error {
			return topics[0].Publish(ctx, data, pubsub.WithReadiness(pubsub.MinTopicSize(1)))
		},
		receive: func(ctx context.Context) error { _, err := sub.Next(ctx); return err },
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
