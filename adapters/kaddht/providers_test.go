package kaddht

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ipfs/go-cid"
	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	"github.com/multiformats/go-multihash"
)

func recordKey(peer string, i int) ds.Key {
	return ds.NewKey(fmt.Sprintf("/providers/KEY%d/%s", i, peer))
}

func TestProviderRecordsAreBoundedPerPeerAndInAll(t *testing.T) {
	p, ctx := newProviders(), t.Context()
	for i := range maxProviderRecordsPerPeer {
		if err := p.Put(ctx, recordKey("GREEDY", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Put(ctx, recordKey("GREEDY", 1<<20), nil); !errors.Is(err, errProvidersFull) {
		t.Errorf("one more of the same peer: %v", err)
	}
	if err := p.Put(ctx, recordKey("GREEDY", 0), []byte("renewed")); err != nil {
		t.Errorf("renewing one: %v", err)
	}
	for i := 0; p.size() < maxProviderRecords; i++ {
		if err := p.Put(ctx, recordKey(fmt.Sprint("PEER", i), i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Put(ctx, recordKey("LATE", 1), nil); !errors.Is(err, errProvidersFull) {
		t.Errorf("beyond the limit: %v", err)
	}
}

func TestDeletingRecordsMakesRoom(t *testing.T) {
	p, ctx := newProviders(), t.Context()
	if err := p.Put(ctx, recordKey("A", 1), nil); err != nil {
		t.Fatal(err)
	}
	batch, err := p.Batch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []ds.Key{recordKey("A", 1), recordKey("A", 2)} { // the second does not exist
		if err := batch.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if p.size() != 0 || len(p.byPeer) != 0 {
		t.Errorf("%d records, %v", p.size(), p.byPeer)
	}
	res, err := p.Query(ctx, query.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if left, err := res.Rest(); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestProvidersAreFoundByOthers(t *testing.T) {
	a, b, c := chain(t)
	hash, err := multihash.Sum([]byte("content"), multihash.SHA2_256, -1)
	if err != nil {
		t.Fatal(err)
	}
	id := cid.NewCidV1(cid.Raw, hash)
	if err := c.dht.Provide(soon(t), id, true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the neighbour holds the record", func() bool { return b.Stats().ProviderRecords == 1 })
	got, err := a.dht.FindProviders(soon(t), id)
	if err != nil || len(got) != 1 || got[0].ID != c.host.ID() {
		t.Errorf("found %v, %v", got, err)
	}
}
