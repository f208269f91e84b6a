package libp2phost

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/weftnet/weft/adapters/queue"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// MessageProtocol is one of weft's own protocols: see package frame for the form
// of its messages.
type MessageProtocol struct {
	ID         string        // libp2p protocol ID
	MaxPayload int           // bytes; a longer message ends its stream
	AnyClock   bool          // the time in the header is not judged, as in a handshake that does so itself
	Idle       time.Duration // in place of Config.StreamIdle, if not zero: an open stream costs each end 5 KB
}

// idle is how long a stream of a protocol may carry nothing.
func (c *Config) idle(index int) time.Duration {
	if d := c.Messages[index].Idle; d > 0 {
		return d
	}
	return c.StreamIdle
}

// messenger sends and receives the messages of weft's own protocols. Each peer has
// a link from its first connection to the end of its last.
type messenger struct {
	cfg    Config
	log    *slog.Logger
	host   host.Host
	book   *book
	events *queue.Queue[core.Event]
	self   frame.Sender
	index  map[string]int // into cfg.Messages
	hellos [][]byte       // by index: what opens a stream
	pools  *pools
	stats  messageStats

	ctx     context.Context
	workers sync.WaitGroup

	mu     sync.RWMutex
	closed bool
	links  map[peer.ID]*link
	early  map[network.Conn]struct{} // identified before we were told that they are up, without the first protocol
}

func newMessenger(ctx context.Context, cfg Config, h host.Host, b *book, events *queue.Queue[core.Event]) (*messenger, error) {
	self, err := frame.SenderOf(h.ID())
	if err != nil {
		return nil, err
	}
	m := &messenger{
		cfg: cfg, log: cfg.Logger, host: h, book: b, events: events, self: self, ctx: ctx,
		index: make(map[string]int), pools: newPools(cfg.Read),
		links: make(map[peer.ID]*link), early: make(map[network.Conn]struct{}),
	}
	for i, p := range cfg.Messages {
		m.index[p.ID] = i
		m.hellos = append(m.hellos, hello(p.ID))
		h.SetStreamHandler(protocol.ID(p.ID), func(s network.Stream) { m.accept(i, s) })
	}
	return m, nil
}

func (m *messenger) start() error {
	if err := m.watchIdentify(); err != nil {
		return err
	}
	m.workers.Go(func() { m.sweep(m.ctx) })
	return nil
}

// spawn runs f on a goroutine that close waits for, unless close has begun.
func (m *messenger) spawn(f func()) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return false
	}
	m.workers.Go(f)
	return true
}

// close waits for all readers and writers. Their streams and the context have
// ended before.
func (m *messenger) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.workers.Wait()
}

// open makes the link of a peer that is now connected. It is called, like shut,
// under the book's lock, so that links and events keep one order. Its messages are
// delivered once posted is closed.
func (m *messenger) open(p peer.ID) (posted chan<- struct{}) {
	if m == nil {
		return nil
	}
	l := newLink(m, p)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.links[p] = l
	return l.posted
}

// shut ends the link of a peer whose last connection is gone.
func (m *messenger) shut(p peer.ID) {
	if m == nil {
		return
	}
	m.mu.Lock()
	l := m.links[p]
	delete(m.links, p)
	m.mu.Unlock()
	if l != nil {
		l.end()
	}
}

func (m *messenger) link(p peer.ID) *link {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.links[p]
}

// up adds a connection to its peer's link. What waits for one is sent on it.
func (m *messenger) up(c network.Conn) {
	if m == nil {
		return
	}
	m.mu.Lock()
	l := m.links[c.RemotePeer()]
	_, suspect := m.early[c]
	delete(m.early, c)
	m.mu.Unlock()
	if l == nil {
		return
	}
	l.connected(c)
	if suspect {
		l.suspect()
	}
}

// down takes a connection from its peer's link.
func (m *messenger) down(c network.Conn) {
	if m == nil {
		return
	}
	if l := m.link(c.RemotePeer()); l != nil {
		l.disconnected(c)
	}
}

// Send queues a message for a peer and never waits. It is dropped, and counted,
// when the peer is not connected, does not speak the protocol, or has its queue
// full: see Config.OutboxBytes.
func (h *Host) Send(s core.Send) {
	if h.messages != nil {
		h.messages.send(s)
	}
}

func (m *messenger) send(s core.Send) {
	i, known := m.index[s.Protocol]
	switch l := m.link(s.Peer); {
	case !known || len(s.Payload) > m.cfg.Messages[i].MaxPayload:
		m.log.Error("message cannot be sent: its protocol is not configured, or it is over the protocol's limit",
			"protocol", s.Protocol, "bytes", len(s.Payload))
		m.stats.drop(dropUnsendable, 1)
	case l == nil:
		m.stats.drop(dropGone, 1)
	default:
		l.lanes[i].send(outgoing{kind: s.Type, vital: s.Vital, payload: s.Payload})
	}
}

// sweepPart is the part of the idle time by which a stream may close late.
const sweepPart = 4

// sweep closes idle streams until ctx ends.
func (m *messenger) sweep(ctx context.Context) {
	every := m.cfg.idle(0)
	for i := range m.cfg.Messages {
		every = min(every, m.cfg.idle(i))
	}
	ticker := time.NewTicker(max(every/sweepPart, minWatchEvery))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			for _, l := range m.all() {
				l.closeIdle(now)
			}
		}
	}
}

func (m *messenger) all() []*link {
	m.mu.RLock()
	defer m.mu.RUnlock()
	list := make([]*link, 0, len(m.links))
	for _, l := range m.links {
		list = append(list, l)
	}
	return list
}

// ownConnsOnly says whether our streams go only on connections that we opened, and
// the peer's only on those that it opened.
func (m *messenger) ownConnsOnly() bool { return m.cfg.Symmetry }

// speaks says whether a list of protocols has the first of ours, without which
// nobody is a weft peer.
func (m *messenger) speaks(protocols []protocol.ID) bool {
	return slices.Contains(protocols, protocol.ID(m.cfg.Messages[0].ID))
}
