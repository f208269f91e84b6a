package gossipsub

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// meshGrace is how long Publish waits for a mesh once it knows a subscriber: a
// heartbeat (1 s) and a little more. It fails to form when a peer backs off after
// we left and joined again; then the message is sent nevertheless, and reaches
// the subscriber by gossip at the next heartbeat.
const meshGrace = 1500 * time.Millisecond

// Publish sends data to everybody in the topic, subscriptions of this node
// included. It waits until somebody can hear it: a peer known to subscribe, and,
// in a topic joined here, the mesh. When ctx ends before that, the error is
// ErrNoPeers and nothing was sent. A nil error says that the message was handed
// to the network, not that anybody has it.
func (p *PubSub) Publish(ctx context.Context, name string, data []byte) error {
	_, err := p.PublishTo(ctx, name, data)
	return err
}

// PublishTo is Publish, and tells how many peers are known to be in the topic.
func (p *PubSub) PublishTo(ctx context.Context, name string, data []byte) (peers int, err error) {
	if err := CheckTopic(name); err != nil {
		return 0, err
	}
	if len(data) > p.cfg.MaxMessage {
		return 0, fmt.Errorf("%w: %d bytes, and this node's limit is %d: split it, or raise the limit (up to %d) on every node",
			ErrTooLarge, len(data), p.cfg.MaxMessage, MaxMaxMessage)
	}
	t, err := p.holdFor(name)
	if err != nil {
		return 0, err
	}
	defer p.letGo(t)
	if err := p.waitReady(ctx, t); err != nil {
		return 0, err
	}
	return len(t.handle.ListPeers()), p.send(ctx, t, data)
}

func (p *PubSub) send(ctx context.Context, t *topic, data []byte) (err error) {
	booked, err := book(ctx, t, len(data))
	defer func() {
		if err != nil {
			for _, s := range booked {
				s.release(len(data))
			}
		}
	}()
	if err != nil {
		return err
	}
	// The router keeps the bytes for gossip; the caller may reuse its buffer.
	if err := t.handle.Publish(ctx, bytes.Clone(data), p.sign); err != nil {
		return p.explain("publish to", t.name, err)
	}
	p.trace.published.Add(1)
	t.stats.published.Add(1)
	return nil
}

// holdFor takes a reference, letGo returns it.
func (p *PubSub) holdFor(name string) (*topic, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hold(name)
}

func (p *PubSub) letGo(t *topic) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(t)
}

// waitReady waits until a message would reach somebody.
func (p *PubSub) waitReady(ctx context.Context, t *topic) error {
	if t.meshed.Load() && p.trace.meshReady(t.name) {
		return nil
	}
	start, grace := time.Now(), (<-chan time.Time)(nil)
	for {
		changed := p.trace.changed() // before asking, so that no change is lost
		peers := slices.DeleteFunc(p.ps.ListPeers(t.name), func(id peer.ID) bool { return !p.trace.open(id) })
		if p.reaches(t, peers) {
			return nil
		}
		if len(peers) == 0 {
			grace = nil
		} else if grace == nil {
			grace = time.After(meshGrace)
		}
		select {
		case <-changed:
		case <-grace:
			return nil
		case <-p.ctx.Done():
			return ErrClosed
		case <-ctx.Done():
			return p.noPeers(ctx, t, len(peers), time.Since(start))
		}
	}
}

// reaches says whether a message sent now goes to one of the topic's peers at
// once. A peer that speaks only floodsub is in no mesh and always sent to.
func (p *PubSub) reaches(t *topic, peers []peer.ID) bool {
	if !t.meshed.Load() || p.engine != nil { // episub pushes to some in any case
		return len(peers) > 0
	}
	return p.trace.meshReady(t.name) || slices.ContainsFunc(peers, p.trace.floods)
}

// noPeers explains why nobody could be reached.
func (p *PubSub) noPeers(ctx context.Context, t *topic, topicPeers int, waited time.Duration) error {
	why := fmt.Sprintf("connected to %d pubsub peers, and none has joined it: join it there, or check the name", p.trace.peerCount())
	switch {
	case topicPeers > 0:
		why = fmt.Sprintf("%d peers have joined it, but the mesh was not up yet: allow at least %s", topicPeers, 2*meshGrace)
	case p.trace.peerCount() == 0:
		why = "not connected to any pubsub peer: connect to one first"
	}
	return fmt.Errorf("%w: topic %q, waited %s, %s: %w", ErrNoPeers, t.name, waited.Round(time.Millisecond), why, ctx.Err())
}
