package kaddht

import (
	"context"
	"errors"
	"path"
	"sync"

	ds "github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
)

const (
	// maxProviderRecords bounds what others may store here, in records of about
	// 200 bytes: chosen to take about 2 MiB, and to be read through in 1 ms,
	// which is what an uncached question costs.
	maxProviderRecords = 8_192
	// maxProviderRecordsPerPeer keeps one peer from taking all: chosen as 1/32.
	maxProviderRecordsPerPeer = 256
)

var errProvidersFull = errors.New("too many provider records: this peer or this node holds as many as it may until old ones expire")

// providers is the datastore of provider records: in memory, bounded. The library
// names a record <prefix>/<key>/<peer> and lets a peer store only its own.
type providers struct {
	ds.Batching
	mu     sync.Mutex
	byPeer map[string]int
	total  int
}

func newProviders() *providers {
	return &providers{Batching: dssync.MutexWrap(ds.NewMapDatastore()), byPeer: make(map[string]int)}
}

func (p *providers) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total
}

// Put stores a record; a new one only within the bounds.
func (p *providers) Put(ctx context.Context, key ds.Key, value []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, err := p.Batching.Has(ctx, key)
	if err != nil {
		return err
	}
	owner := path.Base(key.String())
	if !known && (p.total >= maxProviderRecords || p.byPeer[owner] >= maxProviderRecordsPerPeer) {
		return errProvidersFull
	}
	if err := p.Batching.Put(ctx, key, value); err != nil || known {
		return err
	}
	p.byPeer[owner]++
	p.total++
	return nil
}

// Delete removes a record, when there is one.
func (p *providers) Delete(ctx context.Context, key ds.Key) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, err := p.Batching.Has(ctx, key)
	if err != nil || !known {
		return err
	}
	if err := p.Batching.Delete(ctx, key); err != nil {
		return err
	}
	owner := path.Base(key.String())
	if p.byPeer[owner]--; p.byPeer[owner] == 0 {
		delete(p.byPeer, owner)
	}
	p.total--
	return nil
}

// Batch collects changes that go through Put and Delete.
func (p *providers) Batch(context.Context) (ds.Batch, error) { return ds.NewBasicBatch(p), nil }
