package node

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/weftnet/weft/adapters/gossipsub"
	"github.com/weftnet/weft/adapters/queue"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dissemination"
	"github.com/weftnet/weft/protocols/object"
)

// maxInspected bounds the bytes of mesh objects that are being inspected or ruled on;
// chosen: four of the largest. It holds back pubsub, which drops what it cannot hand
// over and tells of it: it is fetched later.
const maxInspected = 64 << 20

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
