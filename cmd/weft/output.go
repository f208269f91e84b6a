package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func (a *app) json() bool { return a.values.Text("output") == "json" }

// print writes one line of data.
func (a *app) print(line string) error {
	_, err := fmt.Fprintln(a.stdout, line)
	return err
}

// printJSON writes one JSON document: indented, for a person may read it too.
func (a *app) printJSON(v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return a.print(string(text))
}

// show writes an answer of the API as JSON, just as the API tells it to curl, or
// else by the given function.
func (a *app) show(m proto.Message, text func() error) error {
	if !a.json() {
		return text()
	}
	line, err := jsonLine(m)
	if err != nil {
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, line, "", "  "); err != nil {
		return err
	}
	return a.print(indented.String())
}

// lineOf writes one of many messages: a JSON object a line, or a line of text.
func (a *app) lineOf(m proto.Message, text func() string) error {
	if !a.json() {
		return a.print(text())
	}
	line, err := jsonLine(m)
	if err != nil {
		return err
	}
	return a.print(string(line))
}

// jsonLine is a message as JSON without line breaks. protojson varies its blanks
// from build to build on purpose; compacting makes them stable.
func jsonLine(m proto.Message) ([]byte, error) {
	text, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var line bytes.Buffer
	err = json.Compact(&line, text)
	return line.Bytes(), err
}

// table writes aligned columns under a head.
func (a *app) table(head string, rows [][]string) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ReplaceAll(head, " ", "\t"))
	for _, r := range rows {
		for i := range r {
			r[i] = harmless(r[i])
		}
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	return w.Flush()
}

// fields writes names and values, one pair a line. Pairs alternate.
func (a *app) fields(pairs ...string) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(w, "%s\t%s\n", pairs[i], harmless(pairs[i+1]))
	}
	return w.Flush()
}

// shortID is a peer ID as people tell peers apart: its last letters, since the
// first ones are alike for every Ed25519 key.
func shortID(id string) string {
	if len(id) <= 12 {
		return id
	}
	return "…" + id[len(id)-10:]
}

// ago is a span of time, coarse enough to read.
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return d.Truncate(time.Second).String()
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

// latency is a round trip with three digits or so; "-" while unmeasured.
func latency(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// volume is a number of bytes, to three digits or so.
func volume(n uint64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// percentage is a share of 100; "-" while unknown.
func percentage(p *float64) string {
	switch {
	case p == nil:
		return "-"
	case *p >= 100:
		return "100%"
	}
	return fmt.Sprintf("%.1f%%", math.Floor(*p*10)/10) // 100% is for what never failed
}

// moment is a time as a person in this place writes it.
func moment(t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	return t.AsTime().Local().Format(time.DateTime)
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// harmless keeps what strangers wrote (agents, payloads, reasons) from steering
// the terminal.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '·'
	}, s)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
