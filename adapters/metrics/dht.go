package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weftnet/weft/adapters/kaddht"
)

// KadDHT is what the DHT counts. The durations of lookups are a histogram that
// the DHT registers itself.
func KadDHT(read func() kaddht.Stats) prometheus.Collector {
	return Group(read,
		Gauge("weft_dht_table_peers", "Peers in the routing table.", func(s kaddht.Stats) int { return s.TableSize }),
		Gauge("weft_dht_network_peers", "Estimated peers of the network; 0 while unknown.", func(s kaddht.Stats) int { return s.NetworkSize }),
		Gauge("weft_dht_provider_records", "Provider records held for others.", func(s kaddht.Stats) int { return s.ProviderRecords }),
		Counters("weft_dht_lookups_total", "Lookups asked for on this node, by kind and result.", []string{"kind", "result"}, emitLookups),
		Counter("weft_dht_lookup_requests_total", "Requests sent by those lookups.", func(s kaddht.Stats) uint64 { return s.Requests }),
		Counter("weft_dht_lookup_answers_total", "Answers received to those requests.", func(s kaddht.Stats) uint64 { return s.Answers }),
		Counter("weft_dht_found_peers_total", "Times that a lookup heard of a peer we are not connected to.", func(s kaddht.Stats) uint64 { return s.Found }),
		Counters("weft_dht_inbound_requests_total", "Requests of other peers, by type.", []string{"type"}, func(s kaddht.Stats, emit Emit) {
			for t, n := range s.Inbound {
				emit(float64(n), strings.ToLower(t))
			}
		}),
	)
}

func emitLookups(s kaddht.Stats, emit Emit) {
	for kind, l := range s.Lookups {
		emit(float64(l.OK), kind, "ok")
		emit(float64(l.NotFound), kind, "not_found")
		emit(float64(l.NoPeers), kind, "no_peers")
		emit(float64(l.Failed), kind, "failed")
	}
}
