//go:build unix

package gossipsub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
)

const (
	benchNodes = 20
	benchDials = 5
	benchEach  = 5 * time.Millisecond // between two messages
)

// BenchmarkNetwork is what a delivery costs in a network of nodes on loopback, all in
// this process: CPU, and full copies.
func BenchmarkNetwork(b *testing.B) {
	for _, size := range []int{1 << 10} {
		for _, episub := range []bool{false, true} {
			b.Run(fmt.Sprintf("%dKiB/episub=%t", size>>10, episub), func(b *testing.B) { runNetworkBench(b, size, episub) })
		}
	}
}

func runNetworkBench(b *testing.B, size int, episub bool) {
	cfg := DefaultConfig()
	cfg.Episub = episub
	var nodes []*PubSub
	var delivered atomic.Int64
	var hosts []host.Host
	for range benchNodes {
		p := newNodeWith(b, cfg)
		s := subscribe(b, p, "bench")
		go drain(&delivered, func() error { _, err := s.Next(context.Background()); return err })
		nodes, hosts = append(nodes, p), append(hosts, p.host)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i, h := range hosts {
		for _, j := range rng.Perm(benchNodes)[:benchDials] {
			if j != i {
				connect(b, h, hosts[j])
			}
		}
	}
	pass := func(n int) {
		want := delivered.Load() + int64(n*benchNodes)
		for i := range n {
			if err := nodes[i%benchNodes].Publish(soon(b), "bench", make([]byte, size)); err != nil {
				b.Fatal(err)
			}
			time.Sleep(benchEach)
		}
		eventually(b, "all have all", func() bool { return delivered.Load() >= want })
	}
	time.Sleep(2 * time.Second)
	for range 8 { // the tiers take a step a second
		pass(100)
		time.Sleep(time.Second)
	}
	copies := func() (n uint64) {
		for _, p := range nodes {
			n += p.Stats().Received.Messages
		}
		return n
	}
	var used cost
	before := copies()
	b.ResetTimer()
	used.add(func() { pass(b.N) })
	deliveries := float64(b.N * (benchNodes - 1))
	b.ReportMetric(1e6*used.cpu/deliveries, "cpu-us/delivery")
	b.ReportMetric(float64(copies()-before)/deliveries, "copies/delivery")
}
