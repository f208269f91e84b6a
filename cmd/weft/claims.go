package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

func (a *app) claimsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "claims [PEER]",
		Short: "List the signed address claims that the node holds",
		Long: "List the signed claims that the node holds: where their owners say that they can be\n" +
			"dialled, until when, and how the node stands to them. The node's own is among them.\n" +
			"Where only members are admitted it holds those of validators and bootstrappers alone.\n" +
			"With PEER everything about the claim of that one is told.",
		Args:              takes(0, 1, "one PEER or none"),
		ValidArgsFunction: a.completes(claimants),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context, c *client) error {
				if len(args) == 1 {
					return c.claim(ctx, args[0])
				}
				return c.claims(ctx)
			})
		},
	}
}

func (c *client) claims(ctx context.Context) error {
	m, err := c.api.Claims(ctx, &weftv1.ClaimsRequest{})
	if err != nil {
		return err
	}
	return c.show(m, func() error {
		var rows [][]string
		for _, x := range m.GetClaims() {
			rows = append(rows, []string{shortID(x.GetPeerId()), firstOf(x.GetAddresses()), sinceOrDash(x.GetSigned()),
				untilOrDash(x.GetExpires()), claimState(x)})
		}
		return c.table("PEER ADDRESSES SIGNED EXPIRES STATE", rows)
	})
}

// firstOf shows one of many, and how many more there are.
func firstOf(list []string) string {
	switch len(list) {
	case 0:
		return "-"
	case 1:
		return list[0]
	}
	return fmt.Sprintf("%s and %d more", list[0], len(list)-1)
}

func claimState(x *weftv1.Claim) string {
	if x.GetOwn() {
		return "own"
	}
	return x.GetState()
}

// claim tells everything about one claim.
func (c *client) claim(ctx context.Context, arg string) error {
	id, err := c.peerID(ctx, arg, claimants)
	if err != nil {
		return err
	}
	m, err := c.api.Claims(ctx, &weftv1.ClaimsRequest{PeerId: id})
	if err != nil {
		return err
	}
	if len(m.GetClaims()) == 0 {
		return fmt.Errorf("no claim of %s is held; `weft claims` lists those that are, `weft find` asks the DHT", id)
	}
	return c.show(m, func() error {
		x := m.GetClaims()[0]
		return c.fields(append([]string{
			"peer", x.GetPeerId(),
			"network", x.GetNetwork(),
			"signed", moment(x.GetSigned()),
			"expires", moment(x.GetExpires()),
			"state", strings.TrimSuffix(claimState(x)+", "+x.GetReason(), ", "),
			"validator", yesNo(x.GetValidator()),
		}, each("address", x.GetAddresses())...)...)
	})
}
