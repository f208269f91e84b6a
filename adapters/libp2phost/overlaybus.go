package libp2phost

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"

	"github.com/weftnet/weft/adapters/queue"
)

// ErrWildcard is the answer to a subscription to everything, which would show
// peers that are not admitted.
var ErrWildcard = errors.New("the overlay's event bus has no wildcard subscription: name the events")

// busBuffer is the events that may wait for a subscriber, as in kad-dht.
const busBuffer = 256

// The events that name a peer. The bus gates them; all others pass.
var (
	typeConnectedness = reflect.TypeFor[event.EvtPeerConnectednessChanged]()
	typeIdentified    = reflect.TypeFor[event.EvtPeerIdentificationCompleted]()
	typeNotIdentified = reflect.TypeFor[event.EvtPeerIdentificationFailed]()
	typeProtocols     = reflect.TypeFor[event.EvtPeerProtocolsUpdated]()
	gatedTypes        = []reflect.Type{typeConnectedness, typeIdentified, typeNotIdentified, typeProtocols}
)

// change is what the bus's goroutine is told, in order.
type change struct {
	peer peer.ID
	to   visibility
}

type visibility uint8

const (
	visible visibility = iota // from now on
	hidden                    // for a while: it is connected
	gone
)

// overlayBus shows a peer's events while the overlay sees the peer. For its
// subscribers a peer is connected from then on, and identified, if it was before,
// right after that. One goroutine owns the maps.
type overlayBus struct {
	event.Bus // the base host's
	book      *book
	peers     peerstore.Peerstore
	changes   *queue.Queue[change]
	source    event.Subscription

	visible  map[peer.ID]struct{}
	withheld map[peer.ID]event.EvtPeerIdentificationCompleted // of connected peers that are not visible

	mu   sync.Mutex
	subs []*overlaySub
}

func newOverlayBus(base event.Bus, peers peerstore.Peerstore, b *book) (*overlayBus, error) {
	source, err := base.Subscribe([]any{
		new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerIdentificationFailed), new(event.EvtPeerProtocolsUpdated),
	}, eventbus.BufSize(busBuffer), eventbus.Name("weft overlay"))
	return &overlayBus{
		Bus: base, book: b, peers: peers, source: source, changes: queue.New[change](),
		visible:  make(map[peer.ID]struct{}),
		withheld: make(map[peer.ID]event.EvtPeerIdentificationCompleted),
	}, err
}

// run forwards until ctx ends.
func (b *overlayBus) run(ctx context.Context) {
	defer b.source.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.changes.Ready():
			b.drain(ctx)
		case ev, ok := <-b.source.Out():
			if !ok {
				return
			}
			b.drain(ctx) // an admission that came first counts first
			b.handle(ctx, ev)
		}
	}
}

func (b *overlayBus) drain(ctx context.Context) {
	for _, c := range b.changes.Take() {
		switch c.to {
		case visible:
			b.show(ctx, c.peer)
		case hidden:
			b.hide(ctx, c.peer)
			b.remember(c.peer)
		case gone:
			b.hide(ctx, c.peer)
		}
	}
}

func (b *overlayBus) handle(ctx context.Context, ev any) {
	switch ev := ev.(type) {
	case event.EvtPeerIdentificationCompleted:
		if b.isVisible(ev.Peer) {
			b.identified(ctx, ev)
		} else if b.book.connected(ev.Peer) { // its end, if it comes now, is still in the queue
			b.withheld[ev.Peer] = ev
		}
	case event.EvtPeerIdentificationFailed:
		if b.isVisible(ev.Peer) {
			b.send(ctx, ev)
		}
	case event.EvtPeerProtocolsUpdated:
		if b.isVisible(ev.Peer) {
			b.send(ctx, ev)
		}
	}
}

func (b *overlayBus) isVisible(p peer.ID) bool {
	_, ok := b.visible[p]
	return ok
}

// show replays what was withheld.
func (b *overlayBus) show(ctx context.Context, p peer.ID) {
	b.visible[p] = struct{}{}
	b.send(ctx, event.EvtPeerConnectednessChanged{Peer: p, Connectedness: network.Connected})
	if ev, ok := b.withheld[p]; ok {
		delete(b.withheld, p)
		b.identified(ctx, ev)
	}
}

// identified sends the event with the protocols of now, so that updates which
// were not shown are not lost.
func (b *overlayBus) identified(ctx context.Context, ev event.EvtPeerIdentificationCompleted) {
	if now, err := b.peers.GetProtocols(ev.Peer); err == nil {
		ev.Protocols = now
	}
	b.send(ctx, ev)
}

func (b *overlayBus) hide(ctx context.Context, p peer.ID) {
	delete(b.withheld, p)
	if b.isVisible(p) {
		delete(b.visible, p)
		b.send(ctx, event.EvtPeerConnectednessChanged{Peer: p, Connectedness: network.NotConnected})
	}
}

// remember makes up for the identification of a peer that will be shown again.
func (b *overlayBus) remember(p peer.ID) {
	if ids, err := b.peers.GetProtocols(p); err != nil || len(ids) == 0 {
		return
	}
	ev := event.EvtPeerIdentificationCompleted{Peer: p, ListenAddrs: b.peers.Addrs(p)}
	if agent, err := b.peers.Get(p, "AgentVersion"); err == nil {
		ev.AgentVersion, _ = agent.(string)
	}
	b.withheld[p] = ev
}

// send waits for slow subscribers, as libp2p's own bus does.
func (b *overlayBus) send(ctx context.Context, ev any) {
	b.mu.Lock()
	subs := slices.Clone(b.subs)
	b.mu.Unlock()
	for _, s := range subs {
		if s.gated[reflect.TypeOf(ev)] {
			s.deliver(ctx, ev)
		}
	}
}

// Subscribe implements event.Bus. Options other than the name of the
// subscription have no effect.
func (b *overlayBus) Subscribe(eventTypes any, opts ...event.SubscriptionOpt) (event.Subscription, error) {
	if eventTypes == event.WildcardSubscription {
		return nil, ErrWildcard
	}
	list, ok := eventTypes.([]any)
	if !ok {
		list = []any{eventTypes}
	}
	s := &overlaySub{bus: b, gated: make(map[reflect.Type]bool), out: make(chan any, busBuffer), closed: make(chan struct{})}
	open := make([]any, 0, len(list))
	for _, t := range list {
		if typ := reflect.TypeOf(t); typ.Kind() == reflect.Pointer && slices.Contains(gatedTypes, typ.Elem()) {
			s.gated[typ.Elem()] = true
		} else {
			open = append(open, t)
		}
	}
	var err error
	if s.base, err = b.Bus.Subscribe(open, opts...); err != nil {
		return nil, err
	}
	s.start()
	return s, nil
}

func (b *overlayBus) remove(s *overlaySub) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs = slices.DeleteFunc(b.subs, func(have *overlaySub) bool { return have == s })
}

// overlaySub merges gated events with a subscription of the base bus.
type overlaySub struct {
	bus     *overlayBus
	gated   map[reflect.Type]bool
	base    event.Subscription
	out     chan any
	closed  chan struct{}
	once    sync.Once
	senders sync.WaitGroup
	mu      sync.Mutex // guards senders.Add against closing
}

func (s *overlaySub) start() {
	s.bus.mu.Lock()
	s.bus.subs = append(s.bus.subs, s)
	s.bus.mu.Unlock()
	s.senders.Go(func() {
		for ev := range s.base.Out() {
			select {
			case s.out <- ev:
			case <-s.closed:
			}
		}
	})
}

// deliver hands over one event, unless the subscription is closed.
func (s *overlaySub) deliver(ctx context.Context, ev any) {
	s.mu.Lock()
	if done(s.closed) {
		s.mu.Unlock()
		return
	}
	s.senders.Add(1)
	s.mu.Unlock()
	defer s.senders.Done()
	select {
	case s.out <- ev:
	case <-s.closed:
	case <-ctx.Done():
	}
}

// Out implements event.Subscription.
func (s *overlaySub) Out() <-chan any { return s.out }

// Name implements event.Subscription.
func (s *overlaySub) Name() string { return s.base.Name() }

// Close implements event.Subscription.
func (s *overlaySub) Close() (err error) {
	s.once.Do(func() {
		s.bus.remove(s)
		s.mu.Lock()
		close(s.closed)
		s.mu.Unlock()
		err = s.base.Close()
		s.senders.Wait()
		close(s.out)
	})
	return err
}
