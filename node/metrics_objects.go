package node

import (
	"context"
	"time"

	"github.com/weftnet/weft/adapters/gossipsub"
	"github.com/weftnet/weft/adapters/metrics"
	"github.com/weftnet/weft/node/internal/loop"
	"github.com/weftnet/weft/protocols/dissemination"
	"github.com/weftnet/weft/protocols/infect"
)

// maxTopicSeries bounds the topics that have series of their own, the first by name;
// further ones are summed up.
const maxTopicSeries = gossipsub.MaxTopicStats

// objectStats is what the objects' protocols count.
type objectStats struct {
	dissemination.Stats
	topics     []dissemination.TopicState
	overdue    int
	publishing int
}

func (n *Node) objectStats(p *parts) (s objectStats) {
	open, running := p.objects.court.overdue(time.Now())
	s.overdue, s.publishing = open+running, p.objects.publishes.Len()
	ctx, cancel := context.WithTimeout(context.Background(), scrapePatience)
	defer cancel()
	if asked, err := loop.Ask(ctx, p.loop, func(now time.Time) objectStats {
		return objectStats{Stats: p.dissemination.Stats(), topics: fewTopics(p.dissemination.Topics(now))}
	}); err == nil {
		s.Stats, s.topics = asked.Stats, asked.topics
	}
	return s
}

// fewTopics sums up what is beyond the bound on series.
func fewTopics(all []dissemination.TopicState) []dissemination.TopicState {
	if len(all) <= maxTopicSeries {
		return all
	}
	rest := dissemination.TopicState{Topic: dissemination.Topic{Name: gossipsub.OtherTopics}}
	for _, t := range all[maxTopicSeries:] {
		rest.Objects, rest.Bytes, rest.Pruned = rest.Objects+t.Objects, rest.Bytes+t.Bytes, rest.Pruned+t.Pruned
		rest.Judging, rest.Last = rest.Judging+t.Judging, rest.Last+t.Last
		rest.Carriers = max(rest.Carriers, t.Carriers)
	}
	return append(all[:maxTopicSeries:maxTopicSeries], rest)
}

var objectFields = []metrics.Field[objectStats]{
	metrics.Counter("weft_objects_accepted_total", "Objects that became valid here: kept, and delivered.", func(s objectStats) uint64 { return s.Accepted }),
	metrics.Counter("weft_objects_repeated_total", "Objects that came again.", func(s objectStats) uint64 { return s.Repeated }),
	metrics.Counter("weft_objects_paused_total", "Objects that had to wait for what they depend on.", func(s objectStats) uint64 { return s.Paused }),
	metrics.Counters("weft_objects_refused_total", "Objects refused, by reason; those refused for no_room or unjudged come again.", []string{"reason"}, func(s objectStats, emit metrics.Emit) {
		emit(float64(s.Invalid), "invalid")
		emit(float64(s.Unauthorised), "unauthorised")
		emit(float64(s.Ignored), "ignored")
		emit(float64(s.Unjudged), "unjudged")
		emit(float64(s.NoRoom), "no_room")
		emit(float64(s.Pending.TooDeep), "too_deep")
	}),
	metrics.Counters("weft_objects_expired_total", "Waiting objects that were given up, by reason.", []string{"reason"}, func(s objectStats, emit metrics.Emit) {
		emit(float64(s.Pending.TooOld), "too_old")
		emit(float64(s.Pending.NotFound), "not_found")
	}),
	metrics.Counter("weft_objects_missed_total", "Objects that pubsub dropped unseen, and that are fetched in its place.", func(s objectStats) uint64 { return s.Missed }),
	metrics.Counter("weft_objects_not_passed_total", "Objects that infection gossip or broadcast had no room for; others pull them.", func(s objectStats) uint64 { return s.NotPassed }),
	metrics.Counter("weft_objects_pruned_total", "Objects whose bytes are not kept any more.", func(s objectStats) uint64 { return s.Pruned }),
	metrics.Counter("weft_objects_faults_total", "Offences that peers committed with objects.", func(s objectStats) uint64 { return s.Faults }),

	metrics.Gauge("weft_objects_judging", "Objects that wait for the application.", func(s objectStats) int { return s.Judging }),
	metrics.Gauge("weft_objects_overdue", "Of them, those that the application has had for longer than 30 s.", func(s objectStats) int { return s.overdue }),
	metrics.Gauge("weft_objects_unsaved_bytes", "Bytes of accepted objects that are not on disk yet.", func(s objectStats) int { return s.Unsaved }),
	metrics.Gauge("weft_objects_publishing", "Objects that wait to be pushed along a mesh.", func(s objectStats) int { return s.publishing }),
	metrics.Gauges("weft_objects_pending", "Objects that wait for others: whole, or their IDs alone for want of room.", []string{"kept"}, func(s objectStats, emit metrics.Emit) {
		emit(float64(s.Pending.Waiting), "whole")
		emit(float64(s.Pending.Parked), "parked")
	}),
	metrics.Gauge("weft_objects_pending_bytes", "Memory of objects that wait for others.", func(s objectStats) int { return s.Pending.Bytes }),
	metrics.Gauge("weft_objects_missing", "Objects that others wait for.", func(s objectStats) int { return s.Pending.Missing }),

	metrics.Gauges("weft_objects_topic_held", "Objects held, by topic.", []string{"topic"}, byTopic(func(t dissemination.TopicState) float64 { return float64(t.Objects) })),
	metrics.Gauges("weft_objects_topic_held_bytes", "Bytes of the objects held, by topic.", []string{"topic"}, byTopic(func(t dissemination.TopicState) float64 { return float64(t.Bytes) })),
	metrics.Gauges("weft_objects_topic_pruned", "IDs that are kept of pruned objects, and anchors, by topic.", []string{"topic"}, byTopic(func(t dissemination.TopicState) float64 { return float64(t.Pruned) })),
	metrics.Gauges("weft_objects_topic_carriers", "Members that carry it, too, by topic.", []string{"topic"}, byTopic(func(t dissemination.TopicState) float64 { return float64(t.Carriers) })),
	metrics.Gauges("weft_objects_topic_last_number", "Sequence number of the last delivery, by topic.", []string{"topic"}, byTopic(func(t dissemination.TopicState) float64 { return float64(t.Last) })),
}

func byTopic(read func(dissemination.TopicState) float64) func(objectStats, metrics.Emit) {
	return func(s objectStats, emit metrics.Emit) {
		for _, t := range s.topics {
			emit(read(t), t.Name)
		}
	}
}

// travelFields are the protocols that move objects.
var travelFields = []metrics.Field[objectStats]{
	metrics.Counters("weft_fetch_wants_total", "Objects asked of others, by how that ended.", []string{"result"}, func(s objectStats, emit metrics.Emit) {
		emit(float64(s.Fetch.Accepted), "got")
		emit(float64(s.Fetch.Exhausted), "nobody_gave")
		emit(float64(s.Fetch.Cancelled), "not_needed")
		emit(float64(s.Fetch.Full), "no_room")
	}),
	metrics.Counters("weft_fetch_requests_total", "Requests of ours, by what came.", []string{"answer"}, func(s objectStats, emit metrics.Emit) {
		emit(float64(s.Fetch.Found), "found")
		emit(float64(s.Fetch.NotFound), "not_found")
		emit(float64(s.Fetch.Refused), "refused")
		emit(float64(s.Fetch.Pruned), "pruned")
		emit(float64(s.Fetch.TimedOut), "timed_out")
		emit(float64(s.Fetch.Gone), "disconnected")
		emit(float64(s.Fetch.Wrong), "wrong_bytes")
	}),
	metrics.Counter("weft_fetch_answer_seconds_total", "Time until answers came; divide by the answers in time.", func(s objectStats) float64 { return s.Fetch.Latency.Seconds() }),
	metrics.Counter("weft_fetch_answers_in_time_total", "Answers that came in time.", func(s objectStats) uint64 { return s.Fetch.Answers }),
	metrics.Counter("weft_fetch_received_bytes_total", "Bytes of objects fetched.", func(s objectStats) uint64 { return s.Fetch.BytesIn }),
	metrics.Gauge("weft_fetch_open", "Objects that are being asked for.", func(s objectStats) int { return s.Fetch.Open }),
	metrics.Counters("weft_fetch_served_total", "Requests of others, by our answer.", []string{"answer"}, func(s objectStats, emit metrics.Emit) {
		emit(float64(s.Fetch.GaveFound), "found")
		emit(float64(s.Fetch.GaveNotFound), "not_found")
		emit(float64(s.Fetch.GaveRefused+s.Fetch.Silent), "refused")
		emit(float64(s.Fetch.GavePruned), "pruned")
	}),
	metrics.Counter("weft_fetch_served_bytes_total", "Bytes of objects given to others.", func(s objectStats) uint64 { return s.Fetch.BytesOut }),

	metrics.Counters("weft_catchup_pulls_total", "Pulls of what others hold, by why they began.", []string{"why"}, func(s objectStats, emit metrics.Emit) {
		emit(float64(s.Catchup.Rounds), "round")
		emit(float64(s.Catchup.Deep), "deep_round")
		emit(float64(s.Catchup.Joins), "joined")
		emit(float64(s.Catchup.Welcomes), "new_carrier")
	}),
	metrics.Counters("weft_catchup_pulls_ended_total", "Pulls that ended, by how.", []string{"result"}, func(s objectStats, emit metrics.Emit) {
		emit(float64(s.Catchup.Finished), "finished")
		emit(float64(s.Catchup.Broken), "broken")
	}),
	metrics.Counter("weft_catchup_missing_total", "Objects that others told of and that might be missing here.", func(s objectStats) uint64 { return s.Catchup.Missing }),
	metrics.Gauge("weft_catchup_topics_alone", "Topics that no connected member carries.", func(s objectStats) int { return s.Catchup.Alone }),

	metrics.Counters("weft_object_gossip_offers_total", "Objects offered by infection gossip, by what others had.", []string{"answer"}, func(s objectStats, emit metrics.Emit) { emitOffers(s.Infect, emit) }),
	metrics.Counters("weft_object_gossip_ended_total", "Objects passed on by infection gossip, by why that ended.", []string{"why"}, func(s objectStats, emit metrics.Emit) {
		emit(float64(s.Infect.ByInfection), "infected")
		emit(float64(s.Infect.BySaturation), "saturated")
		emit(float64(s.Infect.ByAttempts), "attempts")
		emit(float64(s.Infect.ByPeers), "no_more_peers")
	}),
	metrics.Counters("weft_broadcasts_total", "Objects broadcast here, and heard from others.", []string{"direction"}, func(s objectStats, emit metrics.Emit) {
		emit(float64(s.Broadcast.Broadcasts), "sent")
		emit(float64(s.Broadcast.Heard), "heard")
	}),
	metrics.Counters("weft_broadcasts_held_back_total", "Broadcasts beyond the bound on their rate, ours and those of others.", []string{"direction"}, func(s objectStats, emit metrics.Emit) {
		emit(float64(s.Broadcast.Held), "ours")
		emit(float64(s.Broadcast.TooOften), "theirs")
	}),
}

func emitOffers(s infect.Stats, emit metrics.Emit) {
	emit(float64(s.Infected), "new")
	emit(float64(s.Already), "already")
	emit(float64(s.Refused), "refused")
	emit(float64(s.TimedOut), "timed_out")
}
