package main

import (
	"context"
	"fmt"
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
		Long: "List the connected peers. ROLE is member (weft's handshake is complete), validator (one\n" +
			"that is in the validator set), joining (not complete yet), guest (there is no place for\n" +
			"it, it gets a list of others), or plain (a libp2p peer that does not speak weft).\n" +
			"DIRECTION tells who dialled; both, when each did. UPTIME is how much of the time since\n" +
			"the first meeting we saw a member up. With -v each score is explained term by term.",
		Args: takes(0, 0, ""),
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
			return c.table("PEER STATE ROLE ADDRESS SOURCE FAILURES RETRY REASON", rows(m.GetPeers(), knownRow))
		}
		return c.table("PEER ROLE ADDRESS DIRECTION LATENCY UPTIME AGENT STREAMS SINCE", rows(m.GetPeers(), connectedRow))
	})
}

func rows(peers []*weftv1.Peer, row func(*weftv1.Peer) []string) (out [][]string) {
	for _, p := range peers {
		out = append(out, row(p))
	}
	return out
}

func connectedRow(p *weftv1.Peer) []string {
	return []string{shortID(p.GetPeerId()), role(p), p.GetAddress(), direction(p), showTime(p.GetLatency()),
		percentage(p.Uptime), dash(p.GetAgent()), number(p.GetStreams()), sinceOrDash(p.GetSince())}
}

func knownRow(p *weftv1.Peer) []string {
	return []string{shortID(p.GetPeerId()), p.GetState(), role(p), dash(p.GetAddress()), dash(p.GetSource()),
		number(p.GetFailures()), untilOrDash(p.GetRetryAt()), dash(p.GetReason())}
}

// role is what a peer is to us, in one word.
func role(p *weftv1.Peer) string {
	if p.GetValidator() && p.GetRole() == "member" {
		return "validator"
	}
	return dash(p.GetRole())
}

// direction tells who dialled, over all connections.
func direction(p *weftv1.Peer) string {
	if p.GetInboundConnections() > 0 && p.GetOutboundConnections() > 0 {
		return "both"
	}
	return dash(p.GetDirection())
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
		"role", strings.Join(roles(p), ", "),
		"address", dash(p.GetAddress()),
		"connections", fmt.Sprintf("%d: %d that it opened, %d that we opened", p.GetConnections(), p.GetInboundConnections(), p.GetOutboundConnections()),
		"transport", dash(strings.TrimPrefix(p.GetTransport()+"+"+p.GetSecurity(), "+")),
		"streams", number(p.GetStreams()),
		"since", sinceOrDash(p.GetSince()),
		"latency", fmt.Sprintf("%s, last uptime ping %s", showTime(p.GetLatency()), showTime(p.GetPong())),
		"uptime", fmt.Sprintf("we saw it up %s of the time, it saw us up %s", percentage(p.Uptime), percentage(p.Says)),
		"score", score(p),
	}
	pairs = append(pairs, each("terms", terms(p))...)
	pairs = append(pairs, []string{
		"rejection", rejection(p),
		"agent", dash(p.GetAgent()),
		"version", dash(p.GetProtocolVersion()),
		"source", dash(p.GetSource()),
		"retry", untilOrDash(p.GetRetryAt()),
		"admitted", yesNo(p.GetAdmitted()),
	}...)
	pairs = append(pairs, each("dialled at", p.GetAddresses())...)
	return append(pairs, each("protocols", p.GetProtocols())...)
}

// score is what we think of a connected peer; of others nothing is told.
func score(p *weftv1.Peer) string {
	if p.GetRole() == "" {
		return "-"
	}
	return fmt.Sprintf("%.0f (100 at first, 200 at most)", p.GetScore())
}

// terms are what made the score.
func terms(p *weftv1.Peer) (lines []string) {
	for _, t := range p.GetTerms() {
		lines = append(lines, fmt.Sprintf("%+.1f %s: %s; %d in %s", t.GetPoints(), t.GetName(), t.GetExplanation(), t.GetCount(), sinceOrDash(t.GetSince())))
	}
	return lines
}

// roles is all that a peer is to us.
func roles(p *weftv1.Peer) []string {
	list := []string{dash(p.GetRole())}
	if p.GetValidator() {
		list = append(list, "validator")
	}
	if p.GetBootstrapper() {
		list = append(list, "bootstrapper")
	}
	return list
}

// rejection is why the last handshake failed, and who said so.
func rejection(p *weftv1.Peer) string {
	switch {
	case p.GetRejection() == "":
		return "-"
	case p.GetRejectedByUs():
		return p.GetRejection() + ", by us"
	}
	return p.GetRejection() + ", by the peer"
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
