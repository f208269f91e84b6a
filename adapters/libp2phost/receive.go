package libp2phost

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// maxInbound is how many streams of one protocol a peer may have at a time: one,
// and one that replaces it while we have not noticed its end.
const maxInbound = 2

// accept takes an inbound stream, or resets it.
func (m *messenger) accept(index int, s network.Stream) {
	l := m.link(s.Conn().RemotePeer())
	if l == nil { // its connection has just closed
		_ = s.Reset()
		return
	}
	if why := l.admit(index, s); why != nil {
		_ = s.Reset()
		l.blame(*why)
		return
	}
	r := &reader{link: l, index: index, stream: s, decoder: frame.NewDecoder(m.cfg.Messages[index].MaxPayload)}
	r.evict = r.giveWay
	if !m.spawn(r.run) { // a goroutine of its own: the one of the negotiation has a larger stack
		_ = s.Reset()
	}
}

// admit counts a stream in, or says what is wrong with it.
func (l *link) admit(index int, s network.Stream) *fault {
	if !l.keyed {
		return &fault{cause: badKey, detail: "its key is not an Ed25519 key"}
	}
	if l.m.ownConnsOnly() && s.Conn().Stat().Direction == network.DirOutbound {
		return &fault{badDirection, core.OffenceDirection, "a stream on a connection that is ours alone"}
	}
	l.spoken(index)
	l.mu.Lock()
	defer l.mu.Unlock()
	ln := &l.lanes[index]
	if ln.inbound >= maxInbound {
		return &fault{badStreams, core.OffenceStreams, fmt.Sprintf("more than %d streams of %s", maxInbound, l.m.cfg.Messages[index].ID)}
	}
	ln.inbound++
	return nil
}

// reader takes the messages from one inbound stream.
type reader struct {
	link    *link
	index   int
	stream  network.Stream
	decoder *frame.Decoder

	due     time.Time // by when the next message must have come, or have ended
	armed   time.Time // the stream's deadline: due, or what it was before
	begun   bool      // a part of it is here
	now     time.Time // when the first of it came: asking the clock is not free
	evicted atomic.Bool
	evict   func() // ends the stream in favour of messages that wait for memory
}

func (r *reader) run() {
	m := r.link.m
	_ = r.stream.CloseWrite() // answers go on a stream of our own
	r.due = time.Now().Add(m.cfg.FrameTimeout)
	err := r.arm()
	for err == nil {
		err = r.message()
	}
	r.link.mu.Lock()
	r.link.lanes[r.index].inbound--
	r.link.mu.Unlock()
	if errors.Is(err, io.EOF) && !r.begun {
		_ = r.stream.Close()
		return
	}
	_ = r.stream.Reset()
	r.explain(err)
}

func (r *reader) arm() error {
	r.armed = r.due
	return r.stream.SetReadDeadline(r.due)
}

// message reads one message and delivers it.
func (r *reader) message() error {
	if err := r.length(); err != nil {
		return err
	}
	d, err := r.link.acquire(r.now, frame.LengthSize+r.decoder.Need(), r.evict)
	if err != nil {
		return err
	}
	r.due = r.due.Add(d.waited)
	if err := r.body(d); err != nil {
		d.release()
		return err
	}
	return r.take(d)
}

// length reads the length of the next message. Its first byte starts the time that
// the message may take.
func (r *reader) length() error {
	for !r.decoder.InBody() {
		n, err := r.read(r.decoder.Space(frame.LengthSize))
		if err != nil {
			return err
		}
		if !r.begun {
			r.begun, r.now = true, time.Now()
			r.due = r.now.Add(r.link.m.cfg.FrameTimeout)
		}
		if _, err := r.decoder.Advance(n); err != nil {
			return err
		}
	}
	return nil
}

// readPiece is how much of a message is read at a time, in bytes.
const readPiece = pieceBytes + frame.HeaderSize

// body reads the rest of a message, in pieces for which there is capacity. What
// that takes is not the peer's time.
func (r *reader) body(d *delivery) error {
	for now := r.now; r.decoder.Need() > 0; now = time.Now() {
		piece := min(r.decoder.Need(), readPiece)
		waited, err := d.grow(r.link.ctx, now, piece)
		if err != nil {
			return err
		}
		r.due = r.due.Add(waited)
		r.decoder.Reserve(piece)
		for piece > 0 {
			n, err := r.read(r.decoder.Space(piece))
			if err != nil {
				return err
			}
			piece -= n
			if _, err := r.decoder.Advance(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// read is one read of the stream, until due. Moving the deadline of the stream for
// every message would cost more than reading it, so it is moved when it is over.
func (r *reader) read(p []byte) (int, error) {
	for {
		n, err := r.stream.Read(p)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
			continue
		case r.evicted.Load():
			return 0, errEvicted
		case !isTimeout(err) || time.Now().Before(r.armed): // then it is the connection's
			return 0, err
		case !time.Now().Before(r.due):
			return 0, errSlow
		}
		if err := r.arm(); err != nil {
			return 0, err
		}
		if r.evicted.Load() { // meanwhile
			return 0, errEvicted
		}
	}
}

// giveWay makes run end, without waiting for that.
func (r *reader) giveWay() {
	r.evicted.Store(true)
	_ = r.stream.SetReadDeadline(time.Unix(1, 0))
}

// take hands a complete message to the node if its header is in order.
func (r *reader) take(d *delivery) error {
	m, now := r.link.m, time.Now()
	r.begun, r.due = false, now.Add(m.cfg.FrameTimeout)
	header, payload, err := r.decoder.Take()
	if err == nil {
		err = header.Check(r.link.sender, now, m.cfg.MaxSkew)
	}
	protocol := &m.cfg.Messages[r.index]
	if err != nil && !(protocol.AnyClock && errors.Is(err, frame.ErrSkew)) {
		d.release()
		r.explain(err)
		return nil
	}
	select {
	case <-r.link.posted:
	case <-r.link.ctx.Done():
		d.release()
		return r.link.ctx.Err()
	}
	m.stats.received(d.size)
	d.excuse(true) // from now on it is ours
	m.cfg.Deliver(core.Received{Peer: r.link.peer, Protocol: protocol.ID, Type: header.Type, Payload: payload}, d.done)
	return nil
}

// explain counts what was wrong with a message or ended a stream.
func (r *reader) explain(err error) {
	l := r.link
	switch {
	case errors.Is(err, frame.ErrShort):
		l.blame(fault{badShort, core.OffenceFrame, err.Error()})
	case errors.Is(err, frame.ErrSender):
		l.blame(fault{badSender, core.OffenceSender, err.Error()})
	case errors.Is(err, frame.ErrSkew):
		l.blame(fault{cause: badSkew})
	case errors.Is(err, frame.ErrTooLong):
		l.blame(fault{badTooLong, core.OffenceTooLong, err.Error()})
	case errors.Is(err, errEvicted):
		l.blame(fault{cause: badEvicted})
	case errors.Is(err, errSlow) && r.begun:
		l.blame(fault{badSlow, core.OffenceSlow, fmt.Sprintf("a message did not end within %v", l.m.cfg.FrameTimeout)})
	case errors.Is(err, errSlow):
		l.blame(fault{cause: badSilent})
	}
}
