package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weftnet/weft/adapters/store"
	"github.com/weftnet/weft/protocols/dissemination"
)

// What goes into one write.
const (
	saveBatch = 1024    // objects; chosen because a write of 1 MiB costs little more than its fsync
	saveBytes = 8 << 20 // or one object
)

// keepWriting writes what has gathered since the last write, in one, until ctx ends
// and nothing is left.
func (d *desk) keepWriting(ctx context.Context) {
	for {
		select {
		case <-d.writes.Ready():
			d.writeAll(ctx, d.writes.Take())
		case <-ctx.Done():
			d.writeAll(ctx, d.writes.Take())
			return
		}
	}
}

func (d *desk) writeAll(ctx context.Context, tasks []any) {
	for len(tasks) > 0 {
		batch := saves(tasks)
		if len(batch) == 0 {
			d.write(tasks[0])
			tasks = tasks[1:]
			continue
		}
		d.save(ctx, batch)
		tasks = tasks[len(batch):]
	}
}

// saves are the objects at the head of the tasks that go into one write.
func saves(tasks []any) (batch []dissemination.Save) {
	size := 0
	for _, t := range tasks[:min(len(tasks), saveBatch)] {
		s, ok := t.(dissemination.Save)
		if size += len(s.Bytes); !ok || size > saveBytes && len(batch) > 0 {
			break
		}
		batch = append(batch, s)
	}
	return batch
}

// retryEvery is how often a full disk is tried again; chosen because space comes back
// by hand.
const retryEvery = time.Second

// save writes a batch, waiting while the disk is full, and then delivers it.
func (d *desk) save(ctx context.Context, batch []dissemination.Save) {
	records := make([]store.ObjectRecord, len(batch))
	size := 0
	for i, s := range batch {
		records[i] = store.ObjectRecord{Topic: s.Topic, Seq: s.Seq, ID: s.ID, Landed: s.Landed, Bytes: s.Bytes}
		size += len(s.Bytes)
	}
	err := d.p.store.SaveObjects(records)
	for errors.Is(err, store.ErrFull) && ctx.Err() == nil {
		d.degrade(err)
		d.fail(batch, err)
		select {
		case <-time.After(retryEvery):
		case <-ctx.Done():
		}
		err = d.p.store.SaveObjects(records)
	}
	d.degrade(err)
	if err != nil {
		d.fail(batch, err)
		d.p.command(dissemination.SaveFailed{Err: err})
		return
	}
	d.deliver(batch)
	d.p.command(dissemination.Saved{Bytes: size})
}

// degrade makes the node unready while its disk does not take objects.
func (d *desk) degrade(err error) {
	if err == nil {
		d.failure.Store(nil)
		return
	}
	err = fmt.Errorf("objects cannot be kept: %w", err)
	if d.failure.Swap(&err) == nil {
		d.log.Error("objects cannot be kept, nor delivered", "err", err)
	}
}

// failing is why objects cannot be kept.
func (d *desk) failing() error {
	if err := d.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// health says whether objects can be kept, and are decided about.
func (d *desk) health() error {
	if err := d.failing(); err != nil {
		return err
	}
	return d.court.health(time.Now())
}

func (d *desk) fail(batch []dissemination.Save, err error) {
	for i, s := range batch {
		if c, ok := s.Ticket.(*call); ok {
			c.done <- answer{err: err}
			batch[i].Ticket = nil
		}
	}
}

// deliver wakes the readers of the topics, and answers those who put.
func (d *desk) deliver(batch []dissemination.Save) {
	d.mu.Lock()
	for _, s := range batch {
		delete(d.unsaved, s.ID)
		if wake := d.landed[s.Topic]; wake != nil {
			close(wake)
			delete(d.landed, s.Topic)
		}
	}
	d.mu.Unlock()
	for _, s := range batch {
		if c, ok := s.Ticket.(*call); ok {
			c.done <- answer{}
		}
	}
}

// next is closed when something more of a topic is delivered.
func (d *desk) next(topic string) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.landed[topic] == nil {
		d.landed[topic] = make(chan struct{})
	}
	return d.landed[topic]
}

// write carries out one task other than saving.
func (d *desk) write(task any) {
	var err error
	switch t := task.(type) {
	case dissemination.Prune:
		if err = d.p.store.PruneObjects(t.Topic, t.Upto); err == nil {
			err = d.p.store.TrimTombstones(t.Topic, t.Tombstones)
		}
	case dissemination.SaveAnchor:
		err = d.p.store.Anchor(t.Topic, t.ID, time.Now())
	}
	if err != nil {
		d.log.Error("the store of objects", "task", fmt.Sprintf("%T", task), "err", err)
	}
}
