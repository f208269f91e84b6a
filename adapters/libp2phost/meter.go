package libp2phost

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-varint"
)

// readAhead is the meter's buffer, in bytes: several typical control messages
// come with one read of the stream.
const readAhead = 4096

// errOversize says that a peer announced more than the limit.
var errOversize = errors.New("announced message is over the limit")

// metering is what the meters of one host share.
type metering struct {
	large   int           // bytes; larger messages are collected first
	timeout time.Duration // from first byte to last
	budget  *budget

	oversize, malformed, slow, starved atomic.Uint64 // streams ended, by cause
}

// meter is an inbound stream of messages with varint length prefixes, whose
// Read shows the same bytes but never a prefix whose message may not come:
//
//	idle ─ prefix ─┬─ length ≤ large ──▶ pass the bytes through
//	               ├─ length ≤ limit ──▶ collect in pieces, then show all
//	               └─ length > limit ──▶ reset the stream
//
// Between messages a stream may be idle for ever; within one, reads of the
// stream have a deadline. It is set only when a read might wait, so a message
// that arrives whole costs one copy. One goroutine may read at a time.
type meter struct {
	network.Stream
	shared *metering
	limit  int // bytes of a message

	ahead      []byte // read from the stream, not yet shown: ahead[from:to]
	from, to   int
	left       int // bytes of the current message still to show, its prefix included
	deadline   time.Time
	armed      bool // the stream has our deadline
	collected  [][]byte
	shownFirst int   // bytes of collected[0] already shown
	failed     error // why the stream was ended: pubsub asks twice

	mu    sync.Mutex
	claim *claim // of the message being collected or shown; ended by Reset too
}

func newMeter(s network.Stream, limit int, shared *metering) *meter {
	return &meter{Stream: s, limit: limit, shared: shared}
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
	m.left -= n
	if m.left == 0 {
		m.disarm()
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

// fill reads ahead. Within a message, that is once its first byte is here, the
// read has a deadline.
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

func (m *meter) readStream(p []byte) (int, error) {
	if m.left > 0 || m.to > m.from {
		if err := m.arm(); err != nil {
			return 0, err
		}
	}
	n, err := m.Stream.Read(p)
	if n > 0 {
		err = nil // an error comes again with the next read
	}
	return n, err
}

// collect takes in a whole message of total bytes, its prefix included.
func (m *meter) collect(total int) error {
	if err := m.arm(); err != nil {
		return err
	}
	claim := m.shared.budget.claim(time.Now(), func() { _ = m.Stream.Reset() })
	m.setClaim(claim)
	for got := 0; got < total; {
		if err := m.shared.budget.grow(claim, m.deadline); err != nil {
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

// arm gives the stream the message's deadline, which counts from the first time
// that the message is found incomplete.
func (m *meter) arm() error {
	if m.armed {
		return nil
	}
	m.deadline = time.Now().Add(m.shared.timeout)
	m.armed = true
	return m.Stream.SetReadDeadline(m.deadline)
}

func (m *meter) disarm() {
	if m.armed {
		m.armed = false
		_ = m.Stream.SetReadDeadline(time.Time{}) // a stream that is gone says so at the next read
	}
}

// fail ends the stream unless the peer did, and counts the cause.
func (m *meter) fail(err error) error {
	if errors.Is(err, io.EOF) {
		return err
	}
	m.failed = err
	m.count(err)
	_ = m.Reset()
	return err
}

func (m *meter) count(err error) {
	switch {
	case errors.Is(err, errOversize):
		m.shared.oversize.Add(1)
	case errors.Is(err, varint.ErrOverflow), errors.Is(err, varint.ErrNotMinimal):
		m.shared.malformed.Add(1)
	case errors.Is(err, errBudget):
		m.shared.starved.Add(1)
	case m.armed && isTimeout(err):
		m.shared.slow.Add(1)
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &t) && t.Timeout()
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
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.claim != nil {
		m.shared.budget.end(m.claim)
	}
}

var pieces = sync.Pool{New: func() any { return new([pieceBytes]byte) }}

func newPiece() []byte { return pieces.Get().(*[pieceBytes]byte)[:] }

func freePiece(p []byte) { pieces.Put((*[pieceBytes]byte)(p[:pieceBytes])) }
