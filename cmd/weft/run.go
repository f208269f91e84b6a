package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weftnet/weft/node"
)

// closeLimit bounds a graceful end; below the 10 s after which `docker stop`
// kills, with room for the drain.
const closeLimit = 8 * time.Second

func (a *app) runCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "run",
		Short: "Run a node",
		Long: "Run a node until SIGINT or SIGTERM; a second signal ends it at once.\n\n" +
			"Once the node can be dialled its addresses are printed on stdout, one a line, and\n" +
			"written to --addr-file: give one of them to another node as --bootstrap.",
		Example: "  weft run\n  weft run --ephemeral --listen /ip4/127.0.0.1/tcp/0 --api 127.0.0.1:0\n" +
			"  weft run --bootstrap /ip4/192.0.2.1/tcp/30303/p2p/12D3KooW…",
		Args: takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context()) },
	}
	a.manyFlags(c)
	return c
}

func (a *app) run(ctx context.Context) error {
	cfg, err := a.nodeConfig()
	if err != nil {
		return err
	}
	if err := a.readFiles(&cfg); err != nil {
		return err
	}
	n, err := node.New(cfg)
	if err != nil {
		return err
	}
	if err := n.Start(ctx); err != nil {
		return unlessInterrupted(ctx, err)
	}
	if err := a.announce(n); err != nil {
		return errors.Join(err, n.Close())
	}
	a.log.Info("running", "id", n.ID(), "network", cfg.Network, "api", n.APIAddr(), "data_dir", dataDir(cfg))
	<-ctx.Done()
	return a.end(n)
}

// dataDir is where the node writes; "-" when it does not.
func dataDir(cfg node.Config) string {
	if cfg.Ephemeral {
		return "-"
	}
	return cfg.DataDir
}

// unlessInterrupted drops the error of a start that a signal cut short: to end is
// what was asked for.
func unlessInterrupted(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errInterrupted) {
		return nil
	}
	return err
}

// announce tells where the node can be dialled.
func (a *app) announce(n *node.Node) error {
	var text strings.Builder
	for _, addr := range n.Addrs() {
		fmt.Fprintln(&text, addr)
	}
	if text.Len() == 0 {
		a.log.Warn("no address can be told to others; set --announce, or --scope all")
	}
	if _, err := fmt.Fprint(a.stdout, text.String()); err != nil {
		return err
	}
	file := a.values.Text("addr_file")
	if file == "" {
		return nil
	}
	return writeAtomically("--addr-file", file, text.String())
}

// end closes the node within a bound, after it has said that it is not ready.
func (a *app) end(n *node.Node) error {
	delay := a.values.Period("drain_delay")
	a.log.Info("stopping; a second signal stops at once", "drain_delay", delay)
	n.Drain()
	time.Sleep(delay)
	a.closing.Store(true)
	done := make(chan error, 1)
	go func() { done <- n.Close() }()
	select {
	case err := <-done:
		return err
	case <-time.After(closeLimit):
		return fmt.Errorf("the node did not close within %s and was abandoned; report this with the log", closeLimit)
	}
}

// writeAtomically replaces a file so that a reader sees all of it or none.
func writeAtomically(flag, path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w; name a file in a writable directory", flag, err)
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%s cannot be written: %w; name a file in a writable directory", flag, err), os.Remove(f.Name()))
	}
	return nil
}
