package libp2phost

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-varint"
)

// readAhead is the meter's buffer, in bytes: chosen because a few typical control
// messages come with one read of the stream, and three idle streams with each peer
// cost little.
const readAhead = 512

var (
	errOversize = errors.New("announced message is over the limit")
	errSlow     = errors.New("message did not end in time")
)

// meter is an inbound stream of messages with varint length prefixes, whose
// Read shows the same bytes but never a prefix whose message may not come:
//
//	idle ─ prefix ─┬─ length ≤ large ──▶ pass the bytes through
//	               ├─ length ≤ limit ──▶ collect in pieces, then show all
//	               └─ length > limit ──▶ reset the stream
//
// Between messages a stream may be idle for ever; a message that has begun must
// end in time. A message that arrives whole costs one copy; one that does not is
// marked with the time, and metering.watch ends streams whose mark is too old:
// setting a deadline for each would cost more than all the rest. One goroutine
// may read at a time.
type meter struct {
	network.Stream
	shared *metering
	limit  int // bytes of a message

	ahead      []byte // read from the stream, not yet shown: ahead[from:to]
	from, to   int
	left       int // bytes of the current message still to show, its prefix included
	collected  [][]byte
	shownFirst int // bytes of collected[0] already shown
	entries    entries
	failed     error // why the stream was ended: pubsub asks twice

	begun atomic.Int64 // Unix ns when the current message was found incomplete; 0: it was not
	late  atomic.Bool  // the stream was ended for that

	mu    sync.Mutex
	claim *claim // of the message being collected or shown; ended by Reset too
}

func newMeter(s network.Stream, limit int, shared *metering) *meter {
	m := &meter{Stream: s, limit: limit, shared: shared}
	shared.add(m)
	return m
}

// Read implements io.Reader.
func (m *meter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if m.failed != nil {
		return 0, m.failed
	}
	if m.left == 0 {
		if err := m.begin(); err != nil {
			return 0, m.fail(err)
		}
	}
	n, err := m.show(p)
	if over := m.entries.pass(p[:n]); over != nil {
		return 0, m.fail(over)
	}
	if m.left -= n; m.left == 0 {
		m.begun.Store(0)
		m.entries.next()
	}
	if err != nil {
		err = m.fail(err)
	}
	return n, err
}

// show copies out bytes of the current message.
func (m *meter) show(p []byte) (int, error) {
	if len(m.collected) > 0 {
		return m.showCollected(p), nil
	}
	p = p[:min(len(p), m.left)]
	if m.from == m.to {
		if len(p) >= readAhead { // nothing to gain from another copy
			return m.readStream(p)
		}
		if err := m.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, m.ahead[m.from:m.to])
	m.from += n
	return n, nil
}

// begin finds the next message's prefix and decides how the message is shown.
func (m *meter) begin() error {
	for {
		length, n, err := varint.FromUvarint(m.ahead[m.from:m.to])
		switch {
		case err == nil && length > uint64(m.limit):
			return fmt.Errorf("%w: %d of %d bytes", errOversize, length, m.limit)
		case err == nil && length > uint64(m.shared.large):
			return m.collect(n + int(length))
		case err == nil:
			m.left = n + int(length)
			return nil
		case !errors.Is(err, varint.ErrUnderflow):
			return err
		}
		if err := m.fill(); err != nil {
			return err
		}
	}
}

// fill reads ahead.
func (m *meter) fill() error {
	if m.ahead == nil {
		m.ahead = make([]byte, readAhead)
	}
	m.to = copy(m.ahead, m.ahead[m.from:m.to])
	m.from = 0
	n, err := m.readStream(m.ahead[m.to:])
	m.to += n
	if n > 0 {
		return nil
	}
	if errors.Is(err, io.EOF) && (m.left > 0 || m.to > 0) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readStream reads, and marks the message when it has begun, that is when its
// first byte is here.
func (m *meter) readStream(p []byte) (int, error) {
	if m.left > 0 || m.to > m.from {
		m.mark()
	}
	n, err := m.Stream.Read(p)
	if n > 0 {
		err = nil // an error comes again with the next read
	}
	return n, err
}

// collect takes in a whole message of total bytes, its prefix included.
func (m *meter) collect(total int) error {
	deadline := m.mark().Add(m.shared.timeout)
	claim := m.shared.budget.claim(time.Now(), func() { _ = m.Stream.Reset() })
	m.setClaim(claim)
	for got := 0; got < total; {
		if err := m.shared.budget.grow(claim, deadline); err != nil {
			return err
		}
		piece := newPiece()[:min(pieceBytes, total-got)]
		if err := m.readFull(piece); err != nil {
			return err
		}
		m.collected = append(m.collected, piece)
		got += len(piece)
	}
	m.left = total
	return nil
}

// readFull fills p from what was read ahead and from the stream.
func (m *meter) readFull(p []byte) error {
	n := copy(p, m.ahead[m.from:m.to])
	m.from += n
	_, err := io.ReadFull(m.Stream, p[n:])
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (m *meter) showCollected(p []byte) int {
	n := copy(p, m.collected[0][m.shownFirst:])
	m.shownFirst += n
	if m.shownFirst == len(m.collected[0]) {
		freePiece(m.collected[0])
		m.collected[0] = nil
		m.collected = m.collected[1:]
		m.shownFirst = 0
		m.shared.budget.shrink(m.claim)
	}
	if len(m.collected) == 0 {
		m.collected = nil
		m.setClaim(nil)
	}
	return n
}

// mark notes when the message was first found incomplete.
func (m *meter) mark() time.Time {
	if at := m.begun.Load(); at != 0 {
		return time.Unix(0, at)
	}
	now := time.Now()
	m.begun.Store(now.UnixNano())
	return now
}

// expire ends the stream if its message has taken too long.
func (m *meter) expire(now time.Time) {
	if at := m.begun.Load(); at != 0 && now.UnixNano()-at >= int64(m.shared.timeout) && m.late.CompareAndSwap(false, true) {
		_ = m.Stream.Reset()
	}
}

// fail ends the stream unless the peer did, and counts the cause.
func (m *meter) fail(err error) error {
	if errors.Is(err, io.EOF) {
		return err
	}
	if m.late.Load() && !errors.Is(err, errBudget) {
		err = fmt.Errorf("%w: %w", errSlow, err)
	}
	m.failed = err
	m.shared.count(err)
	_ = m.Reset()
	return err
}

// setClaim replaces the claim, ending the one before.
func (m *meter) setClaim(c *claim) {
	m.mu.Lock()
	old := m.claim
	m.claim = c
	m.mu.Unlock()
	if old != nil {
		m.shared.budget.end(old)
	}
}

// Reset, ResetWithError, Close and CloseRead end a message that nobody will
// read on, so its bytes go back to the budget.

// Reset implements network.Stream.
func (m *meter) Reset() error {
	defer m.abandon()
	return m.Stream.Reset()
}

// ResetWithError implements network.Stream.
func (m *meter) ResetWithError(code network.StreamErrorCode) error {
	defer m.abandon()
	return m.Stream.ResetWithError(code)
}

// Close implements network.Stream.
func (m *meter) Close() error {
	defer m.abandon()
	return m.Stream.Close()
}

// CloseRead implements network.Stream.
func (m *meter) CloseRead() error {
	defer m.abandon()
	return m.Stream.CloseRead()
}

func (m *meter) abandon() {
	m.shared.remove(m)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.claim != nil {
		m.shared.budget.end(m.claim)
	}
}
