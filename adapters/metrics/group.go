package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Number is what a stats field can be.
type Number interface {
	~int | ~int32 | ~int64 | ~uint | ~uint32 | ~uint64 | ~float64
}

// Emit takes one sample, with a value for each of the field's labels.
type Emit func(value float64, labels ...string)

// Field is one metric of a stats struct S.
type Field[S any] struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(S, Emit)
}

// Counter is a field that only grows. Its name ends in _total.
func Counter[S any, N Number](name, help string, read func(S) N) Field[S] {
	return single(name, help, prometheus.CounterValue, read)
}

// Gauge is a field that goes up and down.
func Gauge[S any, N Number](name, help string, read func(S) N) Field[S] {
	return single(name, help, prometheus.GaugeValue, read)
}

// Counters is a field with labels, each sample of which only grows.
func Counters[S any](name, help string, labels []string, read func(S, Emit)) Field[S] {
	return Field[S]{prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue, read}
}

// Gauges is a field with labels, the samples of which go up and down.
func Gauges[S any](name, help string, labels []string, read func(S, Emit)) Field[S] {
	return Field[S]{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue, read}
}

func single[S any, N Number](name, help string, kind prometheus.ValueType, read func(S) N) Field[S] {
	return Field[S]{prometheus.NewDesc(name, help, nil, nil), kind, func(s S, emit Emit) { emit(float64(read(s))) }}
}

// Group is a collector that calls read once per scrape, so that its fields are of
// one moment.
func Group[S any](read func() S, fields ...Field[S]) prometheus.Collector {
	return group[S]{read, fields}
}

type group[S any] struct {
	read   func() S
	fields []Field[S]
}

func (g group[S]) Describe(out chan<- *prometheus.Desc) {
	for _, f := range g.fields {
		out <- f.desc
	}
}

func (g group[S]) Collect(out chan<- prometheus.Metric) {
	s := g.read()
	for _, f := range g.fields {
		f.read(s, func(value float64, labels ...string) { out <- f.sample(value, labels) })
	}
}

// sample makes a metric; a mistake in a field becomes an error of the scrape, not
// a panic of the node.
func (f Field[S]) sample(value float64, labels []string) prometheus.Metric {
	for i, l := range labels {
		labels[i] = strings.ToValidUTF8(l, "\uFFFD")
	}
	m, err := prometheus.NewConstMetric(f.desc, f.kind, value, labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(f.desc, err)
	}
	return m
}
