package node

import (
	"context"
	"errors"
	"time"

	"github.com/weftnet/weft/adapters/store"
	"github.com/weftnet/weft/protocols/dissemination"
	"github.com/weftnet/weft/protocols/object"
)

// load reads what a peer asked for.
func (d *desk) load(t dissemination.Load) {
	done := dissemination.Loaded{Task: t}
	if t.Closure {
		done.Objects, done.Err = d.p.store.Closure(t.ID, t.Have, t.MaxObjects, t.MaxBytes, dependencies)
	}
	if len(done.Objects) == 0 { // no closure is asked for, or the object is on its way to the disk
		var encoded []byte
		if encoded, done.Err = d.read(t.ID); done.Err == nil {
			done.Objects = [][]byte{encoded}
		}
	}
	if errors.Is(done.Err, store.ErrNotFound) || errors.Is(done.Err, store.ErrPruned) {
		done.Err = nil // pruned since
	}
	d.p.command(done)
}

func dependencies(encoded []byte) []object.ID {
	o, err := object.Parse(encoded)
	if err != nil {
		return nil
	}
	return o.Deps
}

// read returns the bytes of an object that is held.
func (d *desk) read(id object.ID) ([]byte, error) {
	d.mu.Lock()
	encoded := d.unsaved[id]
	d.mu.Unlock()
	if encoded != nil {
		return encoded, nil
	}
	r, err := d.p.store.Object(id)
	return r.Bytes, err
}

// findTime bounds a search for holders; chosen for the rounds of a lookup over slow
// links.
const (
	findTime    = 20 * time.Second
	findHolders = 5 // FACTS: at most 5 peers per dependency
)

// findHolders asks the DHT who provides an object, and connects to them.
func (d *desk) findHolders(id object.ID) {
	found := dissemination.Holders{ID: id}
	defer func() { d.p.command(found) }()
	if d.p.dht == nil {
		return
	}
	ctx, cancel := context.WithTimeout(d.ctx, findTime)
	defer cancel()
	holders, err := d.p.dht.FindProviders(ctx, id.CID(), findHolders)
	if err != nil {
		d.log.Debug("the DHT names no holder", "object", id, "err", err)
	}
	for _, info := range holders {
		if err := d.p.host.Connect(ctx, info); err != nil {
			d.log.Debug("a holder cannot be reached", "object", id, "peer", info.ID, "err", err)
			continue
		}
		if d.n.awaitMember(ctx, info.ID) {
			found.Peers = append(found.Peers, info.ID)
		}
	}
}
