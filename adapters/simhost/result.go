package simhost

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Times are percentiles of delivery times, in ms.
type Times struct {
	P50, P95, P99, Max   float64
	Within200, Within600 float64 // share of them within that many ms
}

// Result is what one strategy did in one world.
type Result struct {
	Strategy string
	Seed     int64

	Times       // of the measured messages
	Cold  Times // of the messages before these

	Deliveries int // of measured messages
	Expected   int // of these: to nodes that lived long enough; times are of those only
	Missing    []string
	Twice      int // deliveries of the same message to the same node again

	Copies  float64 // received in full, per delivery
	Wire    float64 // bytes of packets per delivered byte
	Control float64 // bytes per delivery
	CPU     float64 // ms of real CPU per delivery, all hosts and the network together

	Eager, Lazy        float64 // tier sizes at the end, mean
	EagerMin, EagerMax int
	Pushed             float64 // share of deliveries that nobody had asked for
	Pushed200          float64 // share of deliveries that were pushed, and within 200 ms

	Joining Traffic // until the first message
	Traffic Traffic // of the measured messages

	Curve       []float64 `json:",omitempty"` // delivery times in ms, curvePoints quantiles of them
	CurveDirect []float64 `json:",omitempty"`
	CurveFlood  []float64 `json:",omitempty"`
	messages    []message // those measured
	Direct      Times     // one hop
	Flood       Times     // the fastest way over the connections
}

// message is what became of one.
type message struct {
	send
	took  []float64 // ms, by node; 0: it did not get there, or came from there
	flood []time.Duration
}

// Complete says whether every living node got every message, warm-up included, once.
func (r Result) Complete() bool { return len(r.Missing) == 0 && r.Twice == 0 }

// curvePoints is how many quantiles describe a curve: chosen for a smooth plot.
const curvePoints = 200

func (s *simulation) result() Result {
	end := s.count()
	r := Result{Strategy: s.strategy.Name, Seed: s.world.Config.Seed, Joining: s.joined, Traffic: end.traffic.minus(s.base.traffic)}
	s.deliver.mu.Lock()
	defer s.deliver.mu.Unlock()
	var hot, cold, direct, fastest []float64
	for i, sent := range s.world.sends {
		times := s.times(i, &r)
		if !sent.measured {
			cold = append(cold, times...)
			continue
		}
		flood := s.world.flood(sent.by)
		hot = append(hot, times...)
		direct = append(direct, s.bound(sent, s.world.direct(sent.by))...)
		fastest = append(fastest, s.bound(sent, flood)...)
		r.messages = append(r.messages, message{send: sent, took: s.took(i), flood: flood})
	}
	r.Times, r.Cold, r.Direct, r.Flood = percentiles(hot), percentiles(cold), percentiles(direct), percentiles(fastest)
	r.Curve, r.CurveDirect, r.CurveFlood = curve(hot), curve(direct), curve(fastest)
	r.Pushed, r.Pushed200 = r.Pushed/float64(max(1, len(hot))), r.Pushed200/float64(max(1, len(hot)))
	r.Twice = s.deliver.twice
	per := 1 / float64(max(1, r.Deliveries))
	r.Copies, r.Control = float64(r.Traffic.Copies)*per, float64(r.Traffic.ControlBytes)*per
	r.Wire = float64(end.wire-s.base.wire) * per / float64(s.world.Config.Size)
	r.CPU = (end.cpu - s.base.cpu).Seconds() * 1000 * per
	s.tiers(&r)
	return r
}

// times are the delivery times of a message to living nodes, in ms. It notes what
// is missing.
func (s *simulation) times(message int, r *Result) (times []float64) {
	sent := s.world.sends[message]
	for node, at := range s.deliver.got[message] {
		must := node != sent.by && s.world.living(node, sent.at)
		if sent.measured {
			r.Expected += btoi(must)
			r.Deliveries += btoi(!at.IsZero())
		}
		switch {
		case must && !at.IsZero():
			t := ms(at.Sub(s.deliver.sent[message]))
			times = append(times, t)
			pushed := sent.measured && !s.meter.origins.pulled(message, s.ids[node])
			r.Pushed += float64(btoi(pushed))
			r.Pushed200 += float64(btoi(pushed && t < target))
		case must:
			r.Missing = append(r.Missing, fmt.Sprintf("message %d of node %d at node %d", message, sent.by, node))
		}
	}
	return times
}

// took is what the delivery of a message took, by node.
func (s *simulation) took(i int) []float64 {
	took := make([]float64, len(s.nodes))
	for node, at := range s.deliver.got[i] {
		if !at.IsZero() {
			took[node] = ms(at.Sub(s.deliver.sent[i]))
		}
	}
	return took
}

// target is within how many ms the eager tier is to deliver (seed: Basalt).
const target = 200

// bound are the times to those nodes that have to have a message.
func (s *simulation) bound(sent send, at []time.Duration) (times []float64) {
	for node, t := range at {
		if node != sent.by && s.world.living(node, sent.at) {
			times = append(times, ms(t))
		}
	}
	return times
}

func (s *simulation) tiers(r *Result) {
	living := 0
	r.EagerMin = math.MaxInt
	for _, n := range s.nodes {
		if n == nil {
			continue
		}
		eager, lazy := n.stack.Tiers(topic)
		living++
		r.Eager, r.Lazy = r.Eager+float64(eager), r.Lazy+float64(lazy)
		r.EagerMin, r.EagerMax = min(r.EagerMin, eager), max(r.EagerMax, eager)
	}
	r.Eager, r.Lazy = r.Eager/float64(living), r.Lazy/float64(living)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func percentiles(times []float64) Times {
	slices.Sort(times)
	return Times{
		P50: quantile(times, 0.5), P95: quantile(times, 0.95), P99: quantile(times, 0.99), Max: quantile(times, 1),
		Within200: within(times, target), Within600: within(times, 600),
	}
}

// quantile is the smallest of sorted values that a share of all does not exceed.
func quantile(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}

func curve(sorted []float64) (points []float64) {
	for i := range curvePoints {
		points = append(points, quantile(sorted, float64(i+1)/curvePoints))
	}
	return points
}

func within(sorted []float64, limit float64) float64 {
	n, _ := slices.BinarySearch(sorted, limit)
	return float64(n) / float64(max(1, len(sorted)))
}
