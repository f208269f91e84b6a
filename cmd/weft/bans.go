package main

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

func (a *app) bansCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "bans",
		Short: "List who is banned",
		Long: "List the banned peers and groups of IP addresses. BY is hand, or offences: a peer is banned\n" +
			"by itself when offences take 90 of its 100 points, and a group of public addresses (an IPv4\n" +
			"/24, an IPv6 /48) when three of its peers are banned and none there behaves well.",
		Args: takes(0, 0, ""),
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
			rows = append(rows, []string{dash(shortID(b.GetPeerId())), dash(b.GetGroup()), untilOrDash(b.GetUntil()), number(b.GetTimes()), banner(b), dash(b.GetReason())})
		}
		return c.table("PEER GROUP ENDS TIMES BY REASON", rows)
	})
}

// banner is what banned.
func banner(b *weftv1.PeerBan) string {
	if b.GetByHand() {
		return "hand"
	}
	return "offences"
}

// target is whom a ban is about: a peer, or the IP group of an address.
func (c *client) target(ctx context.Context, arg string, r roster) (id, group string, err error) {
	if _, err := netip.ParseAddr(arg); err == nil {
		return "", arg, nil
	}
	if _, err := netip.ParsePrefix(arg); err == nil {
		return "", arg, nil
	}
	id, err = c.peerID(ctx, arg, r)
	return id, "", err
}

type banFlags struct {
	length time.Duration
	reason string
}

func (a *app) banCommand() *cobra.Command {
	var f banFlags
	c := &cobra.Command{
		Use:   "ban PEER|IP",
		Short: "Disconnect a peer, or a group of addresses, and refuse it, both ways, for a time",
		Long: "Disconnect a peer and refuse it, both ways, for a time; with an IP address, all peers of\n" +
			"its group: an IPv4 /24 or an IPv6 /48 of public addresses. A ban is kept over restarts. A\n" +
			"peer that is not known yet is named by its whole peer ID.",
		Example: "  weft ban 12D3KooW… --for 24h --reason 'floods us'\n" +
			"  weft ban 8.8.4.0/24",
		Args:              takes(1, 1, "one PEER or IP"),
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
	id, group, err := c.target(ctx, arg, knownPeers)
	if err != nil {
		return err
	}
	r := &weftv1.BanRequest{PeerId: id, Group: group, Reason: f.reason}
	if f.length > 0 {
		r.Duration = durationpb.New(f.length)
	}
	m, err := c.api.Ban(ctx, r)
	if err != nil {
		return err
	}
	return c.show(m, func() error {
		return c.print(fmt.Sprintf("%s is banned until %s", cmp.Or(id, m.GetBan().GetGroup()), moment(m.GetBan().GetUntil())))
	})
}

func (a *app) unbanCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "unban PEER|IP",
		Short:             "Lift the ban of a peer or of a group of addresses",
		Args:              takes(1, 1, "one PEER or IP"),
		ValidArgsFunction: a.completes(bannedPeers),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context, c *client) error { return c.unban(ctx, args[0]) })
		},
	}
}

func (c *client) unban(ctx context.Context, arg string) error {
	id, group, err := c.target(ctx, arg, bannedPeers)
	if err != nil {
		return err
	}
	m, err := c.api.Unban(ctx, &weftv1.UnbanRequest{PeerId: id, Group: group})
	if err != nil {
		return err
	}
	return c.show(m, func() error { return nil })
}
