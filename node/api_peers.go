package node

import (
	"cmp"
	"context"
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
			p.State, p.Role = "known", "" // it left between the two looks
			if p.Rejection != "" {
				p.State = "rejected"
			}
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
	for _, t := range v.Terms {
		p.Terms = append(p.Terms, &weftv1.ScoreTerm{
			Name: t.Kind.String(), Points: t.Points, Count: t.Count, Since: timestamp(t.Since), Explanation: t.Text,
		})
	}
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
