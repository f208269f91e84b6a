package metrics_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/weftnet/weft/adapters/gossipsub"
	"github.com/weftnet/weft/adapters/kaddht"
	"github.com/weftnet/weft/adapters/metrics"
)

func pubsubStats() gossipsub.Stats {
	return gossipsub.Stats{
		Peers: 3, Topics: 1, Published: 5, Rejected: map[string]uint64{"invalid signature": 2},
		Received: gossipsub.Traffic{IHave: 7}, Sent: gossipsub.Traffic{Graft: 1},
		ByTopic: map[string]gossipsub.TopicStats{
			"news":                {Delivered: 4, BytesIn: 400},
			"bad\xff":             {},
			gossipsub.OtherTopics: {BytesOut: 9},
		},
	}
}

func dhtStats() kaddht.Stats {
	return kaddht.Stats{
		TableSize: 20, Lookups: map[string]kaddht.LookupStats{"find_peer": {OK: 6, NotFound: 1}},
		Inbound: map[string]uint64{"FIND_NODE": 8},
	}
}

func node() *prometheus.Registry {
	reg := metrics.New("v1.2.3")
	reg.MustRegister(metrics.GossipSub(pubsubStats), metrics.KadDHT(dhtStats))
	return reg
}

// Every metric of ours must pass Prometheus's own linter; those of the runtime
// are not ours to name.
func TestNamesFollowPrometheusConventions(t *testing.T) {
	families, err := node().Gather()
	if err != nil {
		t.Fatal(err)
	}
	ours := 0
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "weft_") {
			ours++
		}
	}
	if ours < 25 {
		t.Fatalf("only %d metrics named weft_*", ours)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "weft_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestStatsBecomeSamples(t *testing.T) {
	want := `
# HELP weft_dht_lookups_total Lookups asked for on this node, by kind and result.
# TYPE weft_dht_lookups_total counter
weft_dht_lookups_total{kind="find_peer",result="failed"} 0
weft_dht_lookups_total{kind="find_peer",result="no_peers"} 0
weft_dht_lookups_total{kind="find_peer",result="not_found"} 1
weft_dht_lookups_total{kind="find_peer",result="ok"} 6
# HELP weft_pubsub_peers Peers with a pubsub stream.
# TYPE weft_pubsub_peers gauge
weft_pubsub_peers 3
# HELP weft_pubsub_rejected_messages_total Messages of others that were not accepted, by reason.
# TYPE weft_pubsub_rejected_messages_total counter
weft_pubsub_rejected_messages_total{reason="invalid_signature"} 2
# HELP weft_pubsub_topic_payload_bytes_total Payload by topic, each copy counted.
# TYPE weft_pubsub_topic_payload_bytes_total counter
weft_pubsub_topic_payload_bytes_total{direction="in",topic="_other"} 0
weft_pubsub_topic_payload_bytes_total{direction="in",topic="bad�"} 0
weft_pubsub_topic_payload_bytes_total{direction="in",topic="news"} 400
weft_pubsub_topic_payload_bytes_total{direction="out",topic="_other"} 9
weft_pubsub_topic_payload_bytes_total{direction="out",topic="bad�"} 0
weft_pubsub_topic_payload_bytes_total{direction="out",topic="news"} 0
`
	err := testutil.GatherAndCompare(node(), strings.NewReader(want),
		"weft_dht_lookups_total", "weft_pubsub_peers", "weft_pubsub_rejected_messages_total", "weft_pubsub_topic_payload_bytes_total")
	if err != nil {
		t.Error(err)
	}
}

func TestTwoNodesHaveRegistriesOfTheirOwn(t *testing.T) {
	for range 2 {
		if _, err := node().Gather(); err != nil {
			t.Error(err)
		}
	}
}

func TestAStatsStructIsReadOncePerScrape(t *testing.T) {
	reads := 0
	g := metrics.Group(func() int { reads++; return reads },
		metrics.Gauge("weft_a", "A.", func(s int) int { return s }),
		metrics.Counter("weft_b_total", "B.", func(s int) int { return s }))
	if n := testutil.CollectAndCount(g); n != 2 || reads != 1 {
		t.Errorf("%d samples by %d reads, want 2 by 1", n, reads)
	}
}

func TestAMistakeInAFieldFailsTheScrapeOnly(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(metrics.Group(func() int { return 1 },
		metrics.Counters("weft_x_total", "X.", []string{"one", "two"}, func(s int, emit metrics.Emit) { emit(1, "only one") })))
	_, err := reg.Gather()
	if err == nil || errors.Is(err, prometheus.AlreadyRegisteredError{}) {
		t.Errorf("Gather() = %v, want an error that names the labels", err)
	}
}
