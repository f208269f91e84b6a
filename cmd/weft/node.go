package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/adapters/libp2phost"
	"github.com/weftnet/weft/cmd/weft/internal/settings"
	"github.com/weftnet/weft/node"
)

func (a *app) idCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "id",
		Short: "Tell who the node is and where it can be dialled",
		Long: "Tell the node's peer ID, the SHA-256 fingerprint of its key, and where it can be\n" +
			"dialled. With --data-dir the identity is read from there, and no daemon is needed.",
		Args: takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("data-dir") {
				return a.offlineID(a.values.Text("data_dir"))
			}
			return a.call(cmd, func(ctx context.Context, c *client) error { return c.id(ctx) })
		},
	}
	nodeSchema().Only("data_dir").Flags(c.Flags())
	return c
}

func (c *client) id(ctx context.Context) error {
	m, err := c.api.Id(ctx, &weftv1.IdRequest{})
	if err != nil {
		return err
	}
	return c.show(m, func() error {
		return c.fields(append([]string{
			"peer id", m.GetPeerId(), "fingerprint", m.GetFingerprint(),
			"agent", m.GetAgent(), "network", m.GetNetwork(),
		}, each("address", m.GetAddresses())...)...)
	})
}

func (a *app) offlineID(dir string) error {
	path := filepath.Join(dir, node.KeyFile)
	key, err := libp2phost.LoadKey(path)
	if err != nil {
		return err
	}
	who, err := identify(key, path)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(who)
	}
	return a.fields("peer id", who.ID, "fingerprint", who.Fingerprint, "file", who.File)
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell how the node fares",
		Args:  takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context, c *client) error { return c.status(ctx) })
		},
	}
}

func (c *client) status(ctx context.Context) error {
	m, err := c.api.Status(ctx, &weftv1.StatusRequest{})
	if err != nil {
		return err
	}
	return c.show(m, func() error {
		return c.fields(append([]string{
			"peer id", m.GetPeerId(),
			"network", m.GetNetwork(),
			"genesis", dash(m.GetGenesis()),
			"agent", m.GetAgent(),
			"up", ago(m.GetUptime().AsDuration()),
			"ready", readiness(m),
			"peers", fmt.Sprintf("%d of %d (%d dialled us, %d dialled by us), %d known", m.GetPeers(), m.GetMaxPeers(), m.GetInboundPeers(), m.GetOutboundPeers(), m.GetKnownPeers()),
			"of them", fmt.Sprintf("weft members %d, plain libp2p peers %d", m.GetMembers(), m.GetPlainPeers()),
			"policy", fmt.Sprintf("admission %s, topology %s, symmetry %s", m.GetAdmission(), m.GetTopology(), m.GetSymmetry()),
			"members", memberList(m),
			"validators", number(m.GetValidators()),
			"claims", fmt.Sprintf("%s, %d of others", ownClaim(m), m.GetClaims()),
			"observed", observed(m),
			"dht", fmt.Sprintf("%d in the table", m.GetDhtPeers()),
			"topics", strconv.Itoa(int(m.GetTopics())),
			"traffic", fmt.Sprintf("%s in, %s out", volume(m.GetReceivedBytes()), volume(m.GetSentBytes())),
			"data dir", dash(m.GetDataDir()),
			"api", dash(m.GetApi()),
		}, each("address", m.GetAddresses())...)...)
	})
}

// memberList is what the file of members says, and whether it can be read.
func memberList(m *weftv1.StatusResponse) string {
	switch {
	case m.GetMembersFile() == "":
		return "-"
	case m.GetMembersFileError() != "":
		return fmt.Sprintf("%d listed; its file cannot be used: %s", m.GetListedMembers(), m.GetMembersFileError())
	}
	return fmt.Sprintf("%d listed in %s", m.GetListedMembers(), m.GetMembersFile())
}

func ownClaim(m *weftv1.StatusResponse) string {
	if m.GetClaimSigned() == nil {
		return "own not signed yet"
	}
	return fmt.Sprintf("own signed %s ago", sinceOrDash(m.GetClaimSigned()))
}

// observed is our uptime in the eyes of others.
func observed(m *weftv1.StatusResponse) string {
	if m.ObservedUptime == nil {
		return "nobody has told yet how much of the time we were up"
	}
	return "up " + percentage(m.ObservedUptime) + " of the time, say others"
}

func readiness(m *weftv1.StatusResponse) string {
	if m.GetReady() {
		return "yes"
	}
	return "no: " + strings.Join(m.GetNotReady(), "; ")
}

func (a *app) healthCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "health",
		Short: "Check the node's health",
		Long:  "Check the node's health. Exits 0 when it is healthy, 5 when it is not, 3 when no daemon answers.",
		Args:  takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context, c *client) error { return c.health(ctx) })
		},
	}
}

func (c *client) health(ctx context.Context) error {
	m, err := c.api.Health(ctx, &weftv1.HealthRequest{})
	if err != nil {
		return err
	}
	err = c.show(m, func() error {
		var rows [][]string
		for _, x := range m.GetChecks() {
			rows = append(rows, []string{x.GetName(), verdict(x.GetOk()), dash(x.GetReason())})
		}
		return c.table("CHECK STATE REASON", rows)
	})
	if err != nil || m.GetOk() {
		return err
	}
	var reasons []string
	for _, x := range m.GetChecks() {
		if !x.GetOk() {
			reasons = append(reasons, x.GetName()+": "+x.GetReason())
		}
	}
	return fmt.Errorf("%w: %s", errUnhealthy, strings.Join(reasons, "; "))
}

func verdict(ok bool) string {
	if ok {
		return "ok"
	}
	return "failed"
}

func (a *app) logLevelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "log-level [LEVEL]",
		Short: "Tell or change the level of the daemon's log",
		Long:  "Tell the level of the daemon's log, or change it (debug, info, warn or error) until\nthe daemon is restarted.",
		Args:  takes(0, 1, "one LEVEL or none"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context, c *client) error { return c.logLevel(ctx, args) })
		},
	}
}

func (c *client) logLevel(ctx context.Context, args []string) error {
	if len(args) == 0 {
		m, err := c.api.GetLogLevel(ctx, &weftv1.GetLogLevelRequest{})
		if err != nil {
			return err
		}
		return c.show(m, func() error { return c.print(m.GetLevel()) })
	}
	m, err := c.api.SetLogLevel(ctx, &weftv1.SetLogLevelRequest{Level: args[0]})
	if err != nil {
		return err
	}
	return c.show(m, func() error { return c.print(m.GetLevel()) })
}

func (c *client) showConfig(ctx context.Context) error {
	m, err := c.api.ConfigShow(ctx, &weftv1.ConfigShowRequest{})
	if err != nil {
		return err
	}
	var list []settings.Shown
	for _, s := range m.GetSettings() {
		list = append(list, settings.Shown{Key: s.GetKey(), Value: s.GetValue(), Source: s.GetSource()})
	}
	return c.showSettings(list)
}

// each pairs one name with many values, for fields.
func each(name string, values []string) (pairs []string) {
	for _, v := range values {
		pairs = append(pairs, name, v)
		name = ""
	}
	return pairs
}
