package node_test

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/weftnet/weft/node"
)

// BenchmarkStart is the time from New to a node that can be dialled: with nothing
// on disk, with a new data directory, with the one of an earlier run, and, in
// "process", from executing `weft run` until it has printed its address.
func BenchmarkStart(b *testing.B) {
	b.Run("ephemeral", func(b *testing.B) {
		benchStart(b, func() node.Config { return loopback() })
	})
	b.Run("new-data-dir", func(b *testing.B) {
		benchStart(b, func() node.Config { return loopback(inDir(b.TempDir())) })
	})
	b.Run("old-data-dir", func(b *testing.B) {
		dir := b.TempDir()
		startAndClose(b, loopback(inDir(dir)))
		benchStart(b, func() node.Config { return loopback(inDir(dir)) })
	})
	b.Run("process", benchProcess)
}

func benchStart(b *testing.B, config func() node.Config) {
	var took []time.Duration
	for b.Loop() {
		took = append(took, startAndClose(b, config()))
	}
	report(b, took)
}

func startAndClose(b *testing.B, cfg node.Config) time.Duration {
	began := time.Now()
	n, err := node.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	if err := n.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	if err := n.Close(); err != nil {
		b.Fatal(err)
	}
	return took
}

func benchProcess(b *testing.B) {
	bin := filepath.Join(b.TempDir(), "weft")
	if out, err := exec.Command("go", "build", "-o", bin, "../cmd/weft").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	dir := b.TempDir()
	var took []time.Duration
	for b.Loop() {
		took = append(took, runOnce(b, exec.Command(bin, "run", "--data-dir", dir,
			"--listen", "/ip4/127.0.0.1/tcp/0", "--api", "127.0.0.1:0")))
	}
	report(b, took)
}

// runOnce is the time until a command prints its first line; then it is ended.
func runOnce(b *testing.B, cmd *exec.Cmd) time.Duration {
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	_, err = bufio.NewReader(out).ReadString('\n')
	took := time.Since(began)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if werr := cmd.Wait(); err != nil || werr != nil {
		b.Fatal("weft run:", err, werr)
	}
	return took
}

// report shows times in which the benchmark's own numbers, which include closing,
// have no part.
func report(b *testing.B, took []time.Duration) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(milliseconds(median(took)), "ms-median")
	b.ReportMetric(milliseconds(slices.Max(took)), "ms-max")
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

type number interface{ ~int64 | ~float64 }

// median is robust against what else the machine does.
func median[T number](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	mid := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[mid-1] + sorted[mid]) / 2
	}
	return sorted[mid]
}

// cpuTime is what this process has used.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// live is the bytes in use: live objects and stacks. Two collections, because the
// first one only empties the pools into their victim caches.
func live() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
