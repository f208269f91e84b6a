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
		{Key: "output", Short: "o", Kind: settings.Text, Default: "text", Form: "text|json", Usage: "form of the output", Check: oneOf("text", "json")},
		{Key: "log_level", Kind: settings.Text, Default: "info", Form: "debug|info|warn|error", Usage: "least level to log", Check: oneOf("debug", "info", "warn", "error")},
		{Key: "log_format", Kind: settings.Text, Default: "text", Form: "text|json", Usage: "form of the log on stderr", Check: oneOf("text", "json")},
	}
}

// daemonSettings are those of `weft run` that the node itself does not know.
func daemonSettings() settings.Schema {
	return settings.Schema{
		{Key: "addr_file", Kind: settings.Text, Default: "", Group: headJoining, Usage: "write the node's addresses to this `file` once they can be dialled"},
		{Key: "consensus_key", Kind: settings.Text, Default: "", Group: headData,
			Usage: "`file` of the key of a consensus identity, as weft key consensus makes it, which is proved to every peer"},
		objectTopicSetting(),
		{Key: "drain_delay", Kind: settings.Period, Default: time.Duration(0), Group: headAPI,
			Usage: "on SIGTERM, how long to serve on while /readyz already says no"},
	}
}

// nodeSchema are the node's settings, each checked by the node's own rules.
func nodeSchema() (s settings.Schema) {
	for _, x := range nodeSettings() {
		x.Check = both(x.Check, x.alone)
		s = append(s, x.Setting)
	}
	return s
}

// both checks by one rule, if there is one, and then by another.
func both(first, second func(any) error) func(any) error {
	if first == nil {
		return second
	}
	return func(v any) error {
		if err := first(v); err != nil {
			return err
		}
		return second(v)
	}
}

// alone checks the setting on an otherwise default node, so that an error can be
// laid to it.
func (x nodeSetting) alone(v any) error {
	cfg := node.DefaultConfig()
	cfg.API, cfg.MembersFile = admin.DefaultAddr, "members" // metrics need a server, members a list
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

// deriveProfile makes the defaults those of the profile.
func deriveProfile(v *settings.Values) {
	meant, origin := node.Config{Profile: v.Text("profile")}.WithProfile(), profileOrigin(v)
	v.Weakly("topology", meant.Topology, origin)
	v.Weakly("admission", meant.Admission, origin)
	v.Weakly("symmetry", meant.Symmetry, origin)
}

// profileOrigin is where the settings come from that the profile decides.
func profileOrigin(v *settings.Values) string {
	if v.Origin("profile") == settings.Default {
		return settings.Default
	}
	return "profile " + v.Text("profile")
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
	if err != nil {
		return cfg, err
	}
	if cfg.Ephemeral && a.values.IsFlag("ephemeral") && a.values.IsFlag("data_dir") {
		return cfg, usagef("--ephemeral keeps nothing, so it has no --data-dir; choose one of them")
	}
	if cfg.DataDir == "" && !cfg.Ephemeral {
		return cfg, usagef("there is no home directory to keep the node's identity in; set --data-dir, or --ephemeral to keep nothing")
	}
	if err := a.checkAdmission(cfg); err != nil {
		return cfg, err
	}
	return cfg, cfg.Validate()
}

// checkAdmission refuses a list without the rule that it is for, and the rule
// without a list: each alone would not do what was meant.
func (a *app) checkAdmission(cfg node.Config) error {
	members, implied := cfg.Admission == "members", a.values.Origin("admission") == profileOrigin(a.values)
	switch {
	case !members && implied && cfg.MembersFile != "":
		return usagef("members (%s) names a list, but everyone is admitted; add --admission members, or --profile consortium", a.values.Origin("members"))
	case !members || cfg.MembersFile != "" || cfg.ValidatorsFile != "":
		return nil
	case implied:
		return usagef("profile (%s) is %s, which admits members only, and nobody is named; add --members FILE or --validators FILE",
			a.values.Origin("profile"), cfg.Profile)
	}
	return usagef("admission (%s) is members, and nobody is named; add --members FILE or --validators FILE", a.values.Origin("admission"))
}

// bareConfig is the node's configuration without regard to where it keeps things,
// and to whom it admits.
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
	if cfg.ObjectTopics, err = a.objectTopics(); err != nil {
		return cfg, err
	}
	cfg.DefaultBootstrap = a.network.bootstrap
	cfg.Logger, cfg.LogLevel = a.log, a.level
	for _, s := range a.shownSettings() {
		cfg.Settings = append(cfg.Settings, node.Setting(s))
	}
	return cfg, nil
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
