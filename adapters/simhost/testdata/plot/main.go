// Command plot draws the delivery curves of `make bench-gossip`: results.json in, an
// SVG for each case out. It is a module of its own so that the plotting library does
// not become a dependency of weft.
package main

import (
	"encoding/json"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// result is what is drawn of a run; see simhost.Result.
type result struct {
	Strategy                       string
	Curve, CurveDirect, CurveFlood []float64 // quantiles of the delivery times, ms
}

type comparison struct {
	Name    string
	Results [][]result // by strategy and seed
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: plot RESULTS.json FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var all []comparison
	if err := json.Unmarshal(data, &all); err != nil {
		return fmt.Errorf("read %s: %w", from, err)
	}
	for _, c := range all {
		file := filepath.Join(to, fileName(c.Name)+".svg")
		if err := draw(c, file); err != nil {
			return fmt.Errorf("draw %s: %w", c.Name, err)
		}
		fmt.Println(file)
	}
	return nil
}

// fileName is a case's name in the letters of file names.
func fileName(name string) string {
	return strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(name), "-"), "-")
}

// draw draws one case: the bounds, dashed, and a line for each strategy.
func draw(c comparison, file string) error {
	p := plot.New()
	p.Title.Text = c.Name
	p.X.Label.Text, p.Y.Label.Text = "ms since publication", "% of deliveries"
	p.Y.Min, p.Y.Max, p.X.Min = 0, 100, 0
	p.Legend.Left = false
	p.Add(plotter.NewGrid())
	first := c.Results[0]
	for _, b := range []struct {
		name  string
		grey  uint8
		curve func(result) []float64
	}{
		{"one hop to each node", 190, func(r result) []float64 { return r.CurveDirect }},
		{"fastest way over the connections", 120, func(r result) []float64 { return r.CurveFlood }},
	} {
		if err := add(p, b.name, medians(first, b.curve), color.Gray{Y: b.grey}, vg.Points(4)); err != nil {
			return err
		}
	}
	for i, runs := range c.Results {
		if err := add(p, runs[0].Strategy, medians(runs, func(r result) []float64 { return r.Curve }), plotutil.Color(i), 0); err != nil {
			return err
		}
	}
	return p.Save(18*vg.Centimeter, 10*vg.Centimeter, file)
}

// add adds a line; dash is the length of its dashes, 0 for none.
func add(p *plot.Plot, name string, curve []float64, c color.Color, dash vg.Length) error {
	points := make(plotter.XYs, len(curve))
	for i, t := range curve {
		points[i] = plotter.XY{X: t, Y: 100 * float64(i+1) / float64(len(curve))}
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.Color, line.Width = c, vg.Points(1.5)
	if dash > 0 {
		line.Dashes = []vg.Length{dash, dash}
	}
	p.Add(line)
	p.Legend.Add(name, line)
	return nil
}

// medians are, point by point, the medians of the runs' curves.
func medians(runs []result, curve func(result) []float64) (points []float64) {
	for i := range curve(runs[0]) {
		var values []float64
		for _, r := range runs {
			values = append(values, curve(r)[i])
		}
		slices.Sort(values)
		points = append(points, values[(len(values)-1)/2])
	}
	return points
}
