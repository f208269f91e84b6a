package node

import (
	"github.com/weftnet/weft/adapters/metrics"
	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/handshake"
)

var discoveryFields = []metrics.Field[nodeStats]{
	metrics.Gauges("weft_peers", "Connected peers, by what they are to us.", []string{"role"}, func(s nodeStats, emit metrics.Emit) {
		emit(float64(s.Members), "member")
		emit(float64(s.Plain), "plain")
		emit(float64(s.Connected-s.Members-s.Plain), "joining")
	}),
	metrics.Gauge("weft_validators", "Validators in the set, those named by key once they have proved it.", func(s nodeStats) int { return s.Validators }),
	metrics.Counter("weft_handshakes_total", "Handshakes that both sides completed.", func(s nodeStats) uint64 { return s.Handshake.Completed }),
	metrics.Counters("weft_handshake_refusals_total", "Handshakes refused, by reason and by whom.", []string{"reason", "by"}, emitRefusals),
	metrics.Counter("weft_handshake_early_messages_total", "Messages skipped because they came before the handshake.", func(s nodeStats) uint64 { return s.Handshake.TooEarly }),
	metrics.Counter("weft_asymmetric_peers_total", "Peers dropped because the connection was not symmetric in time.", func(s nodeStats) uint64 { return s.Asymmetric }),
	metrics.Counter("weft_plain_refused_total", "Plain libp2p peers dropped because their places were taken.", func(s nodeStats) uint64 { return s.PlainRefused }),

	metrics.Gauge("weft_claims", "Signed address claims of others in the book.", func(s nodeStats) int { return s.Claims.Known }),
	metrics.Counters("weft_claims_taken_total", "Claims taken into the book: of new peers, or newer ones of known peers.", []string{"kind"}, func(s nodeStats, emit metrics.Emit) {
		emit(float64(s.Claims.Added), "added")
		emit(float64(s.Claims.Renewed), "renewed")
	}),
	metrics.Counters("weft_claims_dropped_total", "Claims dropped from the book.", []string{"why"}, func(s nodeStats, emit metrics.Emit) {
		emit(float64(s.Claims.Evicted), "displaced")
		emit(float64(s.Claims.Expired), "expired")
	}),
	metrics.Counters("weft_claims_refused_total", "Claims refused, by reason.", []string{"reason"}, func(s nodeStats, emit metrics.Emit) {
		for r := claim.Reason(1); r < claim.NumReasons; r++ {
			emit(float64(s.Claims.Refused[r]), r.Label())
		}
	}),

	metrics.Counters("weft_peerlist_questions_total", "Questions for claims: ours, those of others that we answered, and ours without an answer.", []string{"kind"}, func(s nodeStats, emit metrics.Emit) {
		emit(float64(s.PeerList.Asked), "asked")
		emit(float64(s.PeerList.Answered), "answered")
		emit(float64(s.PeerList.TimedOut), "timed_out")
	}),
	metrics.Counter("weft_peerlist_learned_total", "Claims learnt from answers.", func(s nodeStats) uint64 { return s.PeerList.Learned }),
	metrics.Gauge("weft_peerlist_filter_bytes", "Size of the Bloom filter of known claims.", func(s nodeStats) int { return s.PeerList.FilterBytes }),
	metrics.Gauge("weft_peerlist_filter_false_positives", "Measured rate of false positives of that filter.", func(s nodeStats) float64 { return s.PeerList.FalsePositives }),
	metrics.Counter("weft_peerlist_filter_rebuilds_total", "Rebuilds of that filter with a new salt.", func(s nodeStats) uint64 { return s.PeerList.Rebuilds }),

	metrics.Counters("weft_claim_gossip_offers_total", "Claims offered to others, by what they had.", []string{"answer"}, func(s nodeStats, emit metrics.Emit) {
		emit(float64(s.Gossip.Infected), "new")
		emit(float64(s.Gossip.Already), "already")
		emit(float64(s.Gossip.Refused), "refused")
		emit(float64(s.Gossip.TimedOut), "timed_out")
	}),
	metrics.Counter("weft_claim_gossip_received_total", "Claims that came by gossip and were new and good.", func(s nodeStats) uint64 { return s.Gossiped }),

	metrics.Counter("weft_uptime_pings_total", "Uptime pings sent.", func(s nodeStats) uint64 { return s.Uptime.Pings }),
	metrics.Counter("weft_uptime_missed_total", "Uptime pings without a pong in time.", func(s nodeStats) uint64 { return s.Uptime.Missed }),
	metrics.Counter("weft_uptime_silent_total", "Peers disconnected because they showed no life.", func(s nodeStats) uint64 { return s.Uptime.Silent }),
	metrics.Gauges("weft_uptime_observed_ratio", "What the others say of this node's uptime, 0 to 1; absent when nobody said anything.", nil, func(s nodeStats, emit metrics.Emit) {
		if s.IsObserved {
			emit(float64(s.Observed) / 10_000)
		}
	}),

	metrics.Counters("weft_offences_total", "Offences of peers, by kind.", []string{"offence"}, func(s nodeStats, emit metrics.Emit) {
		for o, count := range s.Reputation.Offences {
			emit(float64(count), string(o))
		}
	}),
	metrics.Counters("weft_bans_total", "Bans set, by what they are about.", []string{"of"}, func(s nodeStats, emit metrics.Emit) {
		emit(float64(s.Reputation.Bans-s.Reputation.GroupBans), "peer")
		emit(float64(s.Reputation.GroupBans), "group")
	}),
	metrics.Gauges("weft_bans", "Bans in force or remembered, by what they are about.", []string{"of"}, func(s nodeStats, emit metrics.Emit) {
		emit(float64(s.Reputation.Banned), "peer")
		emit(float64(s.Reputation.BannedGroups), "group")
	}),
	metrics.Counter("weft_group_bans_averted_total", "IP groups with enough offenders that were not banned, since a peer there behaves well.", func(s nodeStats) uint64 { return s.Reputation.Shielded }),
	metrics.Counters("weft_rewards_total", "What peers did well: messages brought first, valid objects.", []string{"for"}, func(s nodeStats, emit metrics.Emit) {
		emit(float64(s.Reputation.Rewarded[0]), "delivery")
		emit(float64(s.Reputation.Rewarded[1]), "object")
	}),
	metrics.Counter("weft_late_copies_total", "Copies of gossiped messages that came after the first.", func(s nodeStats) uint64 { return s.Reputation.Late }),
}

func emitRefusals(s nodeStats, emit metrics.Emit) {
	for i := range s.Handshake.RefusedByUs {
		reason := handshake.Reason(i).String()
		emit(float64(s.Handshake.RefusedByUs[i]), reason, "us")
		emit(float64(s.Handshake.RefusedByThem[i]), reason, "them")
	}
}
