package libp2phost

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// lane sends the messages of one protocol to one peer, in order, on a stream of
// its own: a peer that reads one protocol slowly gets the others in time. Its
// goroutine exists only while there is something to send:
//
//	send ─▶ outbox ─▶ run: take a batch ─▶ stream of before, or a new one ─▶ write
//	           ▲                                    │ no connection
//	           └──────── put back, wait for wake ◀──┘
//
// The link's lock guards all fields, but while running, stream and due belong to
// the goroutine.
type lane struct {
	link    *link
	index   int // of the protocol
	box     outbox
	running bool
	refused bool  // the peer does not speak the protocol
	inbound uint8 // streams of the other way

	stream network.Stream // nil: none is open
	due    time.Time      // its write deadline
	wrote  time.Time      // when it last carried something
}

// send queues a message, or drops and counts it.
func (ln *lane) send(o outgoing) {
	l := ln.link
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ctx.Err() != nil:
		l.m.stats.drop(dropGone, 1)
	case l.plain || ln.refused:
		l.m.stats.drop(dropRefused, 1)
	case o.vital:
		if ln.box.putVital(o) {
			l.m.stats.drop(dropReplaced, 1)
		}
		ln.wake()
	case !l.queued.fits(o):
		l.m.stats.drop(dropFull, 1)
	default:
		ln.box.put(o)
		l.queued.add(o)
		ln.wake()
	}
}

// wake starts the goroutine if it has something to do. The caller holds the lock.
func (ln *lane) wake() {
	if ln.running || ln.box.empty() || (ln.stream == nil && ln.link.pick() == nil) {
		return
	}
	ln.running = ln.link.m.spawn(ln.run)
}

// drop empties the outbox. The caller holds the lock.
func (ln *lane) drop(why dropCause) {
	for !ln.box.empty() {
		for _, o := range ln.box.take(nil, 0) {
			ln.link.queued.remove(o)
			ln.link.m.stats.drop(why, 1)
		}
	}
	ln.box = outbox{}
}

func (ln *lane) run() {
	b := newBatch()
	defer b.free()
	for ln.take(b) {
		err := ln.write(b)
		ln.link.m.stats.sent(b.done())
		if err != nil {
			ln.fail(b, err)
		}
	}
}

// take fills the batch, or ends the goroutine's work.
func (ln *lane) take(b *batch) bool {
	l := ln.link
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range b.messages {
		l.queued.remove(o)
	}
	b.clear()
	if ln.box.empty() || l.ctx.Err() != nil || (ln.stream == nil && l.pick() == nil) {
		ln.running = false
		return false
	}
	b.messages = ln.box.take(b.messages, batchBytes)
	return true
}

// maxTries is how many streams a batch may be tried on: one that ended while it
// was idle, one on a connection that is closing, and one on the other connection.
const maxTries = 1 + connsPerPeer

// errStalled means that the peer has not read for too long.
var errStalled = errors.New("the peer does not read")

// write sends a batch. What was not handed over completely goes to a new stream
// when one ended before.
func (ln *lane) write(b *batch) (err error) {
	b.encode(ln.link.m.self, time.Now())
	for range maxTries {
		fresh := ln.stream == nil
		if fresh {
			err = ln.open()
		}
		if err == nil {
			err = ln.writeOn(ln.stream, b, fresh)
		}
		if err == nil || errors.Is(err, errStalled) || errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	return err
}

// fail gives up a batch, or keeps it when it may be sent later.
func (ln *lane) fail(b *batch, err error) {
	l := ln.link
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := b.unsent()
	why := dropFailed
	switch {
	case l.ctx.Err() != nil:
		why = dropGone
	case ln.refused || l.plain:
		why = dropRefused
	case l.pick() == nil:
		l.m.stats.drop(dropReplaced, ln.box.putBack(rest))
		b.forgetUnsent()
		return
	case errors.Is(err, errStalled):
		why = dropStalled
		ln.drop(why) // all of it is old by now
	}
	l.m.stats.drop(why, len(rest))
}

var errNoConn = errors.New("no connection that may carry a stream")

// open starts a stream. The peer's answer to it is awaited elsewhere.
func (ln *lane) open() error {
	l := ln.link
	l.mu.Lock()
	c, refused := l.pick(), ln.refused
	l.mu.Unlock()
	switch {
	case refused:
		return errRefused
	case c == nil:
		return errNoConn
	}
	ctx, cancel := context.WithTimeout(l.ctx, answerTimeout)
	defer cancel()
	s, err := c.NewStream(ctx)
	if err != nil {
		return err
	}
	if err := s.SetProtocol(protocol.ID(l.m.cfg.Messages[ln.index].ID)); err != nil {
		_ = s.Reset()
		return err
	}
	ln.stream, ln.due = s, time.Time{}
	return nil
}

// writeOn writes what the batch has left. On a new stream the negotiation goes out
// with it. A stream that fails is given up.
func (ln *lane) writeOn(s network.Stream, b *batch, fresh bool) error {
	var hello []byte
	if fresh {
		hello = ln.link.m.hellos[ln.index]
		ln.link.m.spawn(func() { ln.confirm(s, time.Now()) })
	}
	err := b.write(s, hello, ln.extend)
	if err == nil {
		return nil
	}
	_ = s.Reset()
	ln.stream = nil
	if isTimeout(err) && !time.Now().Before(ln.due) {
		return errStalled
	}
	return err
}

// extend moves the write deadline, which the stream has for each piece anew, when
// half of it is over: setting it every time would cost as much as a small message.
func (ln *lane) extend(s network.Stream) error {
	now, timeout := time.Now(), ln.link.m.cfg.WriteTimeout
	ln.wrote = now
	if ln.due.Sub(now) >= timeout/2 {
		return nil
	}
	ln.due = now.Add(timeout)
	return s.SetWriteDeadline(ln.due)
}
