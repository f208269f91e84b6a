package node

import (
	"context"
	"fmt"
	"time"

	"github.com/weftnet/weft/adapters/store"
	"github.com/weftnet/weft/protocols/dissemination"
)

// Delivery is one object of a subscription.
type Delivery struct {
	Seq uint64 // its place in this node's log of the topic: the same after a restart
	Object
	Landed time.Time // when it became valid here
	Missed uint64    // objects between the delivery before and this one that are not kept any more
}

// ObjectSubscription delivers the valid objects of a topic, each after all that it
// depends on. It reads the node's log: a reader that is slow loses nothing while the
// objects are kept, and holds up nobody. One goroutine at a time may use it.
type ObjectSubscription struct {
	p     *parts
	topic string
	after uint64 // what was delivered
	from  uint64 // what was pruned before the start: the store may have it still
	ready []store.ObjectRecord
}

// readAhead bounds what a subscription reads at a time; chosen so that a reader of
// small objects asks the store seldom.
const (
	readAhead      = 256
	readAheadBytes = 1 << 20
)

// SubscribeObjects delivers the objects of a topic that become valid from now on.
func (n *Node) SubscribeObjects(ctx context.Context, topic string) (*ObjectSubscription, error) {
	p, err := n.live()
	if err != nil {
		return nil, err
	}
	return n.SubscribeObjectsAfter(ctx, topic, p.store.LastSeq(topic))
}

// SubscribeObjectsAfter delivers the objects of a topic after a sequence number, those
// that are kept, and then those that become valid. Each is delivered at least once,
// over restarts of the node and of the reader, when the reader remembers the last
// number that it is done with.
func (n *Node) SubscribeObjectsAfter(ctx context.Context, topic string, seq uint64) (*ObjectSubscription, error) {
	if err := n.hasTopic(ctx, topic); err != nil {
		return nil, err
	}
	pruned, err := askObjects(ctx, n, func(m *dissemination.Machine, _ time.Time) uint64 { return m.PrunedTo(topic) })
	if err != nil {
		return nil, err
	}
	p, err := n.live()
	if err != nil {
		return nil, err
	}
	if last := p.store.LastSeq(topic); seq > last {
		return nil, fmt.Errorf("%w: the last object of %q has the number %d, not yet %d: is this the node that you read before?", ErrArgument, topic, last, seq)
	}
	return &ObjectSubscription{p: p, topic: topic, after: seq, from: pruned}, nil
}

// Next waits for the next object. It ends with the context's error, or with ErrClosed
// when the node was closed.
func (s *ObjectSubscription) Next(ctx context.Context) (Delivery, error) {
	for len(s.ready) == 0 {
		more := s.p.objects.next(s.topic) // before reading, so that nothing is overlooked
		var err error
		if s.ready, err = s.p.store.ObjectLog(s.topic, max(s.after, s.from), readAhead, readAheadBytes); err != nil {
			return Delivery{}, err
		}
		if len(s.ready) > 0 {
			break
		}
		select {
		case <-more:
		case <-ctx.Done():
			return Delivery{}, ctx.Err()
		case <-s.p.objects.ctx.Done():
			return Delivery{}, ErrClosed
		}
	}
	r := s.ready[0]
	s.ready = s.ready[1:]
	o, err := decodeObject(r.ID, r.Bytes)
	if err != nil {
		return Delivery{}, err
	}
	d := Delivery{Seq: r.Seq, Object: o, Landed: r.Landed, Missed: r.Seq - s.after - 1}
	s.after = r.Seq
	return d, nil
}
