package node

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// savesWaiting bounds the records that wait for the disk, and those of one batch;
// when it is full a record is dropped and counted, as it will be written again at
// the next connection. Chosen for joining a mesh of 500: a peer and a claim of each.
const savesWaiting = 1024

// vitalSavesWaiting bounds the bans that wait; chosen because each costs its peer a
// connection, so that they do not come faster than a disk writes.
const vitalSavesWaiting = 256

// watcher is a machine that asks for nothing: it tells the node's watchers who
// came and went.
type watcher struct{ events *eventHub }

func (w watcher) Handle(_ time.Time, ev core.Event, _ *[]core.Effect) {
	switch ev := ev.(type) {
	case core.Connected:
		w.events.emit("peer.connected", ev.Peer, direction(ev.Inbound)+" connection, "+ev.Addr.String())
	case core.Disconnected:
		w.events.emit("peer.disconnected", ev.Peer, "the last connection is closed")
	case core.DialFailed:
		w.events.emit("peer.dial_failed", ev.Peer, ev.Reason)
	}
}

func (watcher) Tick(time.Time, *[]core.Effect) {}
func (watcher) Deadline() time.Time            { return time.Time{} }

func direction(inbound bool) string {
	if inbound {
		return "inbound"
	}
	return "outbound"
}

// effector carries out the effects of the machines. It runs on the loop's
// goroutine, so everything that could wait is handed to an adapter's worker.
func (p *parts) effector(n *Node) func(core.Effect) {
	return func(e core.Effect) {
		switch e := e.(type) {
		case core.Dial:
			p.host.Dial(e.Peer, e.Addrs)
		case core.Admit:
			p.host.Admit(e.Peer)
		case core.Disconnect:
			p.disconnect(n, e)
		case core.Block:
			p.host.Block(e)
		case core.BlockGroup:
			p.host.BlockGroup(e)
		case core.Rate:
			p.rate(e)
		case core.Send:
			p.host.Send(e)
		case core.Verify:
			p.workers.Do(e)
		case core.Penalize:
			n.penalized(e)
		case core.Notify:
			n.notify(e.Notice)
		case core.Persist:
			p.persist(e.Record)
		case core.Perform:
			p.objects.perform(e.Task)
		}
	}
}

// rate tells gossip what to think of a peer.
func (p *parts) rate(e core.Rate) {
	if p.pubsub != nil {
		p.pubsub.Rate(e.Peer, e.Score)
	}
}

// troubles are the notices that an operator should see without asking.
var troubles = []string{"bootstrap.unreachable", "bootstrap.fallback", "peer.banned", "group.banned", "claim.unsigned", "store.failed"}

func (n *Node) notify(notice core.Notice) {
	n.events.emit(notice.Kind, notice.Peer, notice.Text)
	level := slog.LevelInfo
	if slices.Contains(troubles, notice.Kind) || notice.Kind == "peer.rejected" && n.bootstrap.has(notice.Peer) {
		level = slog.LevelWarn
	}
	hidden, show := n.notices.show(time.Now(), level.String()+notice.Kind) // nobody hides what a bootstrapper says
	if !show {
		return
	}
	attrs := []any{"event", notice.Kind}
	if hidden > 0 {
		attrs = append(attrs, "not_shown", hidden)
	}
	if notice.Peer != "" {
		attrs = append(attrs, "peer", notice.Peer)
	}
	n.cfg.Logger.Log(context.Background(), level, notice.Text, attrs...)
}

// penalized tells of an offence. The machine bounds how many it tells of one peer.
func (n *Node) penalized(e core.Penalize) {
	n.events.emit("peer.offence", e.Peer, string(e.Offence)+": "+legible(e.Detail, maxText))
	n.cfg.Logger.Debug("offence", "peer", e.Peer, "offence", e.Offence, "detail", e.Detail)
}

// disconnect closes a peer's connections. At most one goroutine of each peer does
// so at a time: closing waits for nobody for long.
func (p *parts) disconnect(n *Node, e core.Disconnect) {
	n.events.emit("peer.dropped", e.Peer, e.Reason)
	if _, closing := p.closing.LoadOrStore(e.Peer, nil); closing {
		return
	}
	p.tasks.Go(func() {
		defer p.closing.Delete(e.Peer)
		if err := p.host.Disconnect(e.Peer); err != nil {
			n.cfg.Logger.Debug("disconnect", "peer", e.Peer, "err", err)
		}
	})
}

// persist queues a record for the disk. Bans and our own timestamp have a queue of
// their own, as they are few and not written again.
func (p *parts) persist(r core.Record) {
	queue := p.saves
	switch r.(type) {
	case core.SavedBan, core.OwnTimestamp:
		queue = p.vitalSaves
	}
	select {
	case queue <- r:
	default:
		p.savesDropped.Add(1)
	}
}

// keepSaving writes records to the store until ctx ends and none is waiting. What
// has come together is written together: joining makes many records at once.
func (p *parts) keepSaving(ctx context.Context, log *slog.Logger) {
	for {
		select {
		case r := <-p.vitalSaves:
			p.save(p.waiting(r), log)
		case r := <-p.saves:
			p.save(p.waiting(r), log)
		case <-ctx.Done():
			for len(p.vitalSaves)+len(p.saves) > 0 {
				p.save(p.waiting(), log)
			}
			return
		}
	}
}

// waiting adds to a batch what waits: at most what the queues can hold.
func (p *parts) waiting(batch ...core.Record) []core.Record {
	for len(p.vitalSaves) > 0 && len(batch) < savesWaiting {
		batch = append(batch, <-p.vitalSaves)
	}
	for len(p.saves) > 0 && len(batch) < savesWaiting {
		batch = append(batch, <-p.saves)
	}
	return batch
}

func (p *parts) save(batch []core.Record, log *slog.Logger) {
	if err := p.store.Save(batch...); err != nil {
		p.storeErr.Store(&err)
		log.Error("saving failed: a restart may have to rely on bootstrappers", "records", len(batch), "err", err)
		return
	}
	p.storeErr.Store(nil)
}
