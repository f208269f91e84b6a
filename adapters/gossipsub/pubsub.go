package gossipsub

import (
	"context"
	"fmt"
	"slices"
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// PubSub is one node's membership in topics.
type PubSub struct {
	cfg    Config
	host   host.Host
	ps     *pubsub.PubSub
	router *pubsub.GossipSubRouter // kept bare: wrapping it makes every gossipsub option fail
	trace  *trace
	filter *filter

	reputation *reputation // nil: nobody wants to know
	engine     *engine     // nil: episub is off

	sign   pubsub.PubOpt   // signs a message as the host
	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu     sync.Mutex // guards topics and what they hold; pubsub's loop never takes it
	topics map[string]*topic
	closed bool
}

// New starts pubsub on a host. Close ends it; the host stays open.
func New(h host.Host, cfg Config) (*PubSub, error) { return start(h, cfg) }

// start is New with more options, for tests.
func start(h host.Host, cfg Config, more ...pubsub.Option) (*PubSub, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	sign, err := ownKey(h.Peerstore(), h.ID())
	if err != nil {
		return nil, err
	}
	p := &PubSub{cfg: cfg, host: h, sign: sign, topics: make(map[string]*topic), trace: newTrace()}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.filter = newFilter(cfg, h.Network(), p.trace)
	p.trace.gone = p.filter.forget
	p.router = pubsub.DefaultGossipSubRouter(h)
	p.reputation = p.begin()
	if cfg.Episub {
		p.engine = newEngine(p, cfg.Tiers)
		p.trace.engine = p.engine
		p.filter.engine = p.engine
	}
	if p.ps, err = pubsub.NewGossipSubWithRouter(p.ctx, h, p.router, slices.Concat(p.options(), p.reputation.options(), p.engine.options(), more)...); err != nil {
		p.cancel()
		p.reputation.wait()
		return nil, fmt.Errorf("start pubsub: %w", err)
	}
	if p.engine != nil {
		go p.engine.run(p.ctx)
	}
	return p, nil
}

// options are pubsub's settings. Those not named stay at libp2p's defaults: the
// default message ID, default mesh parameters, no flood publish. Who signs is decided
// by topic (sign.go).
func (p *PubSub) options() []pubsub.Option {
	return []pubsub.Option{
		p.router.WithDefaultTagTracer(),
		pubsub.WithNoAuthor(), // unless sign names one
		pubsub.WithMessageSignaturePolicy(signaturePerTopic),
		pubsub.WithMaxMessageSize(WireLimit(p.cfg.MaxMessage)),
		pubsub.WithPeerOutboundQueueSize(p.cfg.queue(p.cfg.OutboundQueue)),
		pubsub.WithValidateQueueSize(p.cfg.queue(p.cfg.ValidateQueue)),
		pubsub.WithSubscriptionFilter(p.filter.limited(p.cfg.MaxSubscriptionsPerRPC)),
		pubsub.WithAppSpecificRpcInspector(p.inspect),
		pubsub.WithRawTracer(p.trace),
		pubsub.WithLogger(quiet(p.cfg.Logger)),
		pubsub.WithRPCLogger(discard),
	}
}

// Close leaves every topic and ends every subscription. Messages that were
// delivered to a subscription can still be read.
func (p *PubSub) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	for _, t := range p.topics {
		for _, s := range t.subscribers() {
			s.end()
		}
	}
	clear(p.topics)
	p.mu.Unlock()

	p.cancel()
	p.hangUp()
	p.reputation.wait()
	p.engine.wait()
	return nil
}

// hangUp ends the streams that peers opened to us: pubsub's readers wait on them
// for as long as the host lives.
func (p *PubSub) hangUp() {
	protocols := p.router.Protocols()
	for _, id := range protocols {
		p.host.RemoveStreamHandler(id)
	}
	for _, c := range p.host.Network().Conns() {
		resetStreams(c, protocols)
	}
}

func resetStreams(c network.Conn, protocols []protocol.ID) {
	for _, s := range c.GetStreams() {
		if slices.Contains(protocols, s.Protocol()) {
			_ = s.Reset()
		}
	}
}
