package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

func (a *app) candidatesCommand() *cobra.Command {
	var f streamFlags
	c := &cobra.Command{
		Use:   "candidates [TOPIC]",
		Short: "Print the objects that wait for a decision",
		Long: "Print the objects of external topics that wait for an application's decision, those first\n" +
			"that wait already: CID, topic, who sent it, until when to decide, and the payload; with\n" +
			"-o json all of it. `weft decide` answers. Nobody else need listen: the first decision counts.",
		Example:           "  weft candidates blocks\n  weft candidates -o json --count 1",
		Args:              takes(0, 1, "one TOPIC or none"),
		ValidArgsFunction: a.completes(judgedTopics),
		RunE: func(cmd *cobra.Command, args []string) error {
			topic := strings.Join(args, "")
			return a.watch(cmd, f, func(ctx context.Context, c *client) error { return c.candidates(ctx, topic, f.count) })
		},
	}
	f.add(c, "candidates")
	return c
}

func (c *client) candidates(ctx context.Context, topic string, count uint64) error {
	stream, err := c.api.Candidates(ctx, &weftv1.CandidatesRequest{Topic: topic})
	if err != nil {
		return err
	}
	return follow(stream, count, func(m *weftv1.CandidatesResponse) error {
		return c.lineOf(m, func() string {
			o := m.GetObject()
			return strings.Join([]string{o.GetCid(), harmless(o.GetTopic()), shortID(m.GetFrom()), moment(m.GetUntil()), harmless(string(o.GetPayload()))}, "  ")
		})
	})
}

func (a *app) decideCommand() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "decide CID (accept | ignore | reject)",
		Short: "Decide about an object that waits for it",
		Long: "Decide about an object of an external topic. accept: it is held, delivered and passed on.\n" +
			"ignore: none of this, and nobody is to blame. reject: it is invalid for everybody and for\n" +
			"ever; whoever sent it is banned, and what depends on it falls with it.",
		Example: "  weft decide bafkrei… accept\n  weft decide bafkrei… reject --reason 'spends what is not there'",
		Args:    takes(2, 2, "a CID and accept, ignore or reject"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return []string{"accept", "ignore", "reject"}, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context, c *client) error {
				m, err := c.api.Decide(ctx, &weftv1.DecideRequest{Cid: args[0], Verdict: args[1], Reason: reason})
				return c.done(m, err)
			})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for logs and for who put it here")
	return c
}
