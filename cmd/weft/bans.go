package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

func (a *app) bansCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "bans",
		Short: "List who is banned",
		Args:  takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context, c *client) error { return c.bans(ctx) })
		},
	}
}

func (c *client) bans(ctx context.Context) error {
	m, err := c.api.Bans(ctx, &weftv1.BansRequest{})
	if err != nil {
		return err
	}
	return c.show(m, func() error {
		var rows [][]string
		for _, b := range m.GetBans() {
			rows = append(rows, []string{shortID(b.GetPeerId()), untilOrDash(b.GetUntil()), number(b.GetTimes()), dash(b.GetReason())})
		}
		return c.table("PEER ENDS TIMES REASON", rows)
	})
}

type banFlags struct {
	length time.Duration
	reason string
}

func (a *app) banCommand() *cobra.Command {
	var f banFlags
	c := &cobra.Command{
		Use:   "ban PEER",
		Short: "Disconnect a peer and refuse it, both ways, for a time",
		Long: "Disconnect a peer and refuse it, both ways, for a time. A ban is kept over restarts. A\n" +
			"peer that is not known yet is named by its whole peer ID.",
		Example:           "  weft ban 12D3KooW… --for 24h --reason 'floods us'",
		Args:              takes(1, 1, "one PEER"),
		ValidArgsFunction: a.completes(knownPeers),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("for") && f.length <= 0 {
				return usagef("--for cannot be %s; give it a positive duration, as 24h", f.length)
			}
			return a.call(cmd, func(ctx context.Context, c *client) error { return c.ban(ctx, args[0], f) })
		},
	}
	c.Flags().DurationVar(&f.length, "for", 0, "how long a `duration`, as 24h; otherwise an hour, doubled with each earlier ban")
	c.Flags().StringVar(&f.reason, "reason", "", "`text` for the list of bans, which says why")
	return c
}

func (c *client) ban(ctx context.Context, arg string, f banFlags) error {
	id, err := c.peerID(ctx, arg, knownPeers)
	if err != nil {
		return err
	}
	r := &weftv1.BanRequest{PeerId: id, Reason: f.reason}
	if f.length > 0 {
		r.Duration = durationpb.New(f.length)
	}
	m, err := c.api.Ban(ctx, r)
	if err != nil {
		return err
	}
	return c.show(m, func() error {
		return c.print(fmt.Sprintf("%s is banned until %s", id, moment(m.GetBan().GetUntil())))
	})
}

func (a *app) unbanCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "unban PEER",
		Short:             "Lift a ban",
		Args:              takes(1, 1, "one PEER"),
		ValidArgsFunction: a.completes(bannedPeers),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context, c *client) error { return c.unban(ctx, args[0]) })
		},
	}
}

func (c *client) unban(ctx context.Context, arg string) error {
	id, err := c.peerID(ctx, arg, bannedPeers)
	if err != nil {
		return err
	}
	m, err := c.api.Unban(ctx, &weftv1.UnbanRequest{PeerId: id})
	if err != nil {
		return err
	}
	return c.show(m, func() error { return nil })
}
