package gossipsub

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Message is one message of a topic. Its bytes are shared with the other
// subscriptions and with the router's cache: do not change them.
type Message struct {
	Topic    string
	From     peer.ID // the author, whose signature was verified
	Via      peer.ID // the neighbour it came from; our own ID for our own messages
	Data     []byte
	Seq      []byte    // the author's sequence number, 8 bytes big-endian
	ID       string    // author and sequence number as raw bytes: unique, not for printing
	Received time.Time // when it was delivered here
	Missed   uint64    // messages dropped from this subscription since the one before
}

// Subscription delivers the messages of a topic to one reader.
type Subscription struct {
	p        *PubSub
	topic    *topic
	maxCount int
	maxBytes int
	blocking bool

	mu     sync.Mutex
	queue  []Message
	bytes  int
	booked []int // sizes of own messages on their way, for which Publish waited; blocking only
	missed uint64
	room   chan struct{} // closed when a message is taken; nil while nobody waits

	arrived chan struct{} // holds one token while there may be something to read
	done    chan struct{}
	once    sync.Once
	dropped atomic.Uint64
}

// SubOption changes how a subscription buffers.
type SubOption func(*Subscription)

// Buffer bounds the buffer of the subscription, in messages.
func Buffer(messages int) SubOption {
	return func(s *Subscription) { s.maxCount = max(1, messages) }
}

// Subscribe joins a topic and delivers its messages from now on, those of this
// node included. A topic can have any number of subscriptions. A reader that
// falls behind the buffer loses the newest messages: see Dropped and
// Message.Missed.
func (p *PubSub) Subscribe(name string, opts ...SubOption) (*Subscription, error) {
	if err := CheckTopic(name); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t, err := p.hold(name)
	if err != nil {
		return nil, err
	}
	s := &Subscription{
		p: p, topic: t, maxCount: p.cfg.SubscriptionMessages, maxBytes: p.cfg.SubscriptionBytes,
		arrived: make(chan struct{}, 1), done: make(chan struct{}),
	}
	for _, o := range opts {
		o(s)
	}
	if err := p.attach(t, s); err != nil {
		p.drop(t)
		return nil, err
	}
	return s, nil
}

// attach adds a subscription to a topic; the first one opens the feed. The
// caller holds mu.
func (p *PubSub) attach(t *topic, s *Subscription) (err error) {
	subs := append(slices.Clone(t.subscribers()), s)
	t.subs.Store(&subs)
	if t.feed != nil {
		return nil
	}
	if err := p.engine.join(t, false); err != nil {
		t.subs.Store(nil)
		return p.explain("subscribe to", t.name, err)
	}
	t.feed, err = t.handle.Subscribe(pubsub.WithMessageFilter(t.deliver), pubsub.WithBufferSize(0))
	if err != nil {
		t.subs.Store(nil)
		return p.explain("subscribe to", t.name, err)
	}
	t.meshed.Store(true)
	return nil
}

// detach removes a subscription; the last one closes the feed. The caller holds mu.
func (p *PubSub) detach(t *topic, s *Subscription) {
	subs := slices.DeleteFunc(slices.Clone(t.subscribers()), func(o *Subscription) bool { return o == s })
	t.subs.Store(&subs)
	if len(subs) == 0 {
		t.feed.Cancel()
		t.feed = nil
		p.part(t)
	}
	p.drop(t)
}

// Close ends the subscription. What is buffered can still be read. The last
// subscription leaves the topic, unless it is joined.
func (s *Subscription) Close() {
	if !s.end() {
		return
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if !s.p.closed {
		s.p.detach(s.topic, s)
	}
}

// end wakes readers and writers for good. It says whether it did so now.
func (s *Subscription) end() (first bool) {
	s.once.Do(func() { close(s.done); first = true })
	return first
}

// Topic is the topic's name.
func (s *Subscription) Topic() string { return s.topic.name }

// Dropped is how many messages this subscription lost because its reader was slow.
func (s *Subscription) Dropped() uint64 { return s.dropped.Load() }

// Done is closed when the subscription has ended.
func (s *Subscription) Done() <-chan struct{} { return s.done }

// ErrSubscriptionClosed says that the subscription was closed and is read out.
var ErrSubscriptionClosed = errors.New("subscription is closed")

// Next returns the next message. It waits until there is one, ctx ends, or the
// subscription is closed and read out.
func (s *Subscription) Next(ctx context.Context) (Message, error) {
	for {
		if m, ok := s.take(); ok {
			return m, nil
		}
		select {
		case <-s.arrived:
		case <-ctx.Done():
			return Message{}, ctx.Err()
		case <-s.done:
			if m, ok := s.take(); ok {
				return m, nil
			}
			return Message{}, ErrSubscriptionClosed
		}
	}
}

// take removes the oldest message.
func (s *Subscription) take() (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return Message{}, false
	}
	m := s.queue[0]
	s.queue[0] = Message{} // let go of the bytes
	s.queue = s.queue[1:]
	s.bytes -= len(m.Data)
	if len(s.queue) > 0 {
		s.signal() // for another reader
	}
	s.freeRoom()
	return m, true
}

// push adds a message, or counts it as missed. It never waits: pubsub's process
// loop calls it.
func (s *Subscription) push(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.unbook(m) && s.full(len(m.Data)) {
		s.missed++
		s.dropped.Add(1)
		s.p.trace.missed.Add(1)
		return
	}
	m.Missed, s.missed = s.missed, 0
	s.queue = append(s.queue, m)
	s.bytes += len(m.Data)
	s.signal()
}

// full says whether more bytes would exceed the buffer. An empty one takes any message.
func (s *Subscription) full(more int) bool {
	count, bytes := len(s.queue)+len(s.booked), s.bytes+more
	for _, size := range s.booked {
		bytes += size
	}
	return count > 0 && (count >= s.maxCount || bytes > s.maxBytes)
}

func (s *Subscription) signal() {
	select {
	case s.arrived <- struct{}{}:
	default:
	}
}
