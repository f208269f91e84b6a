package libp2phost

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/frame"
)

// link is what one connected peer has of the messenger, whatever its connections.
type link struct {
	m        *messenger
	peer     peer.ID
	sender   frame.Sender // the authenticated key
	keyed    bool         // false: it has none that can send
	ctx      context.Context
	cancel   context.CancelFunc
	capacity *capacity
	posted   chan struct{} // closed when the node was told of the peer

	mu     sync.Mutex // guards what follows, and the lanes
	conns  []network.Conn
	lanes  []lane // by index of the protocol
	queued load   // over all lanes
	plain  bool   // it does not speak the first protocol
	speaks bool   // it does, as its answer or a stream of its own showed
	faults *faults
}

func newLink(m *messenger, p peer.ID) *link {
	l := &link{m: m, peer: p, posted: make(chan struct{}), capacity: newCapacity(m.cfg.Read, m.pools), lanes: make([]lane, len(m.cfg.Messages))}
	l.queued = load{maxMessages: m.cfg.OutboxMessages, maxBytes: m.cfg.OutboxBytes}
	l.ctx, l.cancel = context.WithCancel(m.ctx)
	sender, err := frame.SenderOf(p)
	l.sender, l.keyed = sender, err == nil
	for i := range l.lanes {
		l.lanes[i].link, l.lanes[i].index = l, i
	}
	return l
}

// end drops what is queued. The streams end with their connections.
func (l *link) end() {
	l.cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.lanes {
		l.lanes[i].drop(dropGone)
	}
}

func (l *link) connected(c network.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, c)
	for i := range l.lanes {
		l.lanes[i].wake()
	}
}

func (l *link) disconnected(c network.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = slices.DeleteFunc(l.conns, func(have network.Conn) bool { return have == c })
	for i := range l.lanes {
		if ln := &l.lanes[i]; !ln.running && ln.stream != nil && ln.stream.Conn() == c {
			ln.stream = nil
		}
	}
}

// pick chooses the connection for a new stream: the oldest that we may use. The
// caller holds mu.
func (l *link) pick() network.Conn {
	for _, c := range l.conns {
		if !c.IsClosed() && (!l.m.ownConnsOnly() || c.Stat().Direction == network.DirOutbound) {
			return c
		}
	}
	return nil
}

// closeIdle closes streams that have carried nothing for long.
func (l *link) closeIdle(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.lanes {
		ln := &l.lanes[i]
		if ln.running || ln.stream == nil || now.Sub(ln.wrote) < l.m.cfg.idle(i) {
			continue
		}
		s := ln.stream
		ln.stream = nil
		l.m.spawn(func() { _ = s.Close() }) // on a stalled connection it waits
	}
}
