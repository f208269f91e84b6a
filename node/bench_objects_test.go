package node_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weftnet/weft/node"
)

// manyUnderway is how many objects are under way where the disk sets the pace: one
// write takes all that have gathered.
const manyUnderway = 100

// objectPipe is one way from a publisher to a subscriber, and how much is under way
// in it.
type objectPipe struct {
	name string
	pipe
	underway int
}

// BenchmarkObjects is put to delivery between two nodes over loopback TCP, beside
// publish to subscribe of plain gossipsub, all in this process. They run in turn, and
// every one must arrive. Reported are medians, and the medians of the ratios to plain
// gossipsub in the same round.
func BenchmarkObjects(b *testing.B) {
	for _, load := range []struct{ size, messages int }{{1 << 10, 2000}, {64 << 10, 300}} {
		b.Run(fmt.Sprintf("%dKiB", load.size>>10), func(b *testing.B) { benchObjects(b, load.size, load.messages) })
	}
}

func benchObjects(b *testing.B, size, messages int) {
	pipes := []objectPipe{
		{"plain", plainPipe(b), window},
		{"unsigned", putPipe(b, true), window},
		{"signed", putPipe(b, false), window},
		{"disk-unsigned", putPipe(b, true, onDisk(b)), window},
		{"disk-signed", putPipe(b, false, onDisk(b)), window},
		{"disk-unsigned-100", putPipe(b, true, onDisk(b)), manyUnderway},
	}
	figures := make([]objectFigures, len(pipes))
	for _, p := range pipes {
		putAll(b, p, size, messages/4) // warms up
	}
	for b.Loop() {
		for round := range throughputRounds {
			for i := range pipes {
				at := (i + round) % len(pipes)
				figures[at].add(putAll(b, pipes[at], size, messages))
			}
		}
	}
	for i, p := range pipes {
		figures[i].report(b, p.name, figures[0])
	}
}

// objectFigures are what the rounds of one pipe gave.
type objectFigures struct{ rate, cpu, allocs []float64 }

func (f *objectFigures) add(rate, cpu, allocs float64) {
	f.rate, f.cpu, f.allocs = append(f.rate, rate), append(f.cpu, cpu), append(f.allocs, allocs)
}

func (f *objectFigures) report(b *testing.B, name string, plain objectFigures) {
	b.ReportMetric(median(f.rate), name+"-obj/s")
	b.ReportMetric(median(f.cpu), name+"-cpu-us/obj")
	b.ReportMetric(median(f.allocs), name+"-allocs/obj")
	if name != "plain" {
		b.ReportMetric(median(ratios(f.rate, plain.rate)), name+"-obj/s-ratio")
		b.ReportMetric(median(ratios(f.cpu, plain.cpu)), name+"-cpu-ratio")
	}
}

// putAll publishes from as many goroutines as may be under way, and waits for each
// delivery.
func putAll(b *testing.B, p objectPipe, size, messages int) (perSecond, cpuMicros, allocs float64) {
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	slots, done := make(chan struct{}, p.underway), make(chan error, 1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began, cpu := time.Now(), cpuTime(b)
	go func() { done <- receiveAll(ctx, p.pipe, size, messages, slots) }()
	var left atomic.Int64
	left.Store(int64(messages))
	var publishers sync.WaitGroup
	for range p.underway {
		publishers.Go(func() {
			for left.Add(-1) >= 0 {
				slots <- struct{}{}
				if err := p.publish(ctx, numbered(size)); err != nil {
					b.Error(err)
					cancel()
				}
			}
		})
	}
	if err := <-done; err != nil {
		b.Fatal(p.name, err)
	}
	took, cpu := time.Since(began), cpuTime(b)-cpu
	publishers.Wait()
	runtime.ReadMemStats(&after)
	n := float64(messages)
	return n / took.Seconds(), float64(cpu.Microseconds()) / n, float64(after.Mallocs-before.Mallocs) / n
}

var numbers atomic.Uint64

// numbered is a payload that no other has: else it would be the same object.
func numbered(size int) []byte {
	data := make([]byte, size)
	binary.BigEndian.PutUint64(data, numbers.Add(1))
	return data
}

func onDisk(tb testing.TB) func(*node.Config) {
	return func(cfg *node.Config) { cfg.DataDir = tb.TempDir() }
}

// putPipe puts objects on one node and reads what is delivered on another.
func putPipe(tb testing.TB, unsigned bool, change ...func(*node.Config)) pipe {
	tb.Helper()
	change = append(change, tcpOnly, carrying("bench"))
	from := start(tb, change...)
	to := start(tb, append(change, joining(from))...)
	awaitCarriers(tb, from, "bench", 1)
	awaitMesh(tb, from, "bench", 1)
	sub := reads(tb, to, "bench", 0)
	return pipe{
		publish: func(ctx context.Context, data []byte) error {
			_, err := from.PutObject(ctx, "bench", node.Draft{Payload: data, Unsigned: unsigned})
			return err
		},
		receive: func(ctx context.Context) ([]byte, error) { d, err := sub.Next(ctx); return d.Payload, err },
	}
}
