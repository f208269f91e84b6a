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

	mu        sync.Mutex
	last      uint64
	open      []Candidate // of external applications, in order; bounded by what the machine lets wait
	change    chan struct{}
	running   map[ObjectID]time.Time // calls of callbacks, and by when each should return
	listening int                    // calls of Next that wait
	lapsed    time.Time              // when one passed last that was not decided; zero: since then one was
}

func newCourt() *court {
	return &court{callbacks: queue.New[Candidate](), change: make(chan struct{}), running: map[ObjectID]time.Time{}}
}

// add takes in a candidate, for the callback of its topic or for those who listen.
func (c *court) add(o Object, from peer.ID, callback bool) {
	cand := Candidate{Object: o, From: from, Until: time.Now().Add(judgeWithin)}
	switch {
	case !callback:
		c.offer(cand)
	case c.callbacks.Len() < maxCalls: // else it lapses, and comes again
		c.callbacks.Push(cand)
	}
}

// maxCalls bounds the candidates that wait for a callback, those included that have
// lapsed while it does not return.
var maxCalls = dissemination.DefaultConfig("self", "net").MaxJudged

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
	defer d.court.calling(c)()
	v, reason := decide(ctx, c.Object)
	d.p.command(dissemination.Decided{ID: c.ID, Verdict: v, Reason: reason})
}

// calling notes a call of a callback, until its end.
func (c *court) calling(cand Candidate) (ended func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[cand.ID] = cand.Until
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.running, cand.ID)
	}
}

// offer hands a candidate to those who listen.
func (c *court) offer(cand Candidate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lapse(time.Now())
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
	c.lapse(time.Now())
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
	c.lapsed = time.Time{}
	return cand, true
}

// lapse drops candidates whose time is over: the machine has given them up.
func (c *court) lapse(now time.Time) {
	n := 0
	for n < len(c.open) && c.open[n].Until.Before(now) {
		c.lapsed = c.open[n].Until
		n++
	}
	c.open = slices.Delete(c.open, 0, n)
}

// overdueAfter is how long the application may take before the node says that it is
// not ready; half of what the machine allows.
var overdueAfter = judgeWithin / 2

// overdue is how many candidates wait for longer than that, and how many callbacks
// take longer.
func (c *court) overdue(now time.Time) (open, running int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lapse(now)
	limit := now.Add(judgeWithin - overdueAfter)
	for open < len(c.open) && c.open[open].Until.Before(limit) {
		open++
	}
	for _, until := range c.running {
		running += count(until.Before(limit))
	}
	return open, running
}

// health says whether the application decides. Once a candidate has lapsed it has to
// decide one, or to be left in peace for a while.
func (c *court) health(now time.Time) error {
	open, running := c.overdue(now)
	c.mu.Lock()
	defer c.mu.Unlock()
	lapsed := !c.lapsed.IsZero() && now.Sub(c.lapsed) < judgeWithin
	switch {
	case running > 0:
		return fmt.Errorf("calls of Decide that take longer than %v: %d: see to the application", overdueAfter, running)
	case open == 0 && !lapsed:
		return nil
	case c.listening == 0:
		return fmt.Errorf("objects wait for the application's decision, and nobody listens for candidates: start the application (overdue: %d)", open)
	}
	return fmt.Errorf("objects wait for the application's decision, and it listens but does not decide: see to it (overdue: %d)", open)
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
			return nil, fmt.Errorf("%w: no application decides about %q: join it as External (weft run --object-topic %s,external)", ErrArgument, topic, topic)
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
		if err := s.p.objects.await(ctx, changed); err != nil {
			return Candidate{}, err
		}
	}
}

// await waits for a change of what is open.
func (d *desk) await(ctx context.Context, changed <-chan struct{}) error {
	d.court.listen(1)
	defer d.court.listen(-1)
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-d.ctx.Done():
		return ErrClosed
	}
}

func (c *court) listen(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listening += n
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
