// Command bench-discovery measures weft's discovery beside that of AvalancheGo's
// network package: how long N nodes that know only one of them take until each
// is linked with each, and what that and the mesh cost. See docs/performance.md.
//
// Every measurement runs in a process of its own, all nodes in that process, over
// TCP on loopback; the systems take turns. It is a module of its own, so that
// AvalancheGo's dependencies do not become weft's.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// setup says what one process is to measure.
type setup struct {
	System  string
	Nodes   int
	Alone   bool          // nobody knows anybody
	Idle    time.Duration // how long to watch the full mesh
	Profile string        // where to write profiles, less .cpu, .heap, .goroutine and .idle
}

// systems are what is compared: weft as it is by default, and without pubsub and
// DHT, neither with symmetry, and with all.
var systems = map[string]func(n int) (cluster, error){
	"avalanchego": newAvalanche,
	"weft":        newWeft(modes{}),
	"weft-bare":   newWeft(modes{bare: true}),
	withSymmetry:  newWeft(modes{symmetry: true}),
}

// withSymmetry names the system that opens a connection in each direction.
const withSymmetry = "weft-sym"

// plan is what the command was asked to do.
type plan struct {
	sizes   []int
	systems []string
	rounds  int
	idle    time.Duration
	profile string
	out     string
}

func main() {
	var p plan
	one := flag.String("one", "", "measure only `SETUP`, a JSON object, in this process")
	sizes := flag.String("n", "10,50,100", "how many nodes, separated by commas")
	names := flag.String("systems", "avalanchego,weft,weft-bare,weft-sym", "what to measure, separated by commas")
	flag.IntVar(&p.rounds, "rounds", 5, "how often to measure each; medians are shown")
	flag.DurationVar(&p.idle, "idle", 90*time.Second, "how long to watch an idle mesh, once for each; 90 s holds 4 of AvalancheGo's ping intervals and 3 of weft's")
	flag.StringVar(&p.profile, "profile", "", "write profiles of each to `PREFIX`-SYSTEM-N.cpu, .heap, .goroutine and .idle")
	flag.StringVar(&p.out, "json", "", "write all results to `FILE`")
	flag.Parse()
	p.systems = strings.Split(*names, ",")
	err := p.parseSizes(*sizes)
	if *one != "" {
		err = child(*one)
	} else if err == nil {
		err = p.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (p *plan) parseSizes(list string) error {
	for s := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 2 {
			return fmt.Errorf("-n %s: use numbers of 2 or more, as 10,50", list)
		}
		p.sizes = append(p.sizes, n)
	}
	for _, s := range p.systems {
		if systems[s] == nil {
			return fmt.Errorf("-systems: there is no %q", s)
		}
	}
	return nil
}

// run measures everything, and shows each size as soon as it is done.
func (p *plan) run() error {
	if before, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Printf("load average at the start: %s", before)
	}
	var all []Result
	for _, n := range p.sizes {
		results, err := p.size(n)
		if err != nil {
			return err
		}
		all = append(all, results...)
		show(os.Stdout, n, p.systems, results)
	}
	if p.out == "" {
		return nil
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(p.out, append(text, '\n'), 0o644)
}

// size measures all systems with n nodes, in turn, each in every round. The last
// round also watches the mesh idle.
func (p *plan) size(n int) (results []Result, err error) {
	for round := range p.rounds {
		for _, name := range p.systems {
			s := setup{System: name, Nodes: n}
			if round == p.rounds-1 {
				s.Idle = p.idle
				if p.profile != "" {
					s.Profile = fmt.Sprintf("%s-%s-%d", p.profile, name, n)
				}
			}
			r, err := spawn(s)
			if err != nil {
				return nil, fmt.Errorf("%s with %d nodes: %w", name, n, err)
			}
			fmt.Fprintf(os.Stderr, "%s, %d nodes, round %d: %.2f s %s\n", name, n, round+1, r.Mesh, r.Failed)
			results = append(results, r)
		}
	}
	for _, name := range p.systems {
		r, err := spawn(setup{System: name, Nodes: n, Alone: true})
		if err != nil {
			return nil, fmt.Errorf("%s, %d nodes alone: %w", name, n, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// spawn measures in a process of its own.
func spawn(s setup) (r Result, err error) {
	arg, err := json.Marshal(s)
	if err != nil {
		return r, err
	}
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	cmd := exec.Command(self, "-one", string(arg))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(out, &r)
}

func child(arg string) error {
	var s setup
	if err := json.Unmarshal([]byte(arg), &s); err != nil {
		return err
	}
	r, err := run(s)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}
