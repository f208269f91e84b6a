package libp2phost

import (
	"fmt"
	"io"
	"testing"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-msgio"
	ma "github.com/multiformats/go-multiaddr"
	"golang.org/x/sys/unix"
)

// BenchmarkRead compares reading messages, as pubsub does, from a bare stream
// with reading them through the meter. "memory" shows the meter alone, "tcp" what
// is left of it on a real link.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{100, 1 << 10, 64 << 10, 1 << 20} {
		for _, metered := range []bool{false, true} {
			name := fmt.Sprintf("%dB/%s", size, map[bool]string{false: "bare", true: "metered"}[metered])
			b.Run("memory/"+name, func(b *testing.B) {
				readMessages(b, &endless{message: framed(body(size))}, size, metered)
			})
			b.Run("tcp/"+name, func(b *testing.B) {
				readMessages(b, sendingPeer(b, framed(body(size))), size, metered)
			})
		}
	}
}

func readMessages(b *testing.B, s network.Stream, size int, metered bool) {
	if metered {
		s = newMeter(s, 16<<20, testMetering(b, patience))
	}
	r := msgio.NewVarintReaderSize(s, 16<<20)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	before := cpu(b)
	defer func() { b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op") }()
	for b.Loop() {
		_, _ = r.NextMsgLen()
		msg, err := r.ReadMsg()
		if err != nil || len(msg) != size {
			b.Fatalf("%d bytes, %v", len(msg), err)
		}
		r.ReleaseMsg(msg)
	}
}

// cpu is what the process has used, in ns, the sending peer included: wall time
// on a small machine depends more on who waits for whom.
func cpu(b *testing.B) int64 {
	var use unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return use.Utime.Nano() + use.Stime.Nano()
}

// endless is a stream that repeats one message, 16 KiB or more at a time.
type endless struct {
	fakeStream
	message []byte
	at      int
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		k := copy(p[n:], e.message[e.at:])
		n += k
		e.at = (e.at + k) % len(e.message)
	}
	return n, nil
}

func (e *endless) Reset() error { return nil }

// sendingPeer is a stream of a real peer that sends as fast as it can.
func sendingPeer(b *testing.B, message []byte) network.Stream {
	b.Helper()
	to, from := plainHost(b), plainHost(b)
	streams := make(chan network.Stream, 1)
	to.SetStreamHandler(testProtocol, func(s network.Stream) { streams <- s })
	if err := from.Connect(testContext(b), peer.AddrInfo{ID: to.ID(), Addrs: to.Addrs()}); err != nil {
		b.Fatal(err)
	}
	s, err := from.NewStream(testContext(b), to.ID(), testProtocol)
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		_, _ = io.Copy(s, &endless{message: message})
	}()
	got := <-streams
	b.Cleanup(func() { _ = got.Reset() })
	return got
}

// BenchmarkNew starts a host and closes it.
func BenchmarkNew(b *testing.B) {
	cfg := DefaultConfig()
	cfg.Key = testKey(b)
	cfg.Listen = []ma.Multiaddr{loopbackTCP, loopbackQUIC}
	for b.Loop() {
		h, err := New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		if err := h.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkConnect connects and disconnects two hosts: ours, and for comparison
// plain libp2p ones over the same transport.
func BenchmarkConnect(b *testing.B) {
	b.Run("weft", func(b *testing.B) {
		tcpOnly := func(c *Config) { c.Listen = []ma.Multiaddr{loopbackTCP} }
		a, to := newTestHost(b, tcpOnly), newTestHost(b, tcpOnly)
		connectOften(b, a.Base(), to.on("tcp"))
	})
	b.Run("plain", func(b *testing.B) {
		a, to := plainHost(b), plainHost(b)
		connectOften(b, a, peer.AddrInfo{ID: to.ID(), Addrs: to.Addrs()})
	})
}

func connectOften(b *testing.B, from host.Host, to peer.AddrInfo) {
	before := cpu(b)
	for b.Loop() {
		if err := from.Connect(b.Context(), to); err != nil {
			b.Fatal(err)
		}
		if err := from.Network().ClosePeer(to.ID); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
}

// BenchmarkSymmetry shows what the second connection of a pair costs: the memory
// of each end, and the CPU time of both.
func BenchmarkSymmetry(b *testing.B) {
	const peers = 20
	for _, transport := range bothTransports {
		b.Run(transport, func(b *testing.B) {
			var first, second, used int64
			for b.Loop() {
				one, two, ns := pairUp(b, peers, transport)
				first, second, used = first+one, second+two, used+ns
			}
			ends := float64(2 * peers * b.N)
			b.ReportMetric(float64(first)/ends, "first-B/end")
			b.ReportMetric(float64(second)/ends, "second-B/end")
			b.ReportMetric(2*float64(used)/ends, "second-cpu-ns")
		})
	}
}

// pairUp connects a host with n others, one way and then the other, and returns
// how many bytes each step added and the CPU time of the second.
func pairUp(b *testing.B, n int, transport string) (first, second, used int64) {
	b.Helper()
	a := newTestHost(b, symmetric)
	others := make([]*testHost, n)
	for i := range others {
		others[i] = newTestHost(b, symmetric)
	}
	defer a.Close()
	none := int64(heap())
	for _, o := range others {
		mustConnect(b, a, o.on(transport))
	}
	identifiedAll(b, append(others, a))
	one, before := int64(heap()), cpu(b)
	for _, o := range others {
		mustConnect(b, o, a.on(transport))
	}
	identifiedAll(b, append(others, a))
	used = cpu(b) - before
	two := int64(heap())
	for _, o := range others {
		_ = o.Close()
	}
	return one - none, two - one, used
}

// identifiedAll waits until every connection is known at both ends and identified.
func identifiedAll(b *testing.B, hosts []*testHost) {
	b.Helper()
	for _, h := range hosts {
		eventually(b, "both ends know", func() bool {
			for _, p := range h.Peers() {
				for _, o := range hosts {
					if o.ID() == p.ID && len(booked(o, h.ID())) != p.Conns {
						return false
					}
				}
			}
			return len(h.Peers()) > 0
		})
		for _, c := range h.Base().Network().Conns() {
			<-idService(h).IdentifyWait(c)
		}
	}
}
