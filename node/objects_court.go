package node

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/adapters/queue"
	"github.com/weftnet/weft/protocols/dissemination"
)

// judgeWithin is how long the application has for an object.
var judgeWithin = dissemination.DefaultConfig("self", "net").JudgeWithin

// Candidate is an object about which the application has to decide. All that it
// depends on is held.
type Candidate struct {
	Object
	From  peer.ID // who sent it; ourselves: it was put here
	Until time.Time

	number uint64
}

// court hands candidates to the application: to the callback of their topic, or to
// all who listen for them.
type court struct {
	callbacks *queue.Queue[Candidate]

	mu     sync.Mutex
	last   uint64
	open   []Candidate // of external applications, in order; bounded by what the machine lets wait
	change chan struct{}
}

func newCourt() *court {
	return &court{callbacks: queue.New[Candidate](), change: make(chan struct{})}
}

// add takes in a candidate, for the callback of its topic or for those who listen.
func (c *court) add(o Object, from peer.ID, callback bool) {
	cand := Candidate{Object: o, From: from, Until: time.Now().Add(judgeWithin)}
	if callback {
		c.callbacks.Push(cand)
		return
	}
	c.offer(cand)
}

// run calls the callbacks until ctx ends.
func (c *court) run(ctx context.Context, d *desk) {
	ready := make(chan Candidate)
	d.p.tasks.Go(func() {
		c.callbacks.Run(ctx, func(cand Candidate) {
			select {
			case ready <- cand:
			case <-ctx.Done():
			}
		})
	})
	for range runtime.GOMAXPROCS(0) {
		d.p.tasks.Go(func() {
			for {
				select {
				case cand := <-ready:
					d.decide(ctx, cand)
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

// decide asks the callback of a topic. A panic in it is the application's: it is an
// error of the whole process, as everywhere in Go.
func (d *desk) decide(ctx context.Context, c Candidate) {
	ctx, cancel := context.WithDeadline(ctx, c.Until)
	defer cancel()
	decide := d.topic(c.Topic).Decide
	if decide == nil || ctx.Err() != nil {
		return
	}
	v, reason := decide(ctx, c.Object)
	d.p.command(dissemination.Decided{ID: c.ID, Verdict: v, Reason: reason})
}

// offer hands a candidate to those who listen.
func (c *court) offer(cand Candidate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	cand.number = c.last
	c.open = append(c.open, cand)
	close(c.change)
	c.change = make(chan struct{})
}

// after returns the first open candidate behind a number, and what is closed when
// there may be another.
func (c *court) after(topic string, number uint64) (Candidate, bool, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.open = slices.DeleteFunc(c.open, func(o Candidate) bool { return o.Until.Before(now) })
	for _, o := range c.open {
		if o.number > number && (topic == "" || o.Topic == topic) {
			return o, true, c.change
		}
	}
	return Candidate{}, false, c.change
}

// take removes a candidate that is decided.
func (c *court) take(id ObjectID) (Candidate, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.open, func(o Candidate) bool { return o.ID == id })
	if i < 0 {
		return Candidate{}, false
	}
	cand := c.open[i]
	c.open = slices.Delete(c.open, i, i+1)
	return cand, true
}

// Candidates is a stream of the objects about which an application has to decide.
type Candidates struct {
	p      *parts
	topic  string
	number uint64
}

// Candidates opens a stream of the objects of an External topic, or with "" of all
// such topics, that wait for a decision, those first that wait already. With several
// streams each gets all of them, and the first decision counts.
func (n *Node) Candidates(ctx context.Context, topic string) (*Candidates, error) {
	p, err := n.live()
	if err != nil {
		return nil, err
	}
	if topic != "" {
		if err := n.hasTopic(ctx, topic); err != nil {
			return nil, err
		}
		if !p.objects.topic(topic).External {
			return nil, fmt.Errorf("%w: no application decides about %q: join it with External", ErrArgument, topic)
		}
	}
	return &Candidates{p: p, topic: topic}, nil
}

// Next waits for the next candidate.
func (s *Candidates) Next(ctx context.Context) (Candidate, error) {
	for {
		c, ok, changed := s.p.objects.court.after(s.topic, s.number)
		if ok {
			s.number = c.number
			return c, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Candidate{}, ctx.Err()
		case <-s.p.objects.ctx.Done():
			return Candidate{}, ErrClosed
		}
	}
}

// Decide answers for a candidate. It is ErrNoObject when nobody waits for the answer
// (any more).
func (n *Node) Decide(id ObjectID, v ObjectVerdict, reason string) error {
	p, err := n.live()
	if err != nil {
		return err
	}
	if v < AcceptObject || v > RejectObject {
		return fmt.Errorf("%w: the verdict is %v: use accept, ignore or reject", ErrArgument, v)
	}
	if _, open := p.objects.court.take(id); !open {
		return fmt.Errorf("%w: no decision about %s is awaited: it was decided, or its time is over", ErrNoObject, id)
	}
	p.command(dissemination.Decided{ID: id, Verdict: v, Reason: legible(reason, maxText)})
	return nil
}
