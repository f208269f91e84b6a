package main

import (
	"context"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

// roster is whom a PEER argument may mean.
type roster struct {
	whom string
	ids  func(context.Context, *client) ([]string, error)
}

var (
	knownPeers = roster{"known peers", func(ctx context.Context, c *client) ([]string, error) {
		m, err := c.api.Peers(ctx, &weftv1.PeersRequest{All: true})
		return idsOf(m.GetPeers()), err
	}}
	claimants = roster{"peers with a claim", func(ctx context.Context, c *client) ([]string, error) {
		m, err := c.api.Claims(ctx, &weftv1.ClaimsRequest{})
		return idsOf(m.GetClaims()), err
	}}
	bannedPeers = roster{"banned peers", func(ctx context.Context, c *client) ([]string, error) {
		m, err := c.api.Bans(ctx, &weftv1.BansRequest{})
		return idsOf(m.GetBans()), err
	}}
)

func idsOf[M interface{ GetPeerId() string }](list []M) (ids []string) {
	for _, m := range list {
		if id := m.GetPeerId(); id != "" { // else a group's ban
			ids = append(ids, id)
		}
	}
	return ids
}

// peerID completes what a person typed to a peer ID: a whole one, or the end, as
// tables show it, of somebody on the roster.
func (c *client) peerID(ctx context.Context, arg string, r roster) (string, error) {
	if _, err := peer.Decode(arg); err == nil {
		return arg, nil
	}
	end := strings.TrimPrefix(arg, "…")
	if strings.ContainsAny(arg, "/ ") || len(end) < 4 {
		return "", usagef("%q is not a peer ID; it looks like 12D3KooW…, or the end that `weft peers` shows", arg)
	}
	ids, err := r.ids(ctx, c)
	if err != nil {
		return "", err
	}
	var found []string
	for _, id := range ids {
		if strings.HasSuffix(id, end) {
			found = append(found, id)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return "", usagef("%d %s end in %q; give the whole peer ID, as -o json tells it", len(found), r.whom, end)
}

// completionLimit bounds the wait of somebody who pressed Tab.
const completionLimit = 2 * time.Second

// completes lets the shell complete the first argument from a roster.
func (a *app) completes(r roster) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) (ids []string, _ cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		values, err := loadSettings(a.environ, cmd.Flags())
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		a.values = values
		ctx, cancel := context.WithTimeout(cmd.Context(), completionLimit)
		defer cancel()
		err = a.stream(ctx, func(ctx context.Context, c *client) (err error) {
			ids, err = r.ids(ctx, c)
			return err
		})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}
