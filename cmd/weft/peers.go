package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

func (a *app) peersCommand() *cobra.Command {
	var all, verbose bool
	c := &cobra.Command{
		Use:   "peers",
		Short: "List the connected peers",
		Args:  takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context, c *client) error { return c.peers(ctx, all, verbose) })
		},
	}
	c.Flags().BoolVarP(&all, "all", "a", false, "also those known but not connected, and why they are not")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "everything about each, with whole peer IDs and protocols")
	return c
}

func (c *client) peers(ctx context.Context, all, verbose bool) error {
	m, err := c.api.Peers(ctx, &weftv1.PeersRequest{All: all})
	if err != nil {
		return err
	}
	return c.show(m, func() error {
		switch {
		case verbose:
			return c.describePeers(m.GetPeers())
		case all:
			return c.table("PEER STATE ADDRESS SOURCE FAILURES RETRY REASON", rows(m.GetPeers(), knownRow))
		}
		return c.table("PEER ADDRESS DIRECTION LATENCY AGENT STREAMS SINCE", rows(m.GetPeers(), connectedRow))
	})
}

func rows(peers []*weftv1.Peer, row func(*weftv1.Peer) []string) (out [][]string) {
	for _, p := range peers {
		out = append(out, row(p))
	}
	return out
}

func connectedRow(p *weftv1.Peer) []string {
	return []string{shortID(p.GetPeerId()), p.GetAddress(), p.GetDirection(), showTime(p.GetLatency()),
		dash(p.GetAgent()), strconv.Itoa(int(p.GetStreams())), sinceOrDash(p.GetSince())}
}

func knownRow(p *weftv1.Peer) []string {
	return []string{shortID(p.GetPeerId()), p.GetState(), dash(p.GetAddress()), dash(p.GetSource()),
		strconv.Itoa(int(p.GetFailures())), untilOrDash(p.GetRetryAt()), dash(p.GetReason())}
}

func (c *client) describePeers(peers []*weftv1.Peer) error {
	for i, p := range peers {
		if i > 0 {
			if err := c.print(""); err != nil {
				return err
			}
		}
		if err := c.fields(describe(p)...); err != nil {
			return err
		}
	}
	return nil
}

func describe(p *weftv1.Peer) []string {
	pairs := []string{
		"peer", p.GetPeerId(),
		"state", strings.TrimSuffix(p.GetState()+", "+p.GetReason(), ", "),
		"address", dash(p.GetAddress()),
		"direction", dash(p.GetDirection()),
		"latency", showTime(p.GetLatency()),
		"agent", dash(p.GetAgent()),
		"transport", dash(strings.TrimPrefix(p.GetTransport()+"+"+p.GetSecurity(), "+")),
		"streams", strconv.Itoa(int(p.GetStreams())),
		"since", sinceOrDash(p.GetSince()),
		"source", dash(p.GetSource()),
		"admitted", strconv.FormatBool(p.GetAdmitted()),
		"bootstrapper", strconv.FormatBool(p.GetBootstrapper()),
	}
	pairs = append(pairs, each("dialled at", p.GetAddresses())...)
	return append(pairs, each("protocols", p.GetProtocols())...)
}

func sinceOrDash(t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	return ago(time.Since(t.AsTime()))
}

func untilOrDash(t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	return "in " + ago(time.Until(t.AsTime()))
}
