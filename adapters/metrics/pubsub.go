package metrics

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weftnet/weft/adapters/gossipsub"
)

// otherTopics labels what is counted beyond the topics that are counted alone.
const otherTopics = "_other"

// GossipSub is what pubsub counts.
func GossipSub(read func() gossipsub.Stats) prometheus.Collector {
	return Group(read, slices.Concat(pubsubState, pubsubMessages, pubsubTraffic)...)
}

type pubsubStats = gossipsub.Stats

var pubsubState = []Field[pubsubStats]{
	Gauge("weft_pubsub_peers", "Peers with a pubsub stream.", func(s pubsubStats) int { return s.Peers }),
	Gauge("weft_pubsub_topics", "Topics joined or subscribed to.", func(s pubsubStats) int { return s.Topics }),
	Gauge("weft_pubsub_subscriptions", "Subscriptions on this node.", func(s pubsubStats) int { return s.Subscriptions }),
	Gauge("weft_pubsub_mesh_links", "Mesh links, over all topics.", func(s pubsubStats) int { return s.MeshLinks }),
}

var pubsubMessages = []Field[pubsubStats]{
	Counter("weft_pubsub_published_messages_total", "Messages published by this node.", func(s pubsubStats) uint64 { return s.Published }),
	Counter("weft_pubsub_delivered_messages_total", "New messages of others, verified.", func(s pubsubStats) uint64 { return s.Delivered }),
	Counter("weft_pubsub_duplicate_messages_total", "Messages of others that were seen before.", func(s pubsubStats) uint64 { return s.Duplicates }),
	Counter("weft_pubsub_missed_messages_total", "Messages that slow subscriptions of this node did not take.", func(s pubsubStats) uint64 { return s.Missed }),
	Counters("weft_pubsub_rejected_messages_total", "Messages of others that were not accepted, by reason.", []string{"reason"}, func(s pubsubStats, emit Emit) {
		for reason, n := range s.Rejected {
			emit(float64(n), strings.ReplaceAll(reason, " ", "_"))
		}
	}),
	Counter("weft_pubsub_dropped_rpcs_total", "Outbound RPCs dropped: a full queue, or too large.", func(s pubsubStats) uint64 { return s.RPCsDropped }),
	Counter("weft_pubsub_throttled_rpcs_total", "RPCs of which the messages were ignored, since their peer was throttled.", func(s pubsubStats) uint64 { return s.PeersThrottled }),
	Counter("weft_pubsub_refused_subscriptions_total", "Announced subscriptions beyond the limits.", func(s pubsubStats) uint64 { return s.SubscriptionsRefused }),
	Counter("weft_pubsub_capped_prunes_total", "PRUNEs with an absurd back-off time.", func(s pubsubStats) uint64 { return s.PruneCapped }),
	Counter("weft_pubsub_offences_lost_total", "Offences that did not count because too many came at once.", func(s pubsubStats) uint64 { return s.OffencesLost }),
}

var pubsubTraffic = []Field[pubsubStats]{
	Counters("weft_pubsub_rpcs_total", "RPCs exchanged with peers.", []string{"direction"}, byDirection(func(t gossipsub.Traffic) uint64 { return t.RPCs })),
	Counters("weft_pubsub_messages_total", "Full messages exchanged with peers, each copy counted.", []string{"direction"}, byDirection(func(t gossipsub.Traffic) uint64 { return t.Messages })),
	Counters("weft_pubsub_payload_bytes_total", "Payload exchanged with peers, each copy counted.", []string{"direction"}, byDirection(func(t gossipsub.Traffic) uint64 { return t.PayloadBytes })),
	Counters("weft_pubsub_control_total", "Control entries exchanged with peers; for ihave, iwant and idontwant the message IDs in them.", []string{"direction", "type"}, func(s pubsubStats, emit Emit) {
		emitControl(s.Received, "in", emit)
		emitControl(s.Sent, "out", emit)
	}),
	Counters("weft_pubsub_topic_messages_total", "Messages by topic: published here, delivered, duplicate.", []string{"topic", "kind"}, eachTopic(func(topic string, t gossipsub.TopicStats, emit Emit) {
		emit(float64(t.Published), topic, "published")
		emit(float64(t.Delivered), topic, "delivered")
		emit(float64(t.Duplicates), topic, "duplicate")
	})),
	Counters("weft_pubsub_topic_payload_bytes_total", "Payload by topic, each copy counted.", []string{"topic", "direction"}, eachTopic(func(topic string, t gossipsub.TopicStats, emit Emit) {
		emit(float64(t.BytesIn), topic, "in")
		emit(float64(t.BytesOut), topic, "out")
	})),
}

func byDirection(read func(gossipsub.Traffic) uint64) func(pubsubStats, Emit) {
	return func(s pubsubStats, emit Emit) {
		emit(float64(read(s.Received)), "in")
		emit(float64(read(s.Sent)), "out")
	}
}

func emitControl(t gossipsub.Traffic, direction string, emit Emit) {
	emit(float64(t.Graft), direction, "graft")
	emit(float64(t.Prune), direction, "prune")
	emit(float64(t.IHave), direction, "ihave")
	emit(float64(t.IWant), direction, "iwant")
	emit(float64(t.IDontWant), direction, "idontwant")
	emit(float64(t.Sub), direction, "subscribe")
	emit(float64(t.Unsub), direction, "unsubscribe")
}

func eachTopic(read func(string, gossipsub.TopicStats, Emit)) func(pubsubStats, Emit) {
	return func(s pubsubStats, emit Emit) {
		for name, t := range s.ByTopic {
			if name == gossipsub.OtherTopics {
				name = otherTopics
			}
			read(name, t, emit)
		}
	}
}
