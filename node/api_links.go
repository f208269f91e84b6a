package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/types/known/durationpb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

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
