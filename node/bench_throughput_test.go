package node_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
)

// window is how many messages are under way at most. Plain pubsub's queues hold
// 32 RPCs, and each of these messages takes two of them (it is followed by its
// IDONTWANT): with more under way plain pubsub loses some.
const window = 12

// throughputRounds is how often each kind runs in one operation: enough for a
// median on a machine with other work.
const throughputRounds = 9

// pipe is a way to publish on one node and to receive on another.
type pipe struct {
	publish func(context.Context, []byte) error
	receive func(context.Context) ([]byte, error)
}

// BenchmarkThroughput is publish to subscribe between two nodes over loopback
// TCP, ours beside plain libp2p hosts with gossipsub, both ends in this process.
// They run in turn, A B B A …, and every message must arrive. Reported are the
// medians, and the median of weft's figure over plain's in the same round.
func BenchmarkThroughput(b *testing.B) {
	for _, load := range []struct{ size, messages int }{{1 << 10, 1000}, {64 << 10, 300}} {
		b.Run(fmt.Sprintf("%dKiB", load.size>>10), func(b *testing.B) {
			benchThroughput(b, load.size, load.messages)
		})
	}
}

func benchThroughput(b *testing.B, size, messages int) {
	pipes := []pipe{plainPipe(b), weftPipe(b)}
	var rate, cpu [2][]float64
	measure := func(i int) {
		r, c := pump(b, pipes[i], size, messages)
		rate[i], cpu[i] = append(rate[i], r), append(cpu[i], c)
	}
	for _, p := range pipes {
		pump(b, p, size, messages/4) // warms up
	}
	for b.Loop() {
		for round := range throughputRounds {
			measure(round % 2)
			measure(1 - round%2)
		}
	}
	for i, name := range []string{"plain", "weft"} {
		b.ReportMetric(median(rate[i]), name+"-msg/s")
		b.ReportMetric(median(cpu[i]), name+"-cpu-us/msg")
	}
	b.ReportMetric(median(ratios(rate[1], rate[0])), "msg/s-ratio")
	b.ReportMetric(median(ratios(cpu[1], cpu[0])), "cpu-ratio")
}

func ratios(a, b []float64) []float64 {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = a[i] / b[i]
	}
	return r
}

// pump sends messages and waits for each of them.
func pump(b *testing.B, p pipe, size, messages int) (perSecond, cpuMicros float64) {
	slots, done := make(chan struct{}, window), make(chan error, 1)
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	began, cpu := time.Now(), cpuTime(b)
	go func() { done <- receiveAll(ctx, p, size, messages, slots) }()
	data := make([]byte, size)
	for range messages {
		select {
		case slots <- struct{}{}:
		case err := <-done:
			b.Fatal(err)
		}
		if err := p.publish(ctx, data); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	cpu = cpuTime(b) - cpu
	return float64(messages) / time.Since(began).Seconds(), float64(cpu.Microseconds()) / float64(messages)
}

func receiveAll(ctx context.Context, p pipe, size, messages int, slots chan struct{}) error {
	for i := range messages {
		data, err := p.receive(ctx)
		if err != nil || len(data) != size {
			return fmt.Errorf("message %d of %d: %d bytes, %v", i, messages, len(data), err)
		}
		<-slots
	}
	return nil
}

// weftPipe joins at both ends, as plainPipe does: both keep a mesh.
func weftPipe(tb testing.TB) pipe {
	from := start(tb, tcpOnly, withTopic("bench"))
	to := start(tb, tcpOnly, joining(from))
	sub, err := to.Subscribe("bench")
	if err != nil {
		tb.Fatal(err)
	}
	awaitMesh(tb, from, "bench", 1)
	return pipe{
		publish: func(ctx context.Context, data []byte) error { return from.Publish(ctx, "bench", data) },
		receive: func(ctx context.Context) ([]byte, error) { m, err := sub.Next(ctx); return m.Data, err },
	}
}

func plainPipe(tb testing.TB) pipe {
	hosts, topics := plainPair(tb)
	cancel, err := topics[0].Relay()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(cancel)
	sub, err := topics[1].Subscribe(pubsub.WithBufferSize(2 * window))
	if err != nil {
		tb.Fatal(err)
	}
	if err := hosts[1].dial(soon(tb), hosts[0].addr); err != nil {
		tb.Fatal(err)
	}
	meshed := pubsub.WithReadiness(func(rt pubsub.PubSubRouter, topic string) (bool, error) { return rt.EnoughPeers(topic, 1), nil })
	if err := topics[0].Publish(soon(tb), nil, meshed); err != nil {
		tb.Fatal(err)
	}
	if _, err := sub.Next(soon(tb)); err != nil {
		tb.Fatal(err)
	}
	return pipe{
		publish: func(ctx context.Context, data []byte) error { return topics[0].Publish(ctx, data) },
		receive: func(ctx context.Context) ([]byte, error) {
			m, err := sub.Next(ctx)
			if err != nil {
				return nil, err
			}
			return m.Data, nil
		},
	}
}

func plainPair(tb testing.TB) (ends [2]end, topics [2]*pubsub.Topic) {
	for i := range ends {
		h, ps, stop := plain{gossipsub: true}.open(tb)
		tb.Cleanup(stop)
		ends[i] = end{addr: fullAddr(tb, h), dial: dialer(h)}
		var err error
		if topics[i], err = ps.Join("bench"); err != nil {
			tb.Fatal(err)
		}
	}
	return ends, topics
}
