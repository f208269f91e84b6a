package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/weftnet/weft/cmd/weft/internal/settings"
)

func (a *app) configCommand() *cobra.Command {
	return parent("config", "Look at the settings", a.configShowCommand())
}

func (a *app) configShowCommand() *cobra.Command {
	var daemon bool
	c := &cobra.Command{
		Use:   "show",
		Short: "Print the effective settings and where each comes from",
		Long: "Print every setting, its effective value and where it comes from, as `weft run` would\n" +
			"see them with the same flags, environment and file; or, with --daemon, as the running\n" +
			"daemon sees them. Secrets are not shown.",
		Args: takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if daemon {
				return a.call(cmd, func(ctx context.Context, c *client) error { return c.showConfig(ctx) })
			}
			return a.showSettings(a.shownSettings())
		},
	}
	c.Flags().BoolVar(&daemon, "daemon", false, "ask the running daemon")
	a.manyFlags(c)
	return c
}

func (a *app) showSettings(list []settings.Shown) error {
	if a.json() {
		return a.printJSON(map[string]any{"settings": list})
	}
	var rows [][]string
	for _, s := range list {
		rows = append(rows, []string{s.Key, dash(s.Value), s.Source})
	}
	return a.table("KEY VALUE SOURCE", rows)
}
