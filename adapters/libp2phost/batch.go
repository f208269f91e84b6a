package libp2phost

import (
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/weftnet/weft/protocols/frame"
)

// batch is messages on their way into a stream.
type batch struct {
	messages []outgoing
	ends     []int  // of each message, in bytes of all
	head     []byte // all bytes but the rest of a large last message
	tail     []byte // that rest
	sent     int    // bytes that the stream took
	piece    []byte
}

// batchBytes is the size up to which messages are sent with one write; chosen
// because a larger one saves nothing more.
const batchBytes = 32 << 10

func newBatch() *batch { return &batch{piece: newPiece()} }

func (b *batch) free() { freePiece(b.piece) }

func (b *batch) clear() {
	clear(b.messages)
	b.messages, b.ends, b.sent = b.messages[:0], b.ends[:0], 0
	b.head, b.tail = nil, nil
}

// forgetUnsent forgets the messages that have gone back into the outbox.
func (b *batch) forgetUnsent() { b.messages = b.messages[:len(b.messages)-len(b.unsent())] }

// encode lays the messages out. Their size was checked when they were queued.
func (b *batch) encode(self frame.Sender, now time.Time) {
	out := b.piece[:helloRoom]
	for _, o := range b.messages {
		out, _ = frame.AppendHeader(out, frame.Header{Type: o.kind, Sender: self, Time: now}, len(o.payload))
		n := min(len(o.payload), cap(out)-len(out))
		out = append(out, o.payload[:n]...)
		b.tail = o.payload[n:]
		b.ends = append(b.ends, len(out)-helloRoom+len(b.tail))
	}
	b.head = out
}

// unsent is the messages that did not get into the stream completely.
func (b *batch) unsent() []outgoing {
	for i, end := range b.ends {
		if b.sent < end {
			return b.messages[i:]
		}
	}
	return b.messages[len(b.ends):]
}

// done counts the messages that got into the stream completely, and their bytes.
func (b *batch) done() (messages, bytes int) {
	return len(b.messages) - len(b.unsent()), b.start()
}

// start is where the first message begins that is not sent completely.
func (b *batch) start() int {
	if i := len(b.messages) - len(b.unsent()); i > 0 {
		return b.ends[i-1]
	}
	return 0
}

// write sends hello and the messages that are not sent completely yet. extend is
// called before each piece.
func (b *batch) write(s network.Stream, hello []byte, extend func(network.Stream) error) error {
	b.sent = b.start()
	first := helloRoom + b.sent
	if hello != nil { // what lies before first was sent, and is not needed again
		first -= copy(b.head[first-len(hello):], hello)
	}
	if first < len(b.head) {
		if err := extend(s); err != nil {
			return err
		}
		n, err := s.Write(b.head[first:])
		b.sent += max(0, n-len(hello))
		if err != nil {
			return err
		}
	}
	for rest := b.tail; len(rest) > 0; {
		if err := extend(s); err != nil {
			return err
		}
		n, err := s.Write(rest[:min(len(rest), pieceBytes)])
		b.sent += n
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}
