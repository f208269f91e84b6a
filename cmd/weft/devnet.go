package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/weftnet/weft/cmd/weft/internal/devnet"
)

const (
	// joinLimit bounds the joining of a devnet: far above the second or so that
	// 20 nodes take, for 200 nodes on a busy machine.
	joinLimit = 2 * time.Minute
	// redraw is how often the live table is drawn; chosen because faster is unreadable.
	redraw = time.Second
	// defaultDevTopic is joined when no topic is asked for, so that there is something to see.
	defaultDevTopic = "devnet"

	ansiHome  = "\x1b[H"
	ansiClear = "\x1b[2J"
	ansiRest  = "\x1b[J" // clears from the cursor to the end
)

func (a *app) devnetCommand() *cobra.Command {
	return parent("devnet", "Run a whole network in one process", a.devnetUpCommand())
}

type devnetFlags struct {
	nodes   int
	apiPort int
	rate    float64
}

func (a *app) devnetUpCommand() *cobra.Command {
	var f devnetFlags
	c := &cobra.Command{
		Use:   "up",
		Short: "Run nodes on loopback, joined through the first",
		Long: "Run nodes on loopback, joined through the first, until SIGINT. Each has a control API\n" +
			"of its own: point other commands at it with --api. On a terminal a live table shows\n" +
			"peers, topics and message rates; elsewhere a line for each node and a summary are\n" +
			"printed once all have joined. Nothing is written to disk.",
		Example: "  weft devnet up -n 20 --topic news\n  weft devnet up -n 5 --api-base-port 40000 --rate 10",
		Args:    takes(0, 0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.devnet(cmd.Context(), f) },
	}
	c.Flags().IntVarP(&f.nodes, "nodes", "n", 5, fmt.Sprintf("how many nodes, 1 to %d", devnet.MaxNodes))
	c.Flags().IntVar(&f.apiPort, "api-base-port", 0, "`port` of the first node's API; the others follow (0: any free ports)")
	c.Flags().Float64Var(&f.rate, "rate", 0, "test messages a second, published by random nodes on the first topic")
	runSettings().Only("network", "topology", "symmetry", "topic", "object_topic", "max_message", "target_degree", "tls_only").Flags(c.Flags())
	return c
}

func (a *app) devnet(ctx context.Context, f devnetFlags) error {
	if f.rate < 0 || f.rate > 1000 {
		return usagef("--rate cannot be %v; ask for 0 to 1000 messages a second", f.rate)
	}
	cfg, err := a.devnetConfig(f)
	if err != nil {
		return err
	}
	start := time.Now()
	net, err := devnet.Up(ctx, cfg)
	if err != nil {
		return unlessInterrupted(ctx, err)
	}
	err = unlessInterrupted(ctx, a.watchDevnet(ctx, net, cfg, f.rate, start))
	a.closing.Store(true)
	return errors.Join(err, net.Close())
}

func (a *app) devnetConfig(f devnetFlags) (devnet.Config, error) {
	if a.values.Origin("log_level") == "default" {
		a.level.Set(slog.LevelWarn) // the news of 20 nodes would hide the table
	}
	base, err := a.bareConfig()
	if err != nil {
		return devnet.Config{}, err
	}
	if len(base.Topics) == 0 {
		base.Topics = []string{defaultDevTopic}
	}
	cfg := devnet.Config{Nodes: f.nodes, Base: base, APIBasePort: f.apiPort}
	if err := cfg.Validate(); err != nil {
		return cfg, usagef("%v", err)
	}
	return cfg, nil
}

// watchDevnet shows a network until the context ends.
func (a *app) watchDevnet(ctx context.Context, net *devnet.Net, cfg devnet.Config, rate float64, start time.Time) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.showDevnet(ctx, net, start) })
	if rate > 0 {
		g.Go(func() error { return net.Chatter(ctx, cfg.Base.Topics[0], rate) })
	}
	return g.Wait()
}

func (a *app) showDevnet(ctx context.Context, net *devnet.Net, start time.Time) error {
	if interactive(a.stdout) && !a.json() {
		return a.liveTable(ctx, net)
	}
	join, cancel := context.WithTimeout(ctx, joinLimit)
	defer cancel()
	if err := net.WaitJoined(join); err != nil {
		return err
	}
	if err := a.printDevnet(net.Rows(), time.Since(start)); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// printDevnet prints a line for each node, then the summary.
func (a *app) printDevnet(rows []devnet.Row, took time.Duration) error {
	if a.json() {
		out := json.NewEncoder(a.stdout)
		for _, r := range rows {
			if err := out.Encode(r); err != nil {
				return err
			}
		}
		return out.Encode(map[string]any{"nodes": len(rows), "joinedMs": took.Milliseconds()})
	}
	for _, r := range rows {
		if err := a.print(fmt.Sprintf("node %d  %s  --api %s", r.Node, r.Addr, r.API)); err != nil {
			return err
		}
	}
	return a.print(fmt.Sprintf("%d nodes joined in %s", len(rows), took.Round(time.Millisecond)))
}

func (a *app) liveTable(ctx context.Context, net *devnet.Net) error {
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	fmt.Fprint(a.stdout, ansiClear)
	for {
		if err := a.draw(net); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return a.print("") // leaves the cursor below the table
		case <-tick.C:
		}
	}
}

// draw writes one frame in one piece, so that it does not flicker.
func (a *app) draw(net *devnet.Net) error {
	lines := 0
	if f, isFile := a.stdout.(*os.File); isFile {
		if _, height, err := term.GetSize(int(f.Fd())); err == nil {
			lines = height - 2
		}
	}
	rows := net.Rows()
	var frame bytes.Buffer
	frame.WriteString(ansiHome + ansiRest)
	if err := devnet.Table(&frame, rows, lines); err != nil {
		return err
	}
	fmt.Fprintf(&frame, "%d of %d joined · try: weft --api %s peers · Ctrl-C ends", net.Joined(), len(rows), rows[0].API)
	_, err := a.stdout.Write(frame.Bytes())
	return err
}
