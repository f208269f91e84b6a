package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// row is one quantity of the table.
type row struct {
	name string
	unit string
	when func(Result) bool // whether a result tells of it
	of   func(Result) float64
	// goal is the largest share of AvalancheGo's figure that is still good, and
	// limit the largest figure; 0 means that there is no such goal.
	goal, limit func(n int) float64
}

func none(int) float64 { return 0 }

func always(f float64) func(int) float64 { return func(int) float64 { return f } }

// from is a goal of meshes of so many nodes and more.
func from(n int, f float64) func(int) float64 {
	return func(nodes int) float64 {
		if nodes < n {
			return 0
		}
		return f
	}
}

func upTo(n int, f float64) func(int) float64 {
	return func(nodes int) float64 {
		if nodes > n {
			return 0
		}
		return f
	}
}

// frameBytes is the least that a message of weft costs: 4 bytes of length and 41
// of header.
const frameBytes = 45

var rows = []row{
	{"full mesh", "s", linked, func(r Result) float64 { return r.Mesh }, from(50, 0.5), upTo(10, 0.5)},
	{"CPU until then", "s", linked, func(r Result) float64 { return r.CPU }, from(50, 1), none},
	{"CPU until at rest", "s", linked, func(r Result) float64 { return r.RestCPU }, none, none},
	{"written per node", "KB", linked, func(r Result) float64 { return r.Written }, none, none},
	{"memory per peer-end", "KB", linked, func(r Result) float64 { return r.Memory }, from(50, 1.2), none},
	{"memory of a node alone", "KB", alone, func(r Result) float64 { return r.Alone }, none, none},
	{"goroutines per peer-end", "", linked, func(r Result) float64 { return r.Goroutines }, none, none},
	{"connections accepted per pair", "", linked, func(r Result) float64 { return r.Accepted }, none, none},
	{"links lost again", "", linked, func(r Result) float64 { return float64(r.Lost) }, none, none},
	{"idle CPU per node", "ms/s", watched, func(r Result) float64 { return r.IdleCPU }, always(1), none},
	{"idle bytes per node", "B/s", watched, func(r Result) float64 { return r.IdleBytes }, always(3), none},
	{"idle bytes, all streams", "B/s", watched, func(r Result) float64 { return r.IdleStreams }, none, none},
	{"idle messages per node", "/s", watched, func(r Result) float64 { return r.IdleMessages }, none, none},
	{"idle frame floor", "B/s", watched, func(r Result) float64 { return r.IdleMessages * frameBytes }, none, none},
}

func linked(r Result) bool  { return r.Mesh > 0 }
func alone(r Result) bool   { return r.Alone > 0 }
func watched(r Result) bool { return r.IdleFor > 0 }

// show prints the medians of one size, and how they compare with the first system.
func show(w io.Writer, n int, names []string, results []Result) {
	fmt.Fprintf(w, "\nN = %d: medians, and in brackets how often %s's\n", n, names[0])
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "\t")
	for _, name := range names {
		fmt.Fprintf(t, "%s\t", name)
	}
	fmt.Fprintln(t, "goal")
	for _, r := range rows {
		fmt.Fprintf(t, "%s %s\t", r.name, r.unit)
		for _, name := range names {
			fmt.Fprintf(t, "%s\t", r.cell(n, name, names[0], results))
		}
		fmt.Fprintln(t, r.goalText(n))
	}
	t.Flush()
	for _, r := range results {
		if r.Failed != "" {
			fmt.Fprintf(w, "%s failed once: %s\n", r.System, r.Failed)
		}
	}
}

// median is that of the results that tell of the quantity.
func (r row) median(name string, results []Result) (m float64, ok bool) {
	var all []float64
	for _, res := range results {
		if res.System == name && r.when(res) {
			all = append(all, r.of(res))
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2, true
}

// cell is a median, its ratio to that of the system base, and whether it meets its
// goal. The goals hold without symmetry.
func (r row) cell(n int, name, base string, results []Result) string {
	v, ok := r.median(name, results)
	if !ok {
		return "-"
	}
	text := fmt.Sprintf("%.3g", v)
	if name == base {
		return text
	}
	b, ok := r.median(base, results)
	if ok && b > 0 {
		text += fmt.Sprintf(" (%.2f)", v/b)
	}
	goal, limit := r.goal(n), r.limit(n)
	switch {
	case name == withSymmetry, goal == 0 && limit == 0, goal > 0 && !ok:
	case goal > 0 && v > goal*b, limit > 0 && v > limit:
		text += " missed"
	default:
		text += " met"
	}
	return text
}

func (r row) goalText(n int) string {
	if l := r.limit(n); l > 0 {
		return fmt.Sprintf("at most %g %s", l, r.unit)
	}
	if g := r.goal(n); g > 0 {
		return fmt.Sprintf("at most %g times", g)
	}
	return ""
}
