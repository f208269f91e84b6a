package node

import (
	"github.com/weftnet/weft/adapters/libp2phost"
	"github.com/weftnet/weft/adapters/metrics"
)

// messageFields are the messages of weft's own protocols.
var messageFields = []metrics.Field[libp2phost.MessageStats]{
	metrics.Counter("weft_messages_sent_total", "Messages of weft's protocols sent.", func(s libp2phost.MessageStats) uint64 { return s.Sent }),
	metrics.Counter("weft_messages_sent_bytes_total", "Bytes of the messages sent, frame headers included.", func(s libp2phost.MessageStats) uint64 { return s.SentBytes }),
	metrics.Counter("weft_messages_received_total", "Messages of weft's protocols received.", func(s libp2phost.MessageStats) uint64 { return s.Received }),
	metrics.Counter("weft_messages_received_bytes_total", "Bytes of the messages received, frame headers included.", func(s libp2phost.MessageStats) uint64 { return s.ReceivedBytes }),
	metrics.Counters("weft_messages_dropped_total", "Messages not sent, by cause.", []string{"cause"}, func(s libp2phost.MessageStats, emit metrics.Emit) {
		for cause, count := range s.Dropped {
			emit(float64(count), cause)
		}
	}),
	metrics.Counters("weft_messages_malformed_total", "Messages not taken and streams reset, by cause.", []string{"cause"}, func(s libp2phost.MessageStats, emit metrics.Emit) {
		for cause, count := range s.Malformed {
			emit(float64(count), cause)
		}
	}),
	metrics.Gauge("weft_messages_queued_bytes", "Bytes of messages that wait to be sent.", func(s libp2phost.MessageStats) int { return s.QueuedBytes }),
	metrics.Gauge("weft_messages_held_bytes", "Bytes of messages that are being read or handled.", func(s libp2phost.MessageStats) int { return s.HeldBytes }),
}
