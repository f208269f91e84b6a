package gossipsub

import (
	"cmp"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
)

// topic is a topic in use: joined, subscribed to, or just being published to.
// It lives as long as somebody holds a reference. PubSub.mu guards all but subs
// and meshed.
type topic struct {
	name   string
	handle *pubsub.Topic
	stats  *topicStats
	refs   int // joins, subscriptions and publishes under way

	joins int
	relay pubsub.RelayCancelFunc // set while joins > 0

	tap  *pubsub.Subscription            // episub's, set while joined or subscribed to
	feed *pubsub.Subscription            // set while there are subscribers
	subs atomic.Pointer[[]*Subscription] // replaced, never changed: pubsub's loop reads it

	meshed  atomic.Bool               // joined or subscribed, so that gossipsub keeps a mesh
	objects bool                      // by JoinObjects
	meshBy  atomic.Pointer[time.Time] // until when objects wait for a mesh; nil: there was one
}

// TopicInfo is what is known of a topic.
type TopicInfo struct {
	Name       string
	Peers      []peer.ID // those known to subscribe to it
	Mesh       int       // how many of them we exchange full messages with
	Joined     bool      // by Join
	Objects    bool      // by JoinObjects
	Subscribed bool      // there are subscriptions here
	TopicStats
}

// Join takes part in a topic and forwards its messages for others, without
// consuming them. Each Join is undone by one Leave.
func (p *PubSub) Join(name string) error {
	if err := CheckTopic(name); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t, err := p.hold(name)
	if err != nil {
		return err
	}
	if t.joins == 0 {
		if err := p.engine.join(t, false); err != nil {
			p.drop(t)
			return p.explain("join", name, err)
		}
		if t.relay, err = t.handle.Relay(); err != nil {
			p.part(t)
			p.drop(t)
			return p.explain("join", name, err)
		}
	}
	t.joins++
	t.meshed.Store(true)
	return nil
}

// Leave undoes one Join.
func (p *PubSub) Leave(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	t := p.topics[name]
	if t == nil || t.joins == 0 || t.objects {
		return fmt.Errorf("%w: %q was not joined here: see the list of topics", ErrNotJoined, name)
	}
	if t.joins--; t.joins == 0 {
		t.relay()
		t.relay = nil
		p.part(t)
	}
	p.drop(t)
	return nil
}

// part notes that a topic is joined or subscribed to no more, if so. The caller holds mu.
func (p *PubSub) part(t *topic) {
	meshed := t.joins > 0 || t.feed != nil
	t.meshed.Store(meshed)
	if !meshed {
		p.engine.leave(t)
	}
}

// Topics are the topics joined or subscribed to, by name.
func (p *PubSub) Topics() []TopicInfo {
	p.mu.Lock()
	var infos []TopicInfo
	for _, t := range p.topics {
		if t.meshed.Load() {
			infos = append(infos, TopicInfo{Name: t.name, Joined: t.joins > 0, Objects: t.objects, Subscribed: t.feed != nil, TopicStats: t.stats.read()})
		}
	}
	p.mu.Unlock()
	for i := range infos {
		infos[i].Peers = p.ps.ListPeers(infos[i].Name)
		slices.Sort(infos[i].Peers)
		infos[i].Mesh = p.trace.meshSize(infos[i].Name)
	}
	slices.SortFunc(infos, func(a, b TopicInfo) int { return cmp.Compare(a.Name, b.Name) })
	return infos
}

// hold takes a reference to a topic, opening it when there is none yet. The
// caller holds mu.
func (p *PubSub) hold(name string) (*topic, error) {
	if p.closed {
		return nil, ErrClosed
	}
	if t := p.topics[name]; t != nil {
		if t.objects {
			return nil, fmt.Errorf("%w: %q: put and subscribe to objects there", ErrObjects, name)
		}
		t.refs++
		return t, nil
	}
	return p.open(name)
}

// open opens a topic, with one reference. The caller holds mu.
func (p *PubSub) open(name string, opts ...pubsub.TopicOpt) (*topic, error) {
	if p.closed {
		return nil, ErrClosed
	}
	p.filter.own(name)
	handle, err := p.ps.Join(name, opts...)
	if err != nil {
		p.filter.disown(name)
		return nil, p.explain("open", name, err)
	}
	t := &topic{name: name, handle: handle, stats: p.trace.topic(name), refs: 1}
	p.topics[name] = t
	return t, nil
}

// drop gives a reference back; with the last one the topic is closed. The caller
// holds mu.
func (p *PubSub) drop(t *topic) {
	if t.refs--; t.refs > 0 || p.closed {
		return
	}
	delete(p.topics, t.name)
	p.filter.disown(t.name)
	if t.objects {
		p.trace.judged(t.name, nil)
	}
	if err := t.handle.Close(); err != nil && p.ctx.Err() == nil {
		p.cfg.Logger.Warn("a topic did not close and stays open until exit", "topic", t.name, "error", err)
	}
}

// explain names what failed; after Close that is the reason.
func (p *PubSub) explain(what, name string, err error) error {
	if p.ctx.Err() != nil {
		return ErrClosed
	}
	return fmt.Errorf("%s topic %q: %w", what, name, err)
}

func (t *topic) subscribers() []*Subscription {
	if subs := t.subs.Load(); subs != nil {
		return *subs
	}
	return nil
}

// deliver hands a message to every subscription. Pubsub calls it on its process
// loop as the filter of the feed; false keeps the message out of the feed's own
// channel, which nobody reads.
func (t *topic) deliver(m *pubsub.Message) bool {
	subs := t.subscribers()
	if len(subs) == 0 {
		return false
	}
	msg := Message{
		Topic: t.name, From: m.GetFrom(), Via: m.ReceivedFrom, Data: m.GetData(), Seq: m.GetSeqno(),
		ID: m.ID, Received: time.Now(),
	}
	for _, s := range subs {
		s.push(msg)
	}
	return false
}
