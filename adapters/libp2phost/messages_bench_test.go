package libp2phost

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// lifted takes the throttles away.
func lifted(c *Config) {
	c.Read.BytesPerSec, c.Read.PeerCPU, c.Read.InProcess = 0, 0, 1024
	c.OutboxMessages, c.OutboxBytes = 1024, 16<<20
}

// BenchmarkMessages sends messages from one host to another as fast as they are
// taken, with throttles lifted as in the figures of FACTS.
func BenchmarkMessages(b *testing.B) {
	for _, transport := range bothTransports {
		for _, size := range []int{1 << 10, 64 << 10} {
			b.Run(fmt.Sprintf("%s/%dB", transport, size), func(b *testing.B) { benchmarkMessages(b, transport, size) })
		}
	}
}

func benchmarkMessages(b *testing.B, transport string, size int) {
	var received atomic.Int64
	more := make(chan struct{}, 1)
	from := newSpeaker(b, lifted)
	to := newSpeaker(b, lifted, func(c *Config) {
		c.Deliver = func(_ core.Received, done func(time.Duration)) {
			done(0)
			received.Add(1)
			select {
			case more <- struct{}{}:
			default:
			}
		}
	})
	mustConnect(b, from.testHost, to.on(transport))
	await(b, from.events, any1[core.Connected])
	message := core.Send{Peer: to.ID(), Protocol: talkProtocol, Payload: make([]byte, size)}
	window := int64(min(512, 8<<20/size))
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	for i := range int64(b.N) {
		for i-received.Load() >= window {
			<-more
		}
		from.Send(message)
	}
	for received.Load() < int64(b.N) {
		<-more
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
}

// BenchmarkRoundTrip answers each message with one of the same size.
func BenchmarkRoundTrip(b *testing.B) {
	for _, transport := range bothTransports {
		b.Run(transport, func(b *testing.B) {
			var a, c *speaker
			back := make(chan struct{})
			a = newSpeaker(b, lifted, func(cfg *Config) {
				cfg.Deliver = func(_ core.Received, done func(time.Duration)) { done(0); back <- struct{}{} }
			})
			c = newSpeaker(b, lifted, func(cfg *Config) {
				cfg.Deliver = func(m core.Received, done func(time.Duration)) {
					done(0)
					c.Send(core.Send{Peer: m.Peer, Protocol: m.Protocol, Type: m.Type, Payload: m.Payload})
				}
			})
			mustConnect(b, a.testHost, c.on(transport))
			await(b, c.events, any1[core.Connected])
			message := core.Send{Peer: c.ID(), Protocol: talkProtocol, Payload: make([]byte, 1<<10)}
			b.ReportAllocs()
			for b.Loop() {
				a.Send(message)
				<-back
			}
		})
	}
}

// BenchmarkMemoryPerPeer reports what open streams of so many protocols, both
// ways, add to each end of a connection: heap and stacks.
func BenchmarkMemoryPerPeer(b *testing.B) {
	for _, transport := range bothTransports {
		for _, protocols := range []int{1, 4} {
			b.Run(fmt.Sprintf("%s/%d", transport, protocols), func(b *testing.B) { benchmarkMemory(b, transport, protocols) })
		}
	}
}

func benchmarkMemory(b *testing.B, transport string, protocols int) {
	const peers = 40
	several := func(c *Config) {
		c.Messages = c.Messages[:1]
		for i := 1; i < protocols; i++ {
			c.Messages = append(c.Messages, MessageProtocol{ID: fmt.Sprintf("/weft/test-%d/1.0.0", i), MaxPayload: 1 << 10})
		}
	}
	hub := newSpeaker(b, several)
	ends := make([]*speaker, peers)
	for i := range ends {
		ends[i] = newSpeaker(b, several)
		mustConnect(b, ends[i].testHost, hub.on(transport))
	}
	eventually(b, "all are connected", func() bool { return len(hub.messages.all()) == peers })
	time.Sleep(200 * time.Millisecond) // identify ends
	before := memoryUse()
	for i, m := range hub.cfg.Messages {
		for _, end := range ends {
			end.Send(core.Send{Peer: hub.ID(), Protocol: m.ID, Payload: []byte("hello")})
			hub.Send(core.Send{Peer: end.ID(), Protocol: m.ID, Payload: []byte("hello")})
		}
		hub.inbox.await(b, (i+1)*peers)
	}
	for _, end := range ends {
		end.inbox.await(b, protocols)
	}
	time.Sleep(200 * time.Millisecond) // writers and answers end
	for b.Loop() {                     // one measurement is enough
	}
	b.ReportMetric(float64(memoryUse()-before)/(2*peers), "B/end")
	b.ReportMetric(0, "ns/op")
}

func memoryUse() int64 {
	heap := heapBytes()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return heap + int64(m.StackInuse)
}
