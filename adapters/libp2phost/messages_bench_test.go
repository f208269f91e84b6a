package libp2phost

import (
	"fmt"
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
