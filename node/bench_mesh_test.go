package node_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/node"
)

// meshKinds are what BenchmarkFullMesh compares. The last plain one does what a
// node does without our layers.
var meshKinds = []struct {
	name string
	open func(testing.TB) end
}{
	{"libp2p", plain{}.end},
	{"gossipsub", plain{gossipsub: true}.end},
	{"gossipsub+kad", plain{gossipsub: true, kad: true}.end},
	{"gossipsub+kad+metrics", plain{gossipsub: true, kad: true, metrics: true}.end},
	{"weft", weftEnd},
}

// BenchmarkFullMesh connects every pair of N nodes by direct dialling and waits
// until all is quiet, so that identify and the hellos of pubsub and DHT count.
// One operation is so many rounds of all kinds, in turn; medians are reported.
// Both ends of each connection are in this process: CPU is that of a pair.
func BenchmarkFullMesh(b *testing.B) {
	for _, size := range []struct{ nodes, rounds int }{{10, 5}, {50, 1}} {
		b.Run(fmt.Sprintf("N=%d", size.nodes), func(b *testing.B) { benchMesh(b, size.nodes, size.rounds) })
	}
}

func benchMesh(b *testing.B, n, rounds int) {
	cpu, heap := make([][]float64, len(meshKinds)), make([][]float64, len(meshKinds))
	for b.Loop() {
		for range rounds {
			for i, kind := range meshKinds {
				c, h := meshOnce(b, n, kind.open)
				cpu[i], heap[i] = append(cpu[i], c), append(heap[i], h)
			}
		}
	}
	for i, kind := range meshKinds {
		b.ReportMetric(median(cpu[i]), kind.name+"-cpu-ms/pair")
		b.ReportMetric(median(heap[i]), kind.name+"-KB/peer-end")
	}
}

// end is one node of a mesh.
type end struct {
	addr  string
	dial  func(ctx context.Context, addr string) error
	peers func() int
	stop  func()
}

func meshOnce(b *testing.B, n int, open func(testing.TB) end) (cpuMs, kilobytes float64) {
	ends := make([]end, n)
	for i := range ends {
		ends[i] = open(b)
		defer ends[i].stop()
	}
	quiet(b)
	heap, cpu := live(), cpuTime(b)
	connectAll(b, ends)
	quiet(b)
	cpu = cpuTime(b) - cpu
	heap = live() - heap
	for i, e := range ends {
		if got := e.peers(); got != n-1 {
			b.Fatalf("node %d has %d peers, want %d", i, got, n-1)
		}
	}
	pairs := float64(n * (n - 1) / 2)
	return milliseconds(cpu) / pairs, float64(heap) / 1024 / pairs / 2
}

// connectAll dials each pair once, one after the other.
func connectAll(b *testing.B, ends []end) {
	for i, from := range ends {
		for _, to := range ends[:i] {
			if err := from.dial(b.Context(), to.addr); err != nil {
				b.Fatal(err)
			}
		}
	}
}

const (
	// quietFor is how long the process must be idle. What goes on behind a
	// connection (identify, hellos) pauses far less.
	quietFor = 100 * time.Millisecond
	// quietCPU is what idle means, of the time: 50 heartbeats a second cost less.
	quietCPU = quietFor / 10
)

// quiet waits until this process has next to nothing to do.
func quiet(tb testing.TB) {
	tick := time.NewTicker(quietFor)
	defer tick.Stop()
	for ctx, before := soon(tb), cpuTime(tb); ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatal("the process does not come to rest")
		}
		now := cpuTime(tb)
		if now-before < quietCPU {
			return
		}
		before = now
	}
}

func weftEnd(tb testing.TB) end {
	n, err := node.New(loopback(tcpOnly, func(c *node.Config) {
		c.MaxPeers, c.TargetDegree = 200, 1 // else nodes dial those they hear of, too
	}))
	if err != nil {
		tb.Fatal(err)
	}
	if err := n.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return end{
		addr: n.Addrs()[0].String(), dial: n.Connect, stop: func() { n.Close() },
		peers: func() int { return len(n.Peers()) },
	}
}

func (w plain) end(tb testing.TB) end {
	h, _, stop := w.open(tb)
	return end{addr: fullAddr(tb, h), dial: dialer(h), stop: stop, peers: func() int { return len(h.Network().Peers()) }}
}

func dialer(h host.Host) func(context.Context, string) error {
	return func(ctx context.Context, addr string) error {
		info, err := peer.AddrInfoFromString(addr)
		if err != nil {
			return err
		}
		return h.Connect(ctx, *info)
	}
}

func tcpOnly(c *node.Config) { c.Listen = []string{"/ip4/127.0.0.1/tcp/0"} }
