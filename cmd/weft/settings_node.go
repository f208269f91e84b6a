package main

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weftnet/weft/cmd/weft/internal/settings"
	"github.com/weftnet/weft/node"
)

// The headings of the settings in the help.
const (
	headNetwork = "Network"
	headJoining = "Addresses and joining"
	headData    = "Identity and data"
	headLimits  = "Connections and limits"
	headTopics  = "Messages and objects"
	headAPI     = "API and operation"
)

// nodeSetting is a setting of the node: how it is written, where it goes.
type nodeSetting struct {
	settings.Setting
	apply func(*node.Config, any)
}

// nodeSettings are all of them, as the help and `weft config show` list them.
func nodeSettings() []nodeSetting {
	d := node.DefaultConfig()
	return slices.Concat(
		under(headNetwork, networkSettings(d)),
		under(headJoining, joiningSettings(d)),
		under(headData, dataSettings()),
		under(headTopics, topicSettings(d)),
		under(headLimits, limitSettings(d)),
		under(headAPI, apiSettings()),
	)
}

func under(head string, list []nodeSetting) []nodeSetting {
	for i := range list {
		list[i].Group = head
	}
	return list
}

func networkSettings(d node.Config) []nodeSetting {
	return []nodeSetting{
		{settings.Setting{Key: "network", Kind: settings.Text, Default: d.Network, Usage: "`NAME` of the overlay network, or @FILE that tells it and its genesis, bootstrappers and profile"},
			func(c *node.Config, v any) {
				if _, isFile := strings.CutPrefix(v.(string), "@"); !isFile {
					c.Network = v.(string)
				}
			}},
		{settings.Setting{Key: "genesis", Kind: settings.Text, Default: "", Usage: "`hash`, in hexadecimal, of what the network started from: nodes with another are refused", Check: func(v any) error { _, err := parseGenesis(v.(string)); return err }},
			func(c *node.Config, v any) { c.Genesis, _ = parseGenesis(v.(string)) }}, // was checked
		{settings.Setting{Key: "profile", Kind: settings.Text, Default: d.Profile, Form: "open|consortium", Usage: "what the next three are unless set: bounded, open and off, or mesh, members and required"},
			func(c *node.Config, v any) { c.Profile = v.(string) }},
		{settings.Setting{Key: "topology", Kind: settings.Text, Default: d.WithProfile().Topology, Form: "bounded|mesh", Usage: "dial up to target_degree peers, or everyone known"},
			func(c *node.Config, v any) { c.Topology = v.(string) }},
		{settings.Setting{Key: "admission", Kind: settings.Text, Default: d.WithProfile().Admission, Form: "open|members", Usage: "admit everyone, or only those in the files of members and validators"},
			func(c *node.Config, v any) { c.Admission = v.(string) }},
		{settings.Setting{Key: "symmetry", Kind: settings.Text, Default: d.WithProfile().Symmetry, Form: "off|required", Usage: "whether to part from a peer unless we are connected both ways in time"},
			func(c *node.Config, v any) { c.Symmetry = v.(string) }},
		{settings.Setting{Key: "symmetry_within", Kind: settings.Period, Default: d.SymmetryWithin, Usage: "that time, from the first connection on"},
			func(c *node.Config, v any) { c.SymmetryWithin = v.(time.Duration) }},
		{settings.Setting{Key: "members", Kind: settings.Text, Default: "", Usage: "`file` of the members, a peer ID a line; read again when it changes"},
			func(c *node.Config, v any) { c.MembersFile = v.(string) }},
		{settings.Setting{Key: "validators", Kind: settings.Text, Default: "", Usage: "`file` of the validators, a peer ID or ed25519:HEX and a weight a line; read again when it changes"},
			func(c *node.Config, v any) { c.ValidatorsFile = v.(string) }},
	}
}

// parseGenesis reads a hash, with 0x in front or without. Its length is the node's
// affair.
func parseGenesis(s string) ([]byte, error) {
	genesis, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
	if err != nil {
		return nil, fmt.Errorf("%q is not hexadecimal; write two digits a byte, as 0x6a09e667", s)
	}
	return genesis, nil
}

func joiningSettings(d node.Config) []nodeSetting {
	return []nodeSetting{
		{settings.Setting{Key: "bootstrap", Kind: settings.List, Default: []string(nil), Usage: "`multiaddr` with /p2p/PEERID to join through, /dnsaddr/NAME, or @FILE with one a line (may be repeated)"},
			func(c *node.Config, v any) { c.Bootstrap = v.([]string) }},
		{settings.Setting{Key: "listen", Kind: settings.List, Default: d.Listen, Usage: "`multiaddr` to listen on (may be repeated)"},
			func(c *node.Config, v any) { c.Listen = v.([]string) }},
		{settings.Setting{Key: "announce", Kind: settings.List, Default: []string(nil), Usage: "`multiaddr` to tell others instead of the listen addresses (may be repeated)"},
			func(c *node.Config, v any) { c.Announce = v.([]string) }},
		{settings.Setting{Key: "scope", Kind: settings.Text, Default: d.Scope, Usage: "`addresses` that count: all, public, or auto (private ones while our own are private)"},
			func(c *node.Config, v any) { c.Scope = v.(string) }},
		{settings.Setting{Key: "mdns", Kind: settings.Switch, Default: d.MDNS, Usage: "find peers on the local network"},
			func(c *node.Config, v any) { c.MDNS = v.(bool) }},
	}
}

func dataSettings() []nodeSetting {
	return []nodeSetting{
		{settings.Setting{Key: "data_dir", Kind: settings.Text, Default: "", Usage: "`directory` of the identity and of what is remembered (default $XDG_STATE_HOME/weft, else ~/.local/state/weft)"},
			func(c *node.Config, v any) { c.DataDir = v.(string) }},
		{settings.Setting{Key: "ephemeral", Kind: settings.Switch, Default: false, Usage: "write nothing; a new identity at each start"},
			func(c *node.Config, v any) { c.Ephemeral = v.(bool) }},
	}
}

func topicSettings(d node.Config) []nodeSetting {
	return []nodeSetting{
		{settings.Setting{Key: "topic", Kind: settings.List, Default: []string(nil), Usage: "`topic` to join at the start (may be repeated)"},
			func(c *node.Config, v any) { c.Topics = v.([]string) }},
		{settings.Setting{Key: "max_message", Kind: settings.Size, Default: uint64(d.MaxMessageBytes), Usage: "largest message to publish or forward, up to 16MiB"},
			func(c *node.Config, v any) { c.MaxMessageBytes = int(v.(uint64)) }},
		{settings.Setting{Key: "gossip", Kind: settings.Text, Default: d.Gossip, Form: "episub|plain", Usage: "choose by what they bring who pushes messages, or leave it to gossipsub"},
			func(c *node.Config, v any) { c.Gossip = v.(string) }},
	}
}

func limitSettings(d node.Config) []nodeSetting {
	return []nodeSetting{
		{settings.Setting{Key: "max_peers", Kind: settings.Count, Default: d.MaxPeers, Usage: "most connected peers; bootstrappers come on top"},
			func(c *node.Config, v any) { c.MaxPeers = v.(int); c.TargetDegree = min(c.TargetDegree, c.MaxPeers) }},
		{settings.Setting{Key: "target_degree", Kind: settings.Count, Default: d.TargetDegree, Usage: "how many peers to dial of its own accord, at most max_peers"},
			func(c *node.Config, v any) { c.TargetDegree = v.(int); c.MaxPeers = max(c.TargetDegree, c.MaxPeers) }},
		{settings.Setting{Key: "dial_timeout", Kind: settings.Period, Default: d.DialTimeout, Usage: "time that one attempt to connect may take"},
			func(c *node.Config, v any) { c.DialTimeout = v.(time.Duration) }},
		{settings.Setting{Key: "conns_per_ip", Kind: settings.Count, Default: d.ConnsPerIP, Usage: "most connections from one IP address; loopback is exempt"},
			func(c *node.Config, v any) { c.ConnsPerIP = v.(int) }},
		{settings.Setting{Key: "memory_limit", Kind: settings.Size, Default: uint64(0), Usage: "memory that limits are derived from; 0: the cgroup's limit, else the host's memory"},
			func(c *node.Config, v any) { c.MemoryLimit = v.(uint64) }},
		{settings.Setting{Key: "tls_only", Kind: settings.Switch, Default: false, Usage: "refuse Noise: TLS 1.3 alone secures connections"},
			func(c *node.Config, v any) { c.TLSOnly = v.(bool) }},
	}
}

func apiSettings() []nodeSetting {
	return []nodeSetting{
		{settings.Setting{Key: "api_allow_host", Kind: settings.List, Default: []string(nil), Usage: "`name` accepted in the Host header of API calls, beside the loopback ones (may be repeated)"},
			func(c *node.Config, v any) { c.APIAllowHosts = v.([]string) }},
		{settings.Setting{Key: "metrics", Kind: settings.Text, Default: "", Usage: "serve /metrics, /livez and /readyz alone on this `HOST:PORT` too"},
			func(c *node.Config, v any) { c.MetricsAddr = v.(string) }},
	}
}
