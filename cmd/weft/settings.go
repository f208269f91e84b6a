package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/weftnet/weft/adapters/admin"
	"github.com/weftnet/weft/adapters/regular"
	"github.com/weftnet/weft/cmd/weft/internal/settings"
	"github.com/weftnet/weft/node"
)

const apiOff = "off"

// globalSettings are those of every command.
func globalSettings() settings.Schema {
	return settings.Schema{
		{Key: settings.FileKey, Kind: settings.Text, Default: "", Usage: "TOML `file` of settings"},
		{Key: "api", Kind: settings.Text, Default: admin.DefaultAddr,
			Usage: "control API, `HOST:PORT` or unix:///PATH; a daemon listens there (\"off\": nowhere), other commands call it"},
		{Key: "api_token", Kind: settings.Text, Default: "", Secret: true,
			Usage: "`token` that the API asks for; better kept in --api-token-file, since command lines can be seen"},
		{Key: "api_token_file", Kind: settings.Text, Default: "", Usage: "`file` that holds the API token"},
		{Key: "output", Short: "o", Kind: settings.Text, Default: "text", Usage: "`form` of the output: text or json", Check: oneOf("text", "json")},
		{Key: "log_level", Kind: settings.Text, Default: "info", Usage: "least `level` to log: debug, info, warn or error", Check: oneOf("debug", "info", "warn", "error")},
		{Key: "log_format", Kind: settings.Text, Default: "text", Usage: "`form` of the log on stderr: text or json", Check: oneOf("text", "json")},
	}
}

// daemonSettings are those of `weft run` that the node itself does not know.
func daemonSettings() settings.Schema {
	return settings.Schema{
		{Key: "addr_file", Kind: settings.Text, Default: "", Usage: "write the node's addresses to this `file` once they can be dialled"},
		{Key: "drain_delay", Kind: settings.Period, Default: time.Duration(0),
			Usage: "on SIGTERM, how long to serve on while /readyz already says no"},
	}
}

// nodeSetting is a setting of the node: how it is written, where it goes.
type nodeSetting struct {
	settings.Setting
	apply func(*node.Config, any)
}

func nodeSettings() []nodeSetting {
	d := node.DefaultConfig()
	return []nodeSetting{
		{settings.Setting{Key: "network", Kind: settings.Text, Default: d.Network, Usage: "`name` of the overlay network"},
			func(c *node.Config, v any) { c.Network = v.(string) }},
		{settings.Setting{Key: "listen", Kind: settings.List, Default: d.Listen, Usage: "`multiaddr` to listen on (may be repeated)"},
			func(c *node.Config, v any) { c.Listen = v.([]string) }},
		{settings.Setting{Key: "announce", Kind: settings.List, Default: []string(nil), Usage: "`multiaddr` to tell others instead of the listen addresses (may be repeated)"},
			func(c *node.Config, v any) { c.Announce = v.([]string) }},
		{settings.Setting{Key: "bootstrap", Kind: settings.List, Default: []string(nil), Usage: "`multiaddr` with /p2p/PEERID to join through, /dnsaddr/NAME, or @FILE with one a line (may be repeated)"},
			func(c *node.Config, v any) { c.Bootstrap = v.([]string) }},
		{settings.Setting{Key: "topic", Kind: settings.List, Default: []string(nil), Usage: "`topic` to join at the start (may be repeated)"},
			func(c *node.Config, v any) { c.Topics = v.([]string) }},
		{settings.Setting{Key: "data_dir", Kind: settings.Text, Default: "", Usage: "`directory` of the identity and the saved peers (default $XDG_STATE_HOME/weft, else ~/.local/state/weft)"},
			func(c *node.Config, v any) { c.DataDir = v.(string) }},
		{settings.Setting{Key: "ephemeral", Kind: settings.Switch, Default: false, Usage: "write nothing; a new identity at each start"},
			func(c *node.Config, v any) { c.Ephemeral = v.(bool) }},
		{settings.Setting{Key: "api_allow_host", Kind: settings.List, Default: []string(nil), Usage: "`name` accepted in the Host header of API calls, beside the loopback ones (may be repeated)"},
			func(c *node.Config, v any) { c.APIAllowHosts = v.([]string) }},
		{settings.Setting{Key: "metrics", Kind: settings.Text, Default: "", Usage: "serve /metrics, /livez and /readyz alone on this `HOST:PORT` too"},
			func(c *node.Config, v any) { c.MetricsAddr = v.(string) }},
		{settings.Setting{Key: "max_peers", Kind: settings.Count, Default: d.MaxPeers, Usage: "most connected peers; bootstrappers come on top"},
			func(c *node.Config, v any) { c.MaxPeers = v.(int); c.TargetDegree = min(c.TargetDegree, c.MaxPeers) }},
		{settings.Setting{Key: "target_degree", Kind: settings.Count, Default: d.TargetDegree, Usage: "how many peers to dial of its own accord, at most max_peers"},
			func(c *node.Config, v any) { c.TargetDegree = v.(int); c.MaxPeers = max(c.TargetDegree, c.MaxPeers) }},
		{settings.Setting{Key: "max_message", Kind: settings.Size, Default: uint64(d.MaxMessageBytes), Usage: "largest message to publish or forward, up to 16MiB"},
			func(c *node.Config, v any) { c.MaxMessageBytes = int(v.(uint64)) }},
		{settings.Setting{Key: "dial_timeout", Kind: settings.Period, Default: d.DialTimeout, Usage: "time that one attempt to connect may take"},
			func(c *node.Config, v any) { c.DialTimeout = v.(time.Duration) }},
		{settings.Setting{Key: "conns_per_ip", Kind: settings.Count, Default: d.ConnsPerIP, Usage: "most connections from one IP address; loopback is exempt"},
			func(c *node.Config, v any) { c.ConnsPerIP = v.(int) }},
		{settings.Setting{Key: "memory_limit", Kind: settings.Size, Default: uint64(0), Usage: "memory that limits are derived from; 0: the cgroup's limit, else the host's memory"},
			func(c *node.Config, v any) { c.MemoryLimit = v.(uint64) }},
		{settings.Setting{Key: "tls_only", Kind: settings.Switch, Default: false, Usage: "refuse Noise: TLS 1.3 alone secures connections"},
			func(c *node.Config, v any) { c.TLSOnly = v.(bool) }},
		{settings.Setting{Key: "mdns", Kind: settings.Switch, Default: d.MDNS, Usage: "find peers on the local network"},
			func(c *node.Config, v any) { c.MDNS = v.(bool) }},
		{settings.Setting{Key: "scope", Kind: settings.Text, Default: d.Scope, Usage: "`addresses` that count: all, public, or auto (private ones while our own are private)"},
			func(c *node.Config, v any) { c.Scope = v.(string) }},
	}
}

// nodeSchema are the node's settings, each checked by the node's own rules.
func nodeSchema() (s settings.Schema) {
	for _, x := range nodeSettings() {
		x.Check = x.alone
		s = append(s, x.Setting)
	}
	return s
}

// alone checks the setting on an otherwise default node, so that an error can be
// laid to it.
func (x nodeSetting) alone(v any) error {
	cfg := node.DefaultConfig()
	cfg.API = admin.DefaultAddr // metrics need a server
	x.apply(&cfg, v)
	return bare(cfg.Validate())
}

// bare strips what the name and the origin of the setting tell already: the
// sentinel and the field.
func bare(err error) error {
	if err == nil {
		return nil
	}
	text := strings.TrimPrefix(err.Error(), node.ErrConfig.Error()+": ")
	if field, rest, found := strings.Cut(text, ": "); found && !strings.ContainsAny(field, "/\"") {
		text = rest
		if _, value, given := strings.Cut(field, " = "); given {
			text = fmt.Sprintf("%s will not do: %s", value, rest)
		}
	}
	return fmt.Errorf("%s", text)
}

// runSettings are the flags of `weft run` and `weft config show`.
func runSettings() settings.Schema { return slices.Concat(nodeSchema(), daemonSettings()) }

func loadSettings(environ []string, flags *pflag.FlagSet) (*settings.Values, error) {
	v, err := settings.Load(slices.Concat(globalSettings(), runSettings()), environ, flags)
	if err != nil {
		return nil, err
	}
	v.Derive("target_degree", min(v.Count("target_degree"), v.Count("max_peers")))
	v.Derive("data_dir", stateDir())
	return v, nil
}

// stateDir is the default data directory, where the XDG base directories put
// what a program keeps; empty when there is no home, as in a bare container.
func stateDir() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "weft")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "state", "weft")
}

// nodeConfig turns the settings into the configuration of a daemon's node.
func (a *app) nodeConfig() (node.Config, error) {
	cfg, err := a.bareConfig()
	if cfg.Ephemeral && a.values.IsFlag("ephemeral") && a.values.IsFlag("data_dir") {
		return cfg, usagef("--ephemeral keeps nothing, so it has no --data-dir; choose one of them")
	}
	if err == nil && cfg.DataDir == "" && !cfg.Ephemeral {
		return cfg, usagef("there is no home directory to keep the node's identity in; set --data-dir, or --ephemeral to keep nothing")
	}
	return cfg, err
}

// bareConfig is the node's configuration without regard to where it keeps things.
func (a *app) bareConfig() (node.Config, error) {
	cfg := node.DefaultConfig()
	for _, x := range nodeSettings() {
		x.apply(&cfg, a.values.Get(x.Key))
	}
	cfg.MaxPeers = a.values.Count("max_peers")
	if cfg.TargetDegree > cfg.MaxPeers {
		return cfg, usagef("target_degree (%s) is %d, but max_peers (%s) is %d; raise the one or lower the other",
			a.values.Origin("target_degree"), cfg.TargetDegree, a.values.Origin("max_peers"), cfg.MaxPeers)
	}
	if api := a.values.Text("api"); api != apiOff {
		cfg.API = api
	}
	var err error
	if cfg.APIToken, err = a.token(); err != nil {
		return cfg, err
	}
	cfg.Logger, cfg.LogLevel = a.log, a.level
	for _, s := range a.values.All() {
		cfg.Settings = append(cfg.Settings, node.Setting(s))
	}
	return cfg, cfg.Validate()
}

// maxTokenFile bounds the file of the API token, in bytes; chosen well above any
// token, which is sent with every call.
const maxTokenFile = 4096

// token is the API token, from its setting or its file.
func (a *app) token() (string, error) {
	file := a.values.Text("api_token_file")
	if file == "" || a.values.Text("api_token") != "" {
		return a.values.Text("api_token"), nil
	}
	text, err := regular.ReadFile(file, maxTokenFile)
	if err != nil {
		return "", usagef("the API token cannot be read: %v; check --api-token-file", err)
	}
	if token := strings.TrimSpace(string(text)); token != "" {
		return token, nil
	}
	return "", usagef("the API token file %s is empty; write the token into it", file)
}

func oneOf(words ...string) func(any) error {
	return func(v any) error {
		if slices.Contains(words, v.(string)) {
			return nil
		}
		return fmt.Errorf("%q is not one of %s", v, strings.Join(words, ", "))
	}
}

func parseLevel(s string) (l slog.Level) {
	// The setting was checked: what cannot be parsed does not come here.
	_ = l.UnmarshalText([]byte(s))
	return l
}
