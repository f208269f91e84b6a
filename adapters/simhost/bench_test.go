package simhost

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var bench = struct {
	run               *bool
	n, size, messages *int
	warmup, seeds     *int
	strategies, out   *string
	loss, churn, kill *float64
	interval          *time.Duration
	attacks, recovery *bool
	drawn             *bool
	lastMile          *time.Duration
}{
	flag.Bool("bench", false, "run the comparison of TestBench"),
	flag.Int("n", 0, "`nodes`; 0: every case of docs/performance.md"),
	flag.Int("size", 1<<10, "`bytes` of a message"),
	flag.Int("messages", 50, "measured messages"),
	flag.Int("warmup", 30, "messages before these"),
	flag.Int("seeds", 3, "worlds"),
	flag.String("strategies", "plain,episub", "what to compare, by comma; the first one is what ratios compare with"),
	flag.String("out", "", "`folder` for results.json"),
	flag.Float64("loss", 0, "share of packets lost"),
	flag.Float64("churn", 0, "share of nodes that vanish in a minute, each for 10 s"),
	flag.Float64("kill", 0, "share of nodes that vanish at once, for good"),
	flag.Duration("interval", 0, "time between messages; 0: by size"),
	flag.Bool("attacks", false, "all of TestAttacks, for long"),
	flag.Bool("recovery", false, "all of TestRecovery, with 50 nodes"),
	flag.Bool("drawn", false, "delays between regions drawn by chance, not those of cloud providers"),
	flag.Duration("lastmile", DefaultConfig().LastMile, "mean delay of a node's own link"),
}

// strategies are all that can be compared.
var strategies = []Strategy{Plain(), Episub()}

// figures are the cases of docs/performance.md.
var figures = []func(*Config){
	func(c *Config) { c.Nodes = 100 },
	func(c *Config) { c.Nodes = 250 },
	func(c *Config) { c.Nodes = 50 },
	func(c *Config) { c.Nodes = 50; c.Kill = 0.1 },
	func(c *Config) { c.Nodes = 50; c.Churn = 1 },
	func(c *Config) { c.Nodes = 50; c.Loss = 0.01 },
	func(c *Config) { c.Nodes = 50; c.Loss = 0.05 },
	func(c *Config) { c.Nodes, c.Size, c.Messages = 50, 128<<10, 30 },
	func(c *Config) { c.Nodes, c.Size, c.Messages, c.Warmup = 50, 1<<20, 10, 10 },
}

// TestBench is `make bench-gossip`.
func TestBench(t *testing.T) {
	if !*bench.run {
		t.Skip("make bench-gossip runs it")
	}
	var all []Case
	for _, cfg := range benchConfigs() {
		c := Case{Name: name(cfg), Config: cfg}
		for _, s := range chosen(t) {
			c.Results = append(c.Results, play(t, cfg, s))
		}
		c.Print(os.Stdout)
		all = append(all, c)
		save(t, all)
	}
}

// benchConfigs are the cases asked for.
func benchConfigs() (configs []Config) {
	if *bench.n == 0 {
		for _, set := range figures {
			cfg := DefaultConfig()
			set(&cfg)
			cfg.Drawn, cfg.LastMile = *bench.drawn, *bench.lastMile
			configs = append(configs, cfg)
		}
		return configs
	}
	cfg := DefaultConfig()
	cfg.Nodes, cfg.Size, cfg.Messages, cfg.Warmup = *bench.n, *bench.size, *bench.messages, *bench.warmup
	cfg.Drawn, cfg.LastMile = *bench.drawn, *bench.lastMile
	cfg.Loss, cfg.Churn, cfg.Kill, cfg.Interval = *bench.loss, *bench.churn, *bench.kill, *bench.interval
	return []Config{cfg}
}

func chosen(t *testing.T) (found []Strategy) {
	for name := range strings.SplitSeq(*bench.strategies, ",") {
		at := len(found)
		for _, s := range strategies {
			if s.Name == name {
				found = append(found, s)
			}
		}
		if len(found) == at {
			t.Fatalf("no strategy %q", name)
		}
	}
	return found
}

// play runs a strategy in the worlds of all seeds.
func play(t *testing.T, cfg Config, s Strategy) (results []Result) {
	for seed := range *bench.seeds {
		cfg.Seed = int64(seed + 1)
		world, err := NewWorld(cfg)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		r, err := Run(t, world, s)
		if err != nil {
			t.Fatalf("%s, %s, seed %d: %v", name(cfg), s.Name, cfg.Seed, err)
		}
		fmt.Fprintf(os.Stderr, "%s, %s, seed %d: %.0f/%.0f/%.0f ms, %.2f copies, in %s\n",
			name(cfg), s.Name, cfg.Seed, r.P50, r.P95, r.P99, r.Copies, time.Since(start).Round(time.Second))
		if !r.Complete() {
			t.Errorf("%s, %s, seed %d: %d deliveries missing, %d twice: %.500s", name(cfg), s.Name, cfg.Seed, len(r.Missing), r.Twice, r.Missing)
		}
		results = append(results, r)
	}
	return results
}

// name says what is special about a case.
func name(c Config) string {
	size := fmt.Sprintf("%d B", c.Size)
	if c.Size%1024 == 0 {
		size = fmt.Sprintf("%d KiB", c.Size>>10)
	}
	s := fmt.Sprintf("%s, N=%d", size, c.Nodes)
	for _, x := range []struct {
		share float64
		what  string
	}{{c.Loss, "packets lost"}, {c.Churn, "of the nodes restarted per minute"}, {c.Kill, "of the nodes vanish"}} {
		if x.share > 0 {
			s += fmt.Sprintf(", %.0f %% %s", 100*x.share, x.what)
		}
	}
	return s
}

func save(t *testing.T, all []Case) {
	if *bench.out == "" {
		return
	}
	data, err := json.MarshalIndent(all, "", " ")
	if err == nil {
		err = os.MkdirAll(*bench.out, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(*bench.out, "results.json"), data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
