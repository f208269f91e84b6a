package kaddht

import (
	"context"
	"errors"
	"fmt"

	kb "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
)

// What a lookup can come to, besides the error of its context.
var (
	ErrNotFound = errors.New("peer not found in the DHT")
	ErrNoPeers  = errors.New("no DHT peers")
	ErrBadKey   = errors.New("bad DHT key")
)

// FindPeer finds where a peer can be reached. A peer that we are connected to is
// found without asking anybody.
func (d *DHT) FindPeer(ctx context.Context, id peer.ID) (peer.AddrInfo, error) {
	if err := id.Validate(); err != nil {
		return peer.AddrInfo{}, fmt.Errorf("%w: %w: give a peer ID", ErrBadKey, err)
	}
	if id == d.host.ID() {
		return peer.AddrInfo{ID: id, Addrs: d.cfg.keep(d.host.Addrs())}, nil
	}
	var info peer.AddrInfo
	err := d.lookup(ctx, findPeer, func(ctx context.Context) (err error) {
		info, err = d.dht.FindPeer(ctx, id)
		if err == nil && len(info.Addrs) == 0 {
			info, err = d.identified(ctx, id)
		}
		if err != nil {
			return d.explain(ctx, err, id.String())
		}
		if info.Addrs = d.cfg.keep(info.Addrs); len(info.Addrs) == 0 {
			return d.explain(ctx, routing.ErrNotFound, id.String())
		}
		return nil
	})
	if err != nil {
		return peer.AddrInfo{}, err
	}
	return info, nil
}

// identified waits for the addresses of a peer that has just connected to us:
// they come with identify, which precedes every stream of ours.
func (d *DHT) identified(ctx context.Context, id peer.ID) (peer.AddrInfo, error) {
	s, err := d.host.NewStream(ctx, id, d.cfg.Protocol())
	if err != nil {
		return peer.AddrInfo{}, err
	}
	return d.host.Peerstore().PeerInfo(id), s.Close()
}

// Closest names the peers closest to a key, the closest first: at most BucketSize
// of them, never ourselves. A peer ID in text stands for its own place in the
// table, any other string for the hash of its bytes.
func (d *DHT) Closest(ctx context.Context, key string) ([]peer.AddrInfo, error) {
	if key == "" {
		return nil, fmt.Errorf("%w: it is empty: give a peer ID or any text", ErrBadKey)
	}
	target := key
	if id, err := peer.Decode(key); err == nil {
		target = string(id)
	}
	var infos []peer.AddrInfo
	err := d.lookup(ctx, closest, func(ctx context.Context) error {
		ids, err := d.dht.GetClosestPeers(ctx, target)
		if err != nil {
			return d.explain(ctx, err, key)
		}
		infos = d.infos(ids)
		return nil
	})
	return infos, err
}

// Refresh looks up ourselves and a random key of every bucket, which fills the
// table and tells Config.Found of peers all over the network.
func (d *DHT) Refresh(ctx context.Context) error {
	select {
	case err := <-d.dht.RefreshRoutingTable():
		if err != nil {
			return d.explain(ctx, err, "the routing table")
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("refresh the DHT: %w", ctx.Err())
	}
}

// explain says why a lookup came to nothing, and what to do.
func (d *DHT) explain(ctx context.Context, err error, what string) error {
	if ctx.Err() != nil {
		err = ctx.Err() // a lookup cut short says that it found nothing
	}
	switch {
	case errors.Is(err, kb.ErrLookupFailure):
		return fmt.Errorf("%w: the table is empty, so nobody can be asked for %s: connect to a peer of network %q first", ErrNoPeers, what, d.cfg.Network)
	case errors.Is(err, routing.ErrNotFound):
		return fmt.Errorf("%w: %s: none of the closest peers knows a usable address of it: is it up, and in network %q?", ErrNotFound, what, d.cfg.Network)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("look up %s: not done in time (%d peers in the table): allow more: %w", what, d.Size(), err)
	}
	return fmt.Errorf("look up %s: %w", what, err)
}
