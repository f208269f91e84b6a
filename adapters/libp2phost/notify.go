package libp2phost

import (
	"context"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/adapters/queue"
	"github.com/weftnet/weft/protocols/core"
)

// maxUnposted is how many connections may wait for their events to be posted
// before further ones wait to be established; chosen because a full mesh of 1,000
// fits. The events of a connection's end come on top: one for each.
const maxUnposted = 1024

// notifier turns libp2p's notifications, which come from many goroutines and
// must not wait long, into an ordered stream of events. None is lost: when the
// receiver falls far behind, new connections wait for it.
type notifier struct {
	ctx        context.Context
	book       *book
	events     *queue.Queue[core.Event]
	superseded func(peer.ID) // told of peers that dial us
	messages   *messenger    // nil: none
	room       chan struct{} // holds one item for each counted event that is not posted yet
}

// counted is the last event of a new connection.
type counted struct{ core.Event }

// opened is the first event of a peer. Its messages wait for it to be posted.
type opened struct {
	core.Connected
	posted chan<- struct{} // nil: there are none
}

var _ network.Notifiee = (*notifier)(nil)

func newNotifier(ctx context.Context, b *book) *notifier {
	return &notifier{ctx: ctx, book: b, superseded: func(peer.ID) {}, events: queue.New[core.Event](), room: make(chan struct{}, maxUnposted)}
}

// run posts until the context ends.
func (n *notifier) run(post func(core.Event)) {
	n.events.Run(n.ctx, func(ev core.Event) {
		switch ev := ev.(type) {
		case counted:
			post(ev.Event)
			<-n.room
		case opened:
			post(ev.Connected)
			if ev.posted != nil {
				close(ev.posted)
			}
		default:
			post(ev)
		}
	})
}

// Connected is called before any stream of the connection is handled.
func (n *notifier) Connected(_ network.Network, c network.Conn) {
	if c.Stat().Direction == network.DirInbound {
		n.superseded(c.RemotePeer())
	}
	select {
	case n.room <- struct{}{}:
	case <-n.ctx.Done():
		return
	}
	if !n.book.tell(c) {
		<-n.room
	}
	n.messages.up(c)
}

// Disconnected is called after Connected has returned for the same connection.
func (n *notifier) Disconnected(_ network.Network, c network.Conn) {
	n.messages.down(c)
	n.book.strike(c)
}

// Listen implements network.Notifiee.
func (n *notifier) Listen(network.Network, ma.Multiaddr) {}

// ListenClose implements network.Notifiee.
func (n *notifier) ListenClose(network.Network, ma.Multiaddr) {}
