package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weftnet/weft/adapters/admin"
	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/adapters/admin/weft/v1/weftv1connect"
	"github.com/weftnet/weft/adapters/libp2phost"
)

// Bounds of API requests; the proto states them.
const (
	defaultPublishWait = 10 * time.Second
	defaultSearch      = 30 * time.Second
	defaultPingGap     = time.Second
	defaultPong        = 10 * time.Second
	maxPings           = 100
)

// api answers the control API with the node's own methods.
type api struct {
	weftv1connect.UnimplementedNodeServiceHandler
	n *Node
}

// openAPI serves the control API until the node closes.
func (n *Node) openAPI(p *parts) (err error) {
	if n.cfg.API == "" {
		return nil
	}
	cfg := n.cfg.serverConfig()
	cfg.Gatherer, cfg.Live, cfg.Ready = n.cfg.Registry, n.alive, n.Ready
	p.api, err = admin.Listen(cfg, api{n: n})
	if err == nil {
		p.onClose(p.closeAPI)
	}
	return err
}

// serverConfig is the part of the API's settings that the owner chose.
func (c Config) serverConfig() admin.ServerConfig {
	return admin.ServerConfig{
		Addr: c.API, MetricsAddr: c.MetricsAddr, Token: c.APIToken, AllowHosts: c.APIAllowHosts, Logger: c.Logger,
	}
}

// closeAPILimit bounds how long calls under way may go on; streams are ended at
// once. Chosen so that the whole node closes well before `docker stop` kills.
const closeAPILimit = 2 * time.Second

func (p *parts) closeAPI() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeAPILimit)
	defer cancel()
	err := p.api.Close(ctx)
	p.deciders.Wait()
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil // calls under way were cut, as a shutdown must: nothing of the node is lost
}

func (n *Node) alive() error { _, err := n.live(); return err }

func (a api) Id(context.Context, *weftv1.IdRequest) (*weftv1.IdResponse, error) {
	p, err := a.n.live()
	if err != nil {
		return nil, explain(err)
	}
	pub, err := a.n.ID().ExtractPublicKey()
	if err != nil {
		return nil, explain(err)
	}
	return &weftv1.IdResponse{
		PeerId: a.n.ID().String(), Fingerprint: libp2phost.Fingerprint(pub), Addresses: texts(a.n.Addrs()),
		Agent: UserAgent(), Version: version(), Network: a.n.cfg.Network,
		Protocols: sortedTexts(p.host.Base().Mux().Protocols()),
	}, nil
}

func (a api) Status(ctx context.Context, _ *weftv1.StatusRequest) (*weftv1.StatusResponse, error) {
	s, err := a.n.Status(ctx)
	if err != nil {
		return nil, explain(err)
	}
	cfg := a.n.cfg
	out := &weftv1.StatusResponse{
		PeerId: s.ID.String(), Network: s.Network, Agent: s.Agent, Version: version(),
		Started: timestamppb.New(s.Started), Uptime: durationpb.New(time.Since(s.Started)),
		Addresses: texts(s.Addrs), Listen: cfg.Listen,
		Peers: uint32(s.Peers), InboundPeers: uint32(s.Inbound), OutboundPeers: uint32(s.Outbound),
		MaxPeers: uint32(cfg.MaxPeers), KnownPeers: uint32(s.Known), DhtPeers: uint32(s.DHTPeers), Topics: uint32(s.Topics),
		DataDir: s.DataDir, Ephemeral: cfg.ephemeral(), Scope: cfg.Scope, Api: a.n.APIAddr(), Metrics: cfg.MetricsAddr,
		Bootstrappers: uint32(len(a.n.bootstrap.list())),
		ReceivedBytes: s.ReceivedBytes, SentBytes: s.SentBytes, LastEvent: a.n.events.last(),
		Members: uint32(s.Discovery.Members), PlainPeers: uint32(s.Discovery.Plain),
		Admission: cfg.Admission, Topology: cfg.Topology, Symmetry: cfg.Symmetry,
		Validators: uint32(s.Discovery.Places), Claims: uint32(s.Discovery.Claims.Known), ClaimSigned: timestamp(s.ClaimSigned),
		ObservedUptime: percent(s.Discovery.Observed, s.Discovery.IsObserved),
	}
	out.Genesis = hex.EncodeToString(cfg.Genesis)
	a.addMembers(out)
	for _, c := range a.n.Health() {
		if c.Err != nil {
			out.NotReady = append(out.NotReady, c.Name+": "+c.Err.Error())
		}
	}
	out.Ready = len(out.NotReady) == 0
	return out, nil
}

// addMembers tells of the file of members.
func (a api) addMembers(out *weftv1.StatusResponse) {
	p, err := a.n.live()
	if err != nil || p.members == nil {
		return
	}
	out.MembersFile, out.ListedMembers = a.n.cfg.MembersFile, uint32(len(p.members.Set().Peers))
	if err := p.members.Err(); err != nil {
		out.MembersFileError = err.Error()
	}
}

func (a api) Health(context.Context, *weftv1.HealthRequest) (*weftv1.HealthResponse, error) {
	out := &weftv1.HealthResponse{Ok: true}
	for _, c := range a.n.Health() {
		check := &weftv1.Check{Name: c.Name, Ok: c.Err == nil}
		if c.Err != nil {
			check.Reason, out.Ok = c.Err.Error(), false
		}
		out.Checks = append(out.Checks, check)
	}
	return out, nil
}

func (a api) Version(context.Context, *weftv1.VersionRequest) (*weftv1.VersionResponse, error) {
	return &weftv1.VersionResponse{
		Version: version(), Revision: revision(), Go: runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH, Agent: UserAgent(),
	}, nil
}

func (a api) GetLogLevel(context.Context, *weftv1.GetLogLevelRequest) (*weftv1.GetLogLevelResponse, error) {
	if a.n.cfg.LogLevel == nil {
		return nil, explain(errNoLogLevel)
	}
	return &weftv1.GetLogLevelResponse{Level: levelText(a.n.cfg.LogLevel.Level())}, nil
}

func (a api) SetLogLevel(_ context.Context, r *weftv1.SetLogLevelRequest) (*weftv1.SetLogLevelResponse, error) {
	if a.n.cfg.LogLevel == nil {
		return nil, explain(errNoLogLevel)
	}
	var level slog.Level
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, r.Level) {
		return nil, explain(fmt.Errorf("%w: level %q: use debug, info, warn or error", ErrArgument, r.Level))
	}
	if err := level.UnmarshalText([]byte(r.Level)); err != nil {
		return nil, explain(fmt.Errorf("%w: %w", ErrArgument, err))
	}
	before := a.n.cfg.LogLevel.Level()
	a.n.cfg.LogLevel.Set(level)
	return &weftv1.SetLogLevelResponse{Previous: levelText(before), Level: levelText(level)}, nil
}

var errNoLogLevel = errors.New("the program that embeds this node keeps its log level to itself: set Config.LogLevel")

func levelText(l slog.Level) string { return strings.ToLower(l.String()) }

func (a api) ConfigShow(context.Context, *weftv1.ConfigShowRequest) (*weftv1.ConfigShowResponse, error) {
	out := &weftv1.ConfigShowResponse{}
	for _, s := range a.n.cfg.Settings {
		out.Settings = append(out.Settings, &weftv1.Setting{Key: s.Key, Value: s.Value, Source: s.Source})
	}
	return out, nil
}

// parsePeer reads a peer ID from a request.
func parsePeer(s string) (peer.ID, error) {
	id, err := peer.Decode(s)
	if err != nil {
		return "", fmt.Errorf("%w: %q is not a peer ID: %w; it looks like 12D3KooW…", ErrArgument, s, err)
	}
	return id, nil
}

// within bounds ctx by a request's timeout, or by the default.
func within(ctx context.Context, d *durationpb.Duration, def time.Duration) (context.Context, context.CancelFunc) {
	if d.IsValid() && d.AsDuration() > 0 {
		def = d.AsDuration()
	}
	return context.WithTimeout(ctx, def)
}

func texts[T fmt.Stringer](list []T) (out []string) {
	for _, x := range list {
		out = append(out, legible(x.String(), maxText))
	}
	return out
}

func sortedTexts[T ~string](list []T) (out []string) {
	for _, x := range list {
		out = append(out, legible(string(x), maxText))
	}
	slices.Sort(out)
	return out
}

// Bounds of what strangers wrote, in bytes; chosen well above what is in use.
const (
	maxText  = 1024 // addresses, protocols, reasons
	maxAgent = 128
)

// legible makes a stranger's text one that an answer can hold and a terminal or page
// can show: protobuf refuses the whole message for a byte that is not UTF-8, and what
// does not print (control characters, marks that turn the direction) steers whatever
// shows it.
func legible(s string, most int) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s[:min(len(s), most)], string(utf8.RuneError)))
}
