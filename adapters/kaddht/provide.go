package kaddht

import (
	"context"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Provide tells the peers closest to a CID that we have what it names. They keep it
// for a day.
func (d *DHT) Provide(ctx context.Context, c cid.Cid) error {
	return d.lookup(ctx, provide, func(ctx context.Context) error {
		if err := d.dht.Provide(ctx, c, true); err != nil {
			return d.explain(ctx, err, c.String())
		}
		return nil
	})
}

// FindProviders finds up to most peers that say they have what a CID names, without
// ourselves. Their addresses are those that may be dialled, and may be none.
func (d *DHT) FindProviders(ctx context.Context, c cid.Cid, most int) (found []peer.AddrInfo, err error) {
	err = d.lookup(ctx, findProviders, func(ctx context.Context) error {
		for info := range d.dht.FindProvidersAsync(ctx, c, most+1) { // we may be one
			if info.ID == d.host.ID() || len(found) == most {
				continue
			}
			info.Addrs = d.cfg.keep(info.Addrs)
			found = append(found, info)
		}
		if len(found) == 0 && ctx.Err() != nil {
			return d.explain(ctx, ctx.Err(), c.String())
		}
		return nil
	})
	return found, err
}
