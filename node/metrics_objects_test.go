package node_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weftnet/weft/node"
)

// What objects did shows in the metrics.
func TestObjectsAreCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	a := start(t, carrying("blocks"))
	b := start(t, carrying("blocks"), joining(a), func(cfg *node.Config) { cfg.Registry = registry })
	awaitCarriers(t, b, "blocks", 1)
	s := reads(t, b, "blocks", 0)
	first := put(t, a, "blocks", "genesis")
	put(t, a, "blocks", "next", first)
	delivered(t, s)
	delivered(t, s)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"weft_objects_accepted_total": 2, "weft_objects_refused_total invalid": 0, "weft_objects_topic_held blocks": 2,
		"weft_objects_topic_carriers blocks": 1, "weft_objects_topic_last_number blocks": 2, "weft_objects_pending whole": 0,
		"weft_ready": 1,
	} {
		if value, there := got[name]; !there || value != want {
			t.Errorf("%s is %v, want %v", name, value, want)
		}
	}
	objects := slices.DeleteFunc(slices.Collect(maps.Keys(got)), func(name string) bool {
		return !strings.HasPrefix(name, "weft_objects_") && !strings.HasPrefix(name, "weft_fetch_") && !strings.HasPrefix(name, "weft_catchup_")
	})
	if len(objects) < 30 {
		t.Errorf("only %d series of objects: %q", len(objects), objects)
	}
}
