package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/weftnet/weft/adapters/gossipsub"
	"github.com/weftnet/weft/adapters/queue"
	"github.com/weftnet/weft/adapters/store"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dissemination"
	"github.com/weftnet/weft/protocols/object"
)

// Bounds of what is under way between pubsub, the machine and the disk. Both hold
// back pubsub, which drops what it cannot hand over and tells of it: it is fetched
// later.
const (
	maxInspected = 64 << 20 // bytes of mesh objects that are being inspected or ruled on; chosen: four of the largest
	saveBatch    = 1024     // objects of one write; chosen because a write of 1 MiB costs little more than its fsync
	saveBytes    = 8 << 20  // of one write, or one object
)

// desk carries out what the machine of the objects asks for. Its methods that the
// loop calls never wait: they queue.
type desk struct {
	n   *Node
	p   *parts
	log *slog.Logger
	ctx context.Context // ends when the node closes

	inspecting *semaphore.Weighted
	writes     *queue.Queue[any] // Save, Prune and SaveAnchor, in order
	loads      *queue.Queue[dissemination.Load]
	publishes  *queue.Queue[dissemination.Publish]
	court      *court

	mu      sync.Mutex
	unsaved map[object.ID][]byte // on their way to the disk
	topics  map[string]ObjectTopic
	landed  map[string]chan struct{} // by topic: closed at the next delivery
	own     ed25519.PrivateKey
	failure atomic.Pointer[error] // why objects cannot be kept; nil: they can
}

func (n *Node) newDesk(p *parts, own ed25519.PrivateKey) *desk {
	return &desk{
		n: n, p: p, log: n.cfg.Logger, ctx: p.ctx, own: own, inspecting: semaphore.NewWeighted(maxInspected),
		writes: queue.New[any](), loads: queue.New[dissemination.Load](), publishes: queue.New[dissemination.Publish](),
		court: newCourt(), unsaved: map[object.ID][]byte{}, topics: map[string]ObjectTopic{}, landed: map[string]chan struct{}{},
	}
}

// perform carries out one task.
func (d *desk) perform(task any) {
	switch t := task.(type) {
	case dissemination.Rule:
		t.Ticket.(chan dissemination.Verdict) <- t.Verdict
	case dissemination.Save:
		d.mu.Lock()
		d.unsaved[t.ID] = t.Bytes
		d.mu.Unlock()
		d.writes.Push(t)
	case dissemination.Prune, dissemination.SaveAnchor:
		d.writes.Push(t)
	case dissemination.Publish:
		d.publishes.Push(t)
	case dissemination.Load:
		d.loads.Push(t)
	case dissemination.Judge:
		d.court.add(fromParcel(t.Parcel), t.From, d.topic(t.Parcel.Object.Topic).Decide != nil)
	case dissemination.FindHolders:
		d.p.tasks.Go(func() { d.findHolders(t.ID) })
	case dissemination.Give:
		t.Ticket.(*call).done <- answer{bytes: t.Bytes}
	case dissemination.Fail:
		t.Ticket.(*call).done <- answer{err: t.Err}
	}
}

// run works until the node closes, on goroutines of its own.
func (d *desk) run() {
	ctx := d.ctx
	d.p.tasks.Go(func() { d.keepWriting(ctx) })
	d.p.tasks.Go(func() { d.publishes.Run(ctx, d.publish) })
	d.p.tasks.Go(func() { d.loads.Run(ctx, d.load) })
	d.court.run(ctx, d)
}

// judge is asked by pubsub about each new object of a peer, on a goroutine of its own.
func (d *desk) judge(ctx context.Context, m gossipsub.Incoming) gossipsub.Verdict {
	weight := min(int64(len(m.Data)), maxInspected)
	if d.inspecting.Acquire(ctx, weight) != nil {
		return gossipsub.Ignore
	}
	defer d.inspecting.Release(weight)
	parcel, err := dissemination.Inspect(d.n.cfg.Network, m.ID, m.Data)
	ruled := make(chan dissemination.Verdict, 1)
	d.p.command(dissemination.Offered{Ticket: ruled, Peer: m.From, Topic: m.Topic, Parcel: parcel, Fault: err})
	select {
	case v := <-ruled:
		return meshVerdicts[v]
	case <-ctx.Done():
	case <-d.ctx.Done():
	}
	return gossipsub.Ignore
}

var meshVerdicts = map[dissemination.Verdict]gossipsub.Verdict{
	dissemination.Accept: gossipsub.Accept, dissemination.Ignore: gossipsub.Ignore, dissemination.Reject: gossipsub.Reject,
}

// missed tells the machine of what pubsub dropped unseen.
func (d *desk) missed(m gossipsub.Incoming) {
	d.p.loop.Offer(core.Command{Body: dissemination.Missed{Peer: m.From, Topic: m.Topic, ID: m.ID}})
}

func (d *desk) publish(t dissemination.Publish) {
	if err := d.p.pubsub.PublishObject(d.ctx, t.Topic, t.Bytes); err != nil && d.ctx.Err() == nil {
		d.log.Debug("an object was not published: others will pull it", "topic", t.Topic, "err", err)
	}
}

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
