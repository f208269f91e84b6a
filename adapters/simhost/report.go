package simhost

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// Case is one comparison: strategies in the same worlds, one world for each seed.
type Case struct {
	Name    string
	Config  Config
	Results [][]Result // by strategy and seed
}

// Median is a strategy's median of a value over the seeds.
func (c Case) Median(strategy int, of func(Result) float64) float64 {
	var values []float64
	for _, r := range c.Results[strategy] {
		values = append(values, of(r))
	}
	return median(values)
}

// Ratio is the median over the seeds of the first strategy's value divided by
// another one's: above 1, the first one's is larger.
func (c Case) Ratio(strategy int, of func(Result) float64) float64 {
	var values []float64
	for i, r := range c.Results[strategy] {
		values = append(values, of(c.Results[0][i])/of(r))
	}
	return median(values)
}

func median[T cmp.Ordered](values []T) T {
	slices.Sort(values)
	return values[(len(values)-1)/2]
}

// column is one of the table's.
type column struct {
	name, format string
	of           func(Result) float64
}

var columns = []column{
	{"p50 ms", "%.0f", func(r Result) float64 { return r.P50 }},
	{"p95", "%.0f", func(r Result) float64 { return r.P95 }},
	{"p99", "%.0f", func(r Result) float64 { return r.P99 }},
	{"max", "%.0f", func(r Result) float64 { return r.Max }},
	{"within 200 ms", "%.1f %%", func(r Result) float64 { return 100 * r.Within200 }},
	{"within 600 ms", "%.1f %%", func(r Result) float64 { return 100 * r.Within600 }},
	{"pushed", "%.1f %%", func(r Result) float64 { return 100 * r.Pushed }},
	{"pushed within 200 ms", "%.1f %%", func(r Result) float64 { return 100 * r.Pushed200 }},
	{"copies", "%.2f", func(r Result) float64 { return r.Copies }},
	{"wire B/B", "%.2f", func(r Result) float64 { return r.Wire }},
	{"control B", "%.0f", func(r Result) float64 { return r.Control }},
	{"CPU ms", "%.2f", func(r Result) float64 { return r.CPU }},
	{"eager", "%.1f", func(r Result) float64 { return r.Eager }},
	{"lazy", "%.1f", func(r Result) float64 { return r.Lazy }},
	{"cold p95", "%.0f", func(r Result) float64 { return r.Cold.P95 }},
}

// timed are how many of the columns, the first ones, the bounds have as well.
const timed = 6

// Print writes a table in Markdown: medians over the seeds, and below them the
// ratio of the first strategy's to each other one's.
func (c Case) Print(w io.Writer) {
	fmt.Fprintf(w, "\n%s: %d seeds, %d messages each after %d\n\n", c.Name, len(c.Results[0]), c.Config.Messages, c.Config.Warmup)
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	row := func(cells ...string) {
		for _, cell := range cells {
			fmt.Fprintf(t, "| %s\t", cell)
		}
		fmt.Fprintln(t, "|")
	}
	head, line := []string{"", "delivered"}, []string{"---", "---"}
	for _, col := range columns {
		head, line = append(head, col.name), append(line, "---")
	}
	row(head...)
	row(line...)
	row(c.bound("direct hop", func(r Result) Times { return r.Direct })...)
	row(c.bound("flood", func(r Result) Times { return r.Flood })...)
	for i := range c.Results {
		row(c.values(i)...)
	}
	for i := range c.Results[1:] {
		row(c.ratios(i + 1)...)
	}
	t.Flush()
}

func (c Case) bound(name string, of func(Result) Times) []string {
	cells := []string{name, ""}
	for i, col := range columns {
		cell := ""
		if i < timed {
			cell = fmt.Sprintf(col.format, c.Median(0, func(r Result) float64 { return col.of(Result{Times: of(r)}) }))
		}
		cells = append(cells, cell)
	}
	return cells
}

func (c Case) values(i int) []string {
	cells := []string{c.Results[i][0].Strategy, c.delivered(i)}
	for _, col := range columns {
		cells = append(cells, fmt.Sprintf(col.format, c.Median(i, col.of)))
	}
	return cells
}

func (c Case) ratios(i int) []string {
	cells := []string{c.Results[0][0].Strategy + " / " + c.Results[i][0].Strategy, ""}
	for _, col := range columns {
		cells = append(cells, fmt.Sprintf("%.2fx", c.Ratio(i, col.of)))
	}
	return cells
}

// delivered says what share of the deliveries happened, in all seeds together.
func (c Case) delivered(i int) string {
	missing, expected := 0, 0
	for _, r := range c.Results[i] {
		missing, expected = missing+len(r.Missing), expected+r.Expected
	}
	if missing == 0 {
		return "all"
	}
	return fmt.Sprintf("%d of %d missing", missing, expected)
}
