package node

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weftnet/weft/adapters/libp2phost"
	"github.com/weftnet/weft/adapters/metrics"
	"github.com/weftnet/weft/node/internal/loop"
	"github.com/weftnet/weft/protocols/discovery"
)

// scrapePatience bounds how long a scrape waits for the loop; chosen well under
// Prometheus' default of 10 s, so that a stuck loop does not hide other metrics.
const scrapePatience = 2 * time.Second

// nodeStats is what the node itself counts.
type nodeStats struct {
	discovery.Stats
	queued        int
	checksQueued  int
	checksDropped uint64
	eventsDropped uint64
	savesDropped  uint64
	malformed     int
	ready         bool
}

func (n *Node) registerMetrics(p *parts) error {
	var errs []error
	all := []prometheus.Collector{
		metrics.Group(p.host.Stats, hostFields...),
		metrics.Group(func() libp2phost.MessageStats { return p.host.Stats().Messages }, messageFields...),
		metrics.Group(func() nodeStats { return n.stats(p) }, slices.Concat(nodeFields, dialingFields, discoveryFields)...),
		metrics.Group(func() objectStats { return n.objectStats(p) }, slices.Concat(objectFields, travelFields)...),
	}
	if p.pubsub != nil {
		all = append(all, metrics.GossipSub(p.pubsub.Stats))
		if n.cfg.Gossip == gossipEpisub {
			all = append(all, metrics.Episub(p.pubsub.EpisubStats))
		}
	}
	if p.dht != nil {
		all = append(all, metrics.KadDHT(p.dht.Stats))
	}
	for _, c := range all {
		errs = append(errs, n.cfg.Registry.Register(c))
	}
	return errors.Join(errs...)
}

func (n *Node) stats(p *parts) nodeStats {
	s := nodeStats{
		queued: p.loop.Queued(), eventsDropped: p.loop.Dropped(),
		checksQueued: p.workers.Queued(), checksDropped: p.workers.Dropped(),
		savesDropped: p.savesDropped.Load(), malformed: p.store.Malformed(), ready: n.Ready() == nil,
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapePatience)
	defer cancel()
	if asked, err := loop.Ask(ctx, p.loop, func(time.Time) discovery.Stats { return p.discovery.Stats() }); err == nil {
		s.Stats = asked
	}
	return s
}

var hostFields = []metrics.Field[libp2phost.Stats]{
	metrics.Gauge("weft_host_peers", "Connected peers.", func(s libp2phost.Stats) int { return s.Peers }),
	metrics.Gauge("weft_host_admitted_peers", "Connected peers that pubsub and the DHT see.", func(s libp2phost.Stats) int { return s.Admitted }),
	metrics.Gauge("weft_host_guests", "Peers that found no place and stay for a moment.", func(s libp2phost.Stats) int { return s.Guests }),
	metrics.Gauge("weft_host_held_streams", "Inbound streams that wait for their peer's admission.", func(s libp2phost.Stats) int { return s.Held }),
	metrics.Gauge("weft_host_buffered_bytes", "Memory held by incomplete large messages.", func(s libp2phost.Stats) int { return s.BufferedBytes }),
	metrics.Gauge("weft_host_queued_events", "Connection events that wait for the protocol loop.", func(s libp2phost.Stats) int { return s.EventsQueued }),
	metrics.Counters("weft_host_refused_connections_total", "Connections refused, by reason.", []string{"reason"}, func(s libp2phost.Stats, emit metrics.Emit) {
		for reason, count := range s.Refused {
			emit(float64(count), reason)
		}
	}),
	metrics.Counters("weft_host_reset_streams_total", "Inbound streams reset, by reason.", []string{"reason"}, func(s libp2phost.Stats, emit metrics.Emit) {
		emit(float64(s.HeldRefused), "held_too_many")
		emit(float64(s.HeldExpired), "not_admitted")
		emit(float64(s.OversizeMessages), "oversize")
		emit(float64(s.MalformedMessages), "malformed")
		emit(float64(s.SlowMessages), "slow")
		emit(float64(s.StarvedMessages), "memory")
		emit(float64(s.EvictedMessages), "evicted")
	}),
	metrics.Counter("weft_host_received_bytes_total", "Bytes received on all streams.", func(s libp2phost.Stats) uint64 { return s.ReceivedBytes }),
	metrics.Counter("weft_host_sent_bytes_total", "Bytes sent on all streams.", func(s libp2phost.Stats) uint64 { return s.SentBytes }),
	metrics.Counter("weft_host_dials_total", "Dials begun, those that the owner asked for included.", func(s libp2phost.Stats) uint64 { return s.DialsStarted }),
	metrics.Counter("weft_host_failed_dials_total", "Dials that failed.", func(s libp2phost.Stats) uint64 { return s.DialsFailed }),
}

var nodeFields = []metrics.Field[nodeStats]{
	metrics.Gauge("weft_ready", "1 when every health check passes, else 0.", func(s nodeStats) int {
		if s.ready {
			return 1
		}
		return 0
	}),
	metrics.Gauge("weft_loop_queued_events", "Events that wait for the protocol loop.", func(s nodeStats) int { return s.queued }),
	metrics.Counter("weft_loop_dropped_events_total", "Repeatable events dropped because the protocol loop was busy.", func(s nodeStats) uint64 { return s.eventsDropped }),
	metrics.Counter("weft_store_dropped_records_total", "Records not kept because the disk was behind.", func(s nodeStats) uint64 { return s.savesDropped }),
	metrics.Gauge("weft_store_malformed_records", "Records of the store left out at the start because they cannot be read.", func(s nodeStats) int { return s.malformed }),
	metrics.Gauge("weft_loop_queued_checks", "Signature checks that wait for a worker.", func(s nodeStats) int { return s.checksQueued }),
	metrics.Counter("weft_loop_dropped_checks_total", "Signature checks dropped because too many waited.", func(s nodeStats) uint64 { return s.checksDropped }),
}

var dialingFields = []metrics.Field[nodeStats]{
	metrics.Gauge("weft_dialing_known_peers", "Peers that the node knows of, connected or not.", func(s nodeStats) int { return s.Dialing.Known }),
	metrics.Gauges("weft_dialing_links", "Links and attempts, by state.", []string{"state"}, func(s nodeStats, emit metrics.Emit) {
		emit(float64(s.Dialing.Dialling), "dialling")
		emit(float64(s.Dialing.Inbound), "inbound")
		emit(float64(s.Dialing.Outbound), "outbound")
		emit(float64(s.Dialing.Both), "both")
	}),
	metrics.Gauge("weft_dialing_bootstrappers", "Bootstrappers configured.", func(s nodeStats) int { return s.Dialing.Bootstrappers }),
	metrics.Gauge("weft_dialing_bootstrappers_connected", "Bootstrappers connected.", func(s nodeStats) int { return s.Dialing.BootstrapConnected }),
	metrics.Gauge("weft_dialing_validators", "Validators to stay connected to.", func(s nodeStats) int { return s.Dialing.Validators }),
	metrics.Gauge("weft_dialing_validators_connected", "Validators connected.", func(s nodeStats) int { return s.Dialing.ValidatorsConnected }),
	metrics.Counter("weft_dialing_dials_total", "Dials that the node chose to begin.", func(s nodeStats) uint64 { return s.Dialing.Dials }),
	metrics.Counter("weft_dialing_failed_dials_total", "Dials that brought no connection.", func(s nodeStats) uint64 { return s.Dialing.Failed + s.Dialing.Swept }),
	metrics.Counter("weft_dialing_dial_backs_total", "Dials to peers that had dialled this node.", func(s nodeStats) uint64 { return s.Dialing.DialBacks }),
	metrics.Counter("weft_dialing_rejected_total", "Handshakes that failed, on either side.", func(s nodeStats) uint64 { return s.Dialing.Rejected }),
	metrics.Counter("weft_dialing_postponed_dials_total", "Dials put off because their IP is dialled too often.", func(s nodeStats) uint64 { return s.Dialing.Postponed }),
	metrics.Counter("weft_dialing_left_out_addresses_total", "Addresses not dialled because their IP is dialled too often.", func(s nodeStats) uint64 { return s.Dialing.LeftOut }),
	metrics.Counter("weft_dialing_forgotten_total", "Candidates forgotten after failing too often.", func(s nodeStats) uint64 { return s.Dialing.Forgotten }),
	metrics.Counter("weft_dialing_evicted_total", "Candidates that made room for others.", func(s nodeStats) uint64 { return s.Dialing.Evicted }),
	metrics.Counter("weft_dialing_refused_total", "Candidates for whom there was no room.", func(s nodeStats) uint64 { return s.Dialing.Refused }),
}
