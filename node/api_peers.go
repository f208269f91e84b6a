package node

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/protocols/dialing"
)

func (a api) Peers(ctx context.Context, r *weftv1.PeersRequest) (*weftv1.PeersResponse, error) {
	if r.PeerId != "" {
		if _, err := parsePeer(r.PeerId); err != nil {
			return nil, explain(err)
		}
	}
	all, err := a.everyone(ctx)
	if err != nil {
		return nil, explain(err)
	}
	out := &weftv1.PeersResponse{}
	for _, p := range all {
		if wanted(r, p) {
			out.Peers = append(out.Peers, p)
		}
	}
	return out, nil
}

func wanted(r *weftv1.PeersRequest, p *weftv1.Peer) bool {
	switch {
	case r.PeerId != "" && r.PeerId != p.PeerId:
		return false
	case len(r.States) > 0:
		return slices.Contains(r.States, p.State)
	}
	return r.All || r.PeerId != "" || p.State == stateConnected
}

const stateConnected = "connected"

// everyone merges what the host says of connections with what the dialing
// machine means to do: connected peers first, then by peer ID.
func (a api) everyone(ctx context.Context) ([]*weftv1.Peer, error) {
	known, err := a.n.KnownPeers(ctx)
	if err != nil {
		return nil, err
	}
	byID := make(map[peer.ID]*weftv1.Peer, len(known))
	for _, k := range known {
		byID[k.ID] = knownPeer(k)
	}
	for _, c := range a.n.Peers() {
		if byID[c.ID] == nil {
			byID[c.ID] = &weftv1.Peer{PeerId: c.ID.String(), Source: "inbound"}
		}
		connectedPeer(byID[c.ID], c)
	}
	if err := a.addViews(ctx, byID); err != nil {
		return nil, err
	}
	out := make([]*weftv1.Peer, 0, len(byID))
	for _, p := range byID {
		if p.State == stateConnected && p.Transport == "" {
			p.State = "known" // it left between the two looks
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(x, y *weftv1.Peer) int {
		return cmp.Or(-compareBool(x.State == stateConnected, y.State == stateConnected), cmp.Compare(x.PeerId, y.PeerId))
	})
	return out, nil
}

// addViews adds how the protocols see the connected, and whom they refused.
func (a api) addViews(ctx context.Context, byID map[peer.ID]*weftv1.Peer) error {
	views, err := a.n.Members(ctx)
	if err != nil {
		return err
	}
	refusals, err := a.n.Refusals(ctx)
	if err != nil {
		return err
	}
	for _, v := range views {
		if p := byID[v.ID]; p != nil && p.State == stateConnected {
			viewedPeer(p, v)
		}
	}
	for _, r := range refusals {
		if byID[r.Peer] == nil {
			byID[r.Peer] = &weftv1.Peer{PeerId: r.Peer.String(), Source: "inbound", State: "rejected"}
		}
		refusedPeer(byID[r.Peer], r)
	}
	return nil
}

func viewedPeer(p *weftv1.Peer, v MemberView) {
	p.Validator, p.Score = v.Validator, v.Score
	switch {
	case v.Guest:
		p.Role = "guest"
	case v.Plain:
		p.Role = "plain"
	case !v.Member:
		p.Role = "joining"
	default:
		p.Role, p.ProtocolVersion = "member", strings.TrimPrefix(v.Version.String(), "v")
		p.Uptime, p.Says = percent(v.Uptime, true), percent(v.Says, v.Told)
		if v.RTT > 0 {
			p.Pong = durationpb.New(v.RTT)
		}
	}
}

func refusedPeer(p *weftv1.Peer, r Refusal) {
	p.Rejection, p.RejectedByUs = r.Reason, r.ByUs
	if p.State != stateConnected && p.Reason == "" {
		p.Reason = legible(r.String(), maxText)
	}
}

func compareBool(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	}
	return -1
}

// states are dialing's states as the proto spells them.
var states = map[dialing.State]string{
	dialing.StateWaiting:   "known",
	dialing.StateDialling:  "dialling",
	dialing.StateConnected: stateConnected,
	dialing.StateBackoff:   "backoff",
	dialing.StateCoolDown:  "cooldown",
	dialing.StateRejected:  "rejected",
	dialing.StateBanned:    "banned",
}

func knownPeer(k KnownPeer) *weftv1.Peer {
	p := &weftv1.Peer{
		PeerId: k.ID.String(), State: states[k.State], Reason: legible(k.Reason, maxText), Addresses: texts(k.Addrs),
		Source: k.Source, Bootstrapper: k.Bootstrapper, Failures: uint32(k.Failures),
		Since: timestamp(k.Since), RetryAt: timestamp(k.RetryAt),
	}
	if len(p.Addresses) > 0 {
		p.Address = p.Addresses[0]
	}
	return p
}

func connectedPeer(p *weftv1.Peer, c Peer) {
	p.State, p.Address, p.Direction = stateConnected, c.Addr.String(), direction(c.Inbound)
	p.Agent, p.Protocols, p.Streams = legible(c.Agent, maxAgent), sortedTexts(c.Protocols), uint32(c.Streams)
	p.Since, p.Transport, p.Security = timestamp(c.Since), c.Transport, c.Security
	p.Admitted, p.Connections = c.Admitted, uint32(c.Conns)
	p.InboundConnections, p.OutboundConnections = uint32(c.InboundConns), uint32(c.OutboundConns)
	p.Reason, p.RetryAt, p.Failures = "", nil, 0
	if c.Latency > 0 {
		p.Latency = durationpb.New(c.Latency)
	}
}

func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func (a api) Connect(ctx context.Context, r *weftv1.ConnectRequest) (*weftv1.ConnectResponse, error) {
	ctx, cancel := within(ctx, r.Timeout, a.n.cfg.DialTimeout)
	defer cancel()
	id, dial, err := a.target(r.Address)
	if err != nil {
		return nil, explain(err)
	}
	p, err := a.n.live()
	if err != nil {
		return nil, explain(err)
	}
	already := p.host.Connected(id)
	if err := a.n.settle(ctx, id, dial); err != nil {
		return nil, explain(err)
	}
	out := &weftv1.ConnectResponse{Already: already, Peer: &weftv1.Peer{PeerId: id.String()}}
	for _, c := range a.n.Peers() {
		if c.ID == id {
			connectedPeer(out.Peer, c)
		}
	}
	return out, nil
}

// target reads whom to connect to: an address, or a bare peer ID, which is
// looked up in the DHT.
func (a api) target(s string) (peer.ID, func(context.Context) error, error) {
	if strings.HasPrefix(s, "/") {
		ma, err := parseBootstrap(s)
		if err != nil {
			return "", nil, fmt.Errorf("%w: %w", ErrArgument, err)
		}
		info, err := peer.AddrInfoFromP2pAddr(ma)
		if err != nil {
			return "", nil, fmt.Errorf("%w: %s: %w", ErrArgument, s, err)
		}
		return info.ID, func(ctx context.Context) error { return a.n.Connect(ctx, s) }, nil
	}
	id, err := parsePeer(s)
	if err != nil {
		return "", nil, fmt.Errorf("%w; or give a multiaddr that ends in /p2p/PEERID", err)
	}
	return id, func(ctx context.Context) error { return a.n.ConnectPeer(ctx, id) }, nil
}

func (a api) Disconnect(_ context.Context, r *weftv1.DisconnectRequest) (*weftv1.DisconnectResponse, error) {
	id, err := parsePeer(r.PeerId)
	if err != nil {
		return nil, explain(err)
	}
	if err := a.n.Disconnect(id); err != nil {
		return nil, explain(err)
	}
	return &weftv1.DisconnectResponse{}, nil
}

func (a api) Ping(ctx context.Context, r *weftv1.PingRequest) (*weftv1.PingResponse, error) {
	id, err := parsePeer(r.PeerId)
	if err != nil {
		return nil, explain(err)
	}
	if r.Count > maxPings {
		return nil, explain(fmt.Errorf("%w: count %d: use 1 to %d", ErrArgument, r.Count, maxPings))
	}
	if err := a.reach(ctx, id, r.Timeout); err != nil {
		return nil, explain(err)
	}
	gap := defaultPingGap
	if r.Interval.IsValid() && r.Interval.AsDuration() > 0 {
		gap = r.Interval.AsDuration()
	}
	out := &weftv1.PingResponse{}
	for i := range max(r.Count, 1) {
		if i > 0 {
			select {
			case <-time.After(gap):
			case <-ctx.Done():
				return nil, explain(ctx.Err())
			}
		}
		out.Pongs = append(out.Pongs, a.ping(ctx, id, r.Timeout))
	}
	summarise(out)
	return out, nil
}

// reach connects to a peer unless it is connected, finding it first.
func (a api) reach(ctx context.Context, id peer.ID, timeout *durationpb.Duration) error {
	ctx, cancel := within(ctx, timeout, defaultPong)
	defer cancel()
	return a.n.ConnectPeer(ctx, id)
}

func (a api) ping(ctx context.Context, id peer.ID, timeout *durationpb.Duration) *weftv1.Pong {
	ctx, cancel := within(ctx, timeout, defaultPong)
	defer cancel()
	rtt, err := a.n.Ping(ctx, id)
	if err != nil {
		return &weftv1.Pong{Error: legible(err.Error(), maxText)}
	}
	return &weftv1.Pong{Rtt: durationpb.New(rtt)}
}

func summarise(r *weftv1.PingResponse) {
	var rtts []time.Duration
	var sum time.Duration
	for _, p := range r.Pongs {
		if p.Error != "" {
			r.Lost++
			continue
		}
		rtts = append(rtts, p.Rtt.AsDuration())
		sum += p.Rtt.AsDuration()
	}
	if len(rtts) > 0 {
		r.Min, r.Max = durationpb.New(slices.Min(rtts)), durationpb.New(slices.Max(rtts))
		r.Mean = durationpb.New(sum / time.Duration(len(rtts)))
	}
}

func (a api) FindPeer(ctx context.Context, r *weftv1.FindPeerRequest) (*weftv1.FindPeerResponse, error) {
	id, err := parsePeer(r.PeerId)
	if err != nil {
		return nil, explain(err)
	}
	ctx, cancel := within(ctx, r.Timeout, defaultSearch)
	defer cancel()
	start := time.Now()
	info, err := a.n.FindPeer(ctx, id)
	if err != nil {
		return nil, explain(err)
	}
	return &weftv1.FindPeerResponse{Peer: peerAddrs(info), Took: durationpb.New(time.Since(start))}, nil
}

func (a api) ClosestPeers(ctx context.Context, r *weftv1.ClosestPeersRequest) (*weftv1.ClosestPeersResponse, error) {
	ctx, cancel := within(ctx, r.Timeout, defaultSearch)
	defer cancel()
	start := time.Now()
	found, err := a.n.Closest(ctx, r.Key)
	if err != nil {
		return nil, explain(err)
	}
	out := &weftv1.ClosestPeersResponse{Took: durationpb.New(time.Since(start))}
	for _, info := range found {
		out.Peers = append(out.Peers, peerAddrs(info))
	}
	return out, nil
}

func peerAddrs(info peer.AddrInfo) *weftv1.PeerAddrs {
	return &weftv1.PeerAddrs{PeerId: info.ID.String(), Addresses: texts(info.Addrs)}
}
