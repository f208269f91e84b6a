package main

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// gathered is what a node's metrics say.
type gathered map[string]*dto.MetricFamily

func gather(r *prometheus.Registry) gathered {
	families, err := r.Gather()
	if err != nil {
		panic(err) // two metrics clash
	}
	g := gathered{}
	for _, f := range families {
		g[f.GetName()] = f
	}
	return g
}

// sum adds the counters of a name that have a label, or all without one.
func (g gathered) sum(name, label, value string) (sum float64) {
	for _, m := range g[name].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == label && l.GetValue() == value {
				sum += m.GetCounter().GetValue()
			}
		}
		if label == "" {
			sum += m.GetCounter().GetValue()
		}
	}
	return sum
}
