package node

import (
	"cmp"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/multiformats/go-multiaddr"
	madns "github.com/multiformats/go-multiaddr-dns"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weftnet/weft/adapters/gossipsub"
	"github.com/weftnet/weft/adapters/kaddht"
	"github.com/weftnet/weft/adapters/libp2phost"
	"github.com/weftnet/weft/adapters/metrics"
	"github.com/weftnet/weft/protocols/dialing"
	"github.com/weftnet/weft/protocols/discovery"
	"github.com/weftnet/weft/protocols/handshake"
)

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("invalid configuration")

// Config says how a node runs. Start from DefaultConfig: the zero value is not
// valid.
type Config struct {
	// Network names the overlay: nodes of different networks refuse each other.
	// Letters, digits, '.', '_' and '-', at most 64.
	Network string
	// Genesis is the hash of what the network started from: nodes that differ in it
	// refuse each other. At most 64 bytes; empty where there is none.
	Genesis []byte

	// Profile sets what Topology, Admission and Symmetry mean when they are empty:
	// "open" (bounded, open, off) or "consortium" (mesh, members, required).
	Profile string
	// Topology is "bounded", to dial up to TargetDegree peers, or "mesh", to dial
	// everyone who is known.
	Topology string
	// Admission is "open", to let plain libp2p peers use the DHT and raw topics, or
	// "members", to disconnect whoever is not in MembersFile or ValidatorsFile.
	Admission string
	// Symmetry is "off", or "required": a pair that is not connected in both
	// directions SymmetryWithin from its first connection is disconnected, and kept
	// apart for ten minutes.
	Symmetry       string
	SymmetryWithin time.Duration
	// MembersFile names the peers to admit, one peer ID a line; it is read again
	// when it changes.
	MembersFile string
	// ValidatorsFile names the validators, one a line: a peer ID or ed25519:HEX of a
	// consensus key, and a weight. It is read again when it changes. Empty means that
	// SetValidators sets them.
	ValidatorsFile string
	// ConsensusKey is proved to every peer in the handshake; nil: none.
	ConsensusKey ed25519.PrivateKey

	// Listen are the multiaddrs to listen on; port 0 lets the system choose.
	Listen []string
	// Announce replaces the addresses that are told to others; empty means the
	// listen addresses, filtered by Scope.
	Announce []string
	// Bootstrap are the nodes to join through: multiaddrs that end in
	// /p2p/PEERID, /dnsaddr/NAME, or @FILE with one of those on each line. A
	// file is read again for as long as the node has not joined.
	Bootstrap []string
	// DefaultBootstrap are those that the network itself names; they are dialled like
	// Bootstrap.
	DefaultBootstrap []string
	// Topics are joined at the start: their messages are forwarded even while
	// nobody here subscribes.
	Topics []string
	// ObjectTopics are joined at the start, too.
	ObjectTopics []ObjectTopic

	// DataDir keeps the identity and the saved peers. Empty, or Ephemeral, means
	// that nothing is written and the identity is new at each start.
	DataDir   string
	Ephemeral bool
	// Key is the identity to use instead of the one in DataDir; Ed25519.
	Key crypto.PrivKey

	// API is where the control API listens, "HOST:PORT" or "unix:///PATH"; empty
	// means no API.
	API string
	// APIToken, when set, is asked of every caller; it must be set when API is
	// not a loopback address or a unix socket.
	APIToken string
	// APIAllowHosts are names, beside the loopback ones, accepted in an HTTP
	// Host header on a loopback API.
	APIAllowHosts []string
	// MetricsAddr serves /metrics, /livez and /readyz alone, "HOST:PORT"; they
	// are on API too. Empty means on API only.
	MetricsAddr string

	// MaxPeers bounds the connected peers; bootstrappers come on top. TargetDegree
	// of them, at most half, are kept for peers that the node dials itself.
	MaxPeers int
	// TargetDegree is how many peers the node dials of its own accord.
	TargetDegree int
	// MaxMessageBytes bounds a published message; at most 16 MiB. All nodes of a
	// topic should agree: larger messages are not forwarded.
	MaxMessageBytes int
	// DialTimeout bounds one attempt to connect.
	DialTimeout time.Duration
	// ConnsPerIP bounds the connections from one IP address (an IPv6 /56 counts
	// as one); loopback is exempt.
	ConnsPerIP int
	// MemoryLimit is what libp2p's resource limits are derived from, in bytes; 0
	// means the cgroup's limit, else the host's memory.
	MemoryLimit uint64

	// Gossip is "episub", to choose by what they bring who pushes messages to the node,
	// or "plain", for plain gossipsub. Nodes of both kinds understand each other.
	Gossip string

	// NoPubSub and NoDHT leave these parts out; their methods answer ErrOff.
	NoPubSub, NoDHT bool

	// TLSOnly turns Noise off.
	TLSOnly bool
	// MDNS finds peers on the local network.
	MDNS bool
	// Scope says which addresses count: "all", "public", or "auto", which keeps
	// private addresses while our own are private.
	Scope string

	// Resolver resolves /dns… and /dnsaddr addresses; nil means the system's.
	Resolver *madns.Resolver
	// Logger takes the node's log; nil discards it.
	Logger *slog.Logger
	// Registry takes the node's metrics; nil means one of its own. Nodes in one
	// process need one each.
	Registry *prometheus.Registry
	// Settings are shown by the API's ConfigShow, as the owner names them.
	Settings []Setting
	// LogLevel, when set, is the level that the API's SetLogLevel changes.
	LogLevel *slog.LevelVar
}

// Setting is one effective setting and where it came from.
type Setting struct{ Key, Value, Source string }

// The values of Config.Gossip.
const (
	gossipEpisub = "episub"
	gossipPlain  = "plain"
)

// MaxMessageLimit is the largest MaxMessageBytes (Basalt: max message size, 16 MB).
const MaxMessageLimit = gossipsub.MaxMaxMessage

// DefaultConfig returns the settings of an open network: port 30303 as in Basalt,
// the limits of the parts below, no bootstrappers, nothing on disk.
func DefaultConfig() Config {
	host, dial := libp2phost.DefaultConfig(), dialing.DefaultConfig()
	return Config{
		Network:         kaddht.DefaultNetwork,
		Profile:         "open",
		SymmetryWithin:  discovery.SymmetryWithin,
		Listen:          []string{"/ip4/0.0.0.0/tcp/30303", "/ip4/0.0.0.0/udp/30303/quic-v1", "/ip6/::/tcp/30303", "/ip6/::/udp/30303/quic-v1"},
		MaxPeers:        host.MaxPeers,
		TargetDegree:    dial.TargetDegree,
		MaxMessageBytes: gossipsub.DefaultMaxMessage,
		Gossip:          gossipEpisub,
		DialTimeout:     host.DialTimeout,
		ConnsPerIP:      host.ConnsPerIP,
		Scope:           host.Scope.String(),
	}
}

// The files in a data directory.
const (
	KeyFile  = "identity.key" // the identity: see libp2phost.LoadKey
	storeDir = "store"
)

// ephemeral says that nothing is written.
func (c Config) ephemeral() bool { return c.Ephemeral || c.DataDir == "" }

// withDefaults fills in what may be nil.
func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Resolver == nil {
		c.Resolver = madns.DefaultResolver
	}
	if c.Registry == nil {
		c.Registry = metrics.New(version())
	}
	return c.WithProfile()
}

// bootstrapSettings are all bootstrappers: the owner's own and the network's.
func (c Config) bootstrapSettings() []string { return slices.Concat(c.Bootstrap, c.DefaultBootstrap) }

var networkName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Validate reports the first setting that cannot work, by name, with a remedy.
func (c Config) Validate() error {
	if !networkName.MatchString(c.Network) {
		return c.bad("Network", c.Network, "use 1 to 64 letters, digits, '.', '_' or '-'")
	}
	if _, err := libp2phost.ParseScope(c.Scope); err != nil {
		return c.bad("Scope", c.Scope, "use auto, all or public")
	}
	if err := c.validateAddrs(); err != nil {
		return err
	}
	for _, t := range c.Topics {
		if err := gossipsub.CheckTopic(t); err != nil {
			return fmt.Errorf("%w: Topics: %w", ErrConfig, err)
		}
	}
	for _, t := range c.ObjectTopics {
		if err := t.validate(c); err != nil {
			return err
		}
	}
	if err := c.validatePolicy(); err != nil {
		return err
	}
	if err := c.validateAPI(); err != nil {
		return err
	}
	return c.validateLimits()
}

// profiles are what an empty Topology, Admission and Symmetry mean.
var profiles = map[string][3]string{
	"open":       {"bounded", "open", "off"},
	"consortium": {"mesh", "members", "required"},
}

// WithProfile returns the configuration with Topology, Admission and Symmetry filled
// in as the profile says.
func (c Config) WithProfile() Config {
	p := profiles[c.Profile]
	c.Topology, c.Admission, c.Symmetry = cmp.Or(c.Topology, p[0]), cmp.Or(c.Admission, p[1]), cmp.Or(c.Symmetry, p[2])
	return c
}

func (c Config) validatePolicy() error {
	if _, ok := profiles[c.Profile]; !ok {
		return c.bad("Profile", c.Profile, "use open or consortium")
	}
	for _, f := range []struct{ name, value, a, b string }{
		{"Topology", c.Topology, "bounded", "mesh"},
		{"Admission", c.Admission, "open", "members"},
		{"Symmetry", c.Symmetry, "off", "required"},
	} {
		if f.value != "" && f.value != f.a && f.value != f.b {
			return c.bad(f.name, f.value, "use "+f.a+" or "+f.b)
		}
	}
	c = c.WithProfile()
	switch {
	case c.Admission == "members" && c.MembersFile == "" && c.ValidatorsFile == "":
		return c.bad("Admission", c.Admission, "name the members: set MembersFile or ValidatorsFile")
	case len(c.Genesis) > handshake.MaxGenesis:
		return c.bad("Genesis", fmt.Sprintf("%x", c.Genesis), fmt.Sprintf("use at most %d bytes", handshake.MaxGenesis))
	case c.ConsensusKey != nil && len(c.ConsensusKey) != ed25519.PrivateKeySize:
		return fmt.Errorf("%w: ConsensusKey has %d bytes: use an Ed25519 private key", ErrConfig, len(c.ConsensusKey))
	case c.NoPubSub && len(c.Topics) > 0:
		return c.bad("Topics", c.Topics, "leave NoPubSub false, or name no topic")
	}
	return nil
}

func (c Config) validateAPI() error {
	if c.API == "" {
		if c.MetricsAddr != "" {
			return c.bad("MetricsAddr", c.MetricsAddr, "set API too, as one server does both; a unix socket keeps the API private")
		}
		return nil
	}
	if err := c.serverConfig().Validate(); err != nil {
		return fmt.Errorf("%w: API: %w", ErrConfig, err)
	}
	return nil
}

func (c Config) validateAddrs() error {
	if len(c.Listen) == 0 {
		return c.bad("Listen", "", "name at least one address, as /ip4/0.0.0.0/tcp/30303")
	}
	for name, list := range map[string][]string{"Listen": c.Listen, "Announce": c.Announce} {
		if _, err := parseAddrs(list); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrConfig, name, err)
		}
	}
	for _, b := range c.bootstrapSettings() {
		if err := validBootstrap(b); err != nil {
			return fmt.Errorf("%w: Bootstrap: %w", ErrConfig, err)
		}
	}
	return nil
}

func (c Config) validateLimits() error {
	switch {
	case c.MaxPeers < 1:
		return c.bad("MaxPeers", c.MaxPeers, "use 1 or more")
	case c.TargetDegree < 1 || c.TargetDegree > c.MaxPeers:
		return c.bad("TargetDegree", c.TargetDegree, "use 1 to MaxPeers")
	case c.Gossip != gossipEpisub && c.Gossip != gossipPlain:
		return c.bad("Gossip", c.Gossip, "use episub or plain")
	case c.MaxMessageBytes < 1 || c.MaxMessageBytes > MaxMessageLimit:
		return c.bad("MaxMessageBytes", c.MaxMessageBytes, fmt.Sprintf("use 1 to %d", MaxMessageLimit))
	case c.SymmetryWithin <= 0:
		return c.bad("SymmetryWithin", c.SymmetryWithin, "use a positive duration, as 15s")
	case c.DialTimeout <= 0:
		return c.bad("DialTimeout", c.DialTimeout, "use a positive duration, as 10s")
	case c.ConnsPerIP < 1:
		return c.bad("ConnsPerIP", c.ConnsPerIP, "use 1 or more")
	}
	return nil
}

func (Config) bad(field string, value any, remedy string) error {
	return fmt.Errorf("%w: %s = %v: %s", ErrConfig, field, value, remedy)
}

func parseAddrs(list []string) ([]multiaddr.Multiaddr, error) {
	var out []multiaddr.Multiaddr
	for _, s := range list {
		a, err := multiaddr.NewMultiaddr(s)
		if err != nil {
			return nil, fmt.Errorf("%q is not a multiaddr: %w; it looks like /ip4/192.0.2.1/tcp/30303", s, err)
		}
		out = append(out, a)
	}
	return out, nil
}
