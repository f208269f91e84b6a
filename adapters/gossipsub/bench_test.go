//go:build unix

package gossipsub

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/weftnet/weft/protocols/core"
)

// window is how many messages are under way at most. Plain pubsub's queues hold
// 32 RPCs, and each of these messages takes two of them (it is followed by its
// IDONTWANT): with more under way plain pubsub loses some.
const window = 12

// BenchmarkThroughput is publish to subscribe between two nodes on loopback, ours
// beside plain go-libp2p-pubsub. Both ends are in this process.
func BenchmarkThroughput(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("%dKiB/plain", size>>10), func(b *testing.B) { run(b, size, plainLink) })
		b.Run(fmt.Sprintf("%dKiB/weft", size>>10), func(b *testing.B) { run(b, size, weftLink) })
	}
}

// link is a way to publish at one node and to receive at the other.
type link struct {
	publish func(context.Context, []byte) error
	receive func(context.Context) error
}

func run(b *testing.B, size int, dial func(*testing.B) link) {
	l, data := dial(b), make([]byte, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	l.pass(b, b.N, data)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// pass publishes n messages and waits until all have been received.
func (l link) pass(b *testing.B, n int, data []byte) {
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute+time.Duration(n)*10*time.Millisecond)
	defer cancel()
	slots, done := make(chan struct{}, window), make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < n && err == nil; i++ {
			err = l.receive(ctx)
			<-slots
		}
		done <- err
	}()
	for range n {
		slots <- struct{}{}
		if err := l.publish(ctx, data); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

// BenchmarkOverhead lets the two take turns, a few milliseconds each, so that a
// busy machine slows both alike. Its result is what ours takes, as a multiple of
// plain: 1.00 is no overhead.
func BenchmarkOverhead(b *testing.B) {
	const turn = 60 // messages
	for _, size := range []int{1 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			plain, weft, data := plainLink(b), weftLink(b), make([]byte, size)
			var plainCost, weftCost cost
			b.ResetTimer()
			for range b.N {
				plainCost.add(func() { plain.pass(b, turn, data) })
				weftCost.add(func() { weft.pass(b, turn, data) })
			}
			b.ReportMetric(weftCost.wall/plainCost.wall, "x-time")
			b.ReportMetric(weftCost.cpu/plainCost.cpu, "x-cpu")
			b.ReportMetric(1e6*plainCost.cpu/float64(b.N*turn), "plain-cpu-us/msg")
			b.ReportMetric(1e6*weftCost.cpu/float64(b.N*turn), "weft-cpu-us/msg")
		})
	}
}

// cost is what something took, in seconds.
type cost struct{ wall, cpu float64 }

func (c *cost) add(f func()) {
	start, before := time.Now(), cpuTime()
	f()
	c.wall += time.Since(start).Seconds()
	c.cpu += cpuTime() - before
}

func cpuTime() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// weftLink subscribes at both ends, as plainLink does: both keep a mesh. Both tell of
// deliveries, as in a node.
func weftLink(b *testing.B) link {
	cfg := DefaultConfig()
	cfg.Report = func(core.Event) {}
	p, q := newNodeWith(b, cfg), newNodeWith(b, cfg)
	if err := p.Join("bench"); err != nil {
		b.Fatal(err)
	}
	r := subscribe(b, q, "bench")
	connect(b, p.host, q.host)
	eventually(b, "the mesh is up", func() bool { return p.trace.meshSize("bench") == 1 })
	return link{
		publish: func(ctx context.Context, data []byte) error { return p.Publish(ctx, "bench", data) },
		receive: func(ctx context.Context) error { _, err := r.Next(ctx); return err },
	}
}

func plainLink(b *testing.B) link {
	hp, p := newPlain(b)
	hr, r := newPlain(b)
	tp, err := p.Join("bench")
	if err != nil {
		b.Fatal(err)
	}
	cancel, err := tp.Relay()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(cancel)
	tr, err := r.Join("bench")
	if err != nil {
		b.Fatal(err)
	}
	sub, err := tr.Subscribe(pubsub.WithBufferSize(2 * window))
	if err != nil {
		b.Fatal(err)
	}
	connect(b, hp, hr)
	// Until plain pubsub's stream is open it drops what it publishes, and says nothing.
	for heard := false; !heard; {
		ctx, cancel := context.WithTimeout(b.Context(), 200*time.Millisecond)
		if err := tp.Publish(ctx, nil); err != nil {
			b.Fatal(err)
		}
		_, err := sub.Next(ctx)
		heard = err == nil
		cancel()
	}
	return link{
		publish: func(ctx context.Context, data []byte) error { return tp.Publish(ctx, data) },
		receive: func(ctx context.Context) error { _, err := sub.Next(ctx); return err },
	}
}
