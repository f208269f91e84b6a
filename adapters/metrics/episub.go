package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weftnet/weft/adapters/gossipsub"
)

// Episub is what episub counts.
func Episub(read func() gossipsub.EpisubStats) prometheus.Collector {
	return Group(read, episubFields...)
}

type episubStats = gossipsub.EpisubStats

var episubFields = []Field[episubStats]{
	Gauges("weft_episub_peers", "Peers of topics, by tier: eager ones push messages to us, lazy ones announce them.", []string{"tier"}, func(s episubStats, emit Emit) {
		emit(float64(s.Eager), "eager")
		emit(float64(s.Lazy), "lazy")
	}),
	Gauge("weft_episub_plain_peers", "Peers of topics that speak plain gossipsub, in whatever tier.", func(s episubStats) int { return s.Plain }),
	Gauge("weft_episub_pushed_to", "Peers of topics that we push messages to.", func(s episubStats) int { return s.PushedTo }),
	Gauge("weft_episub_known_messages", "Messages remembered.", func(s episubStats) int { return s.Known }),
	Gauge("weft_episub_wanted_messages", "Messages announced and not received.", func(s episubStats) int { return s.Wants }),
	Counters("weft_episub_tier_changes_total", "Changes of tier, by new tier and reason.", []string{"tier", "reason"}, func(s episubStats, emit Emit) {
		for tier, reasons := range s.Changes {
			for reason, n := range reasons {
				emit(float64(n), tier, strings.NewReplacer(" ", "_", ",", "", "'", "").Replace(reason))
			}
		}
	}),
	Counters("weft_episub_control_total", "GRAFT and PRUNE of the topics we are in.", []string{"direction", "type"}, func(s episubStats, emit Emit) {
		emit(float64(s.Unchokes), "out", "graft")
		emit(float64(s.Chokes), "out", "prune")
		emit(float64(s.Unchoked), "in", "graft")
		emit(float64(s.Choked), "in", "prune")
	}),
	Counter("weft_episub_refused_total", "GRAFTs of ours that the peer did not follow.", func(s episubStats) uint64 { return s.Refused }),
	Counter("weft_episub_announced_total", "Messages announced, each peer counted.", func(s episubStats) uint64 { return s.Announced }),
	Counter("weft_episub_asked_total", "Messages asked for, each request counted.", func(s episubStats) uint64 { return s.Asked }),
	Counter("weft_episub_retried_total", "Requests after the first one for a message.", func(s episubStats) uint64 { return s.Retried }),
	Counter("weft_episub_unanswered_total", "Requests that were not answered in time.", func(s episubStats) uint64 { return s.Unanswered }),
	Counter("weft_episub_given_up_total", "Messages no longer asked for until somebody announces them again.", func(s episubStats) uint64 { return s.GivenUp }),
	Counter("weft_episub_pulled_total", "Messages that came because they were asked for.", func(s episubStats) uint64 { return s.Pulled }),
	Counter("weft_episub_pushed_total", "Copies pushed beyond the mesh: of our own messages, and to plain peers.", func(s episubStats) uint64 { return s.Pushed }),
	Counters("weft_episub_messages_total", "Messages received, the first time and again.", []string{"kind"}, func(s episubStats, emit Emit) {
		emit(float64(s.First), "first")
		emit(float64(s.Copies), "copy")
	}),
	Counter("weft_episub_dropped_total", "Announced messages beyond the limits.", func(s episubStats) uint64 { return s.Dropped }),
}
