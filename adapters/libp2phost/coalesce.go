package libp2phost

import (
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
)

const (
	// gatherBytes is how much of small frames is gathered; chosen because what goes
	// out together is mostly less, and larger frames gain nothing.
	gatherBytes = 8 << 10

	// closeGrace is how long what was gathered may take when the connection is closed;
	// chosen well below the 5 s that TLS gives to its last record.
	closeGrace = time.Second
)

// coalescingYamux is yamux whose small frames share TLS records and system calls. By
// itself it writes each frame alone, and a stream takes several of a few bytes: to
// open it, to choose its protocol, to accept it and to close it.
type coalescingYamux struct{ *yamux.Transport }

// NewConn implements network.Multiplexer.
func (t coalescingYamux) NewConn(c net.Conn, server bool, scope network.PeerScope) (network.MuxedConn, error) {
	return t.Transport.NewConn(newCoalescer(c), server, scope)
}

// coalescer gathers small writes until a goroutine that the first of them starts
// comes to write them. No write waits for a later one:
//
//	Write ─▶ gathered ─▶ flush ─▶ conn
//	   └──── too large for that ───▲
//
// As with yamux, one goroutine writes at a time. What Write took may fail later: the
// connection is closed then, so that who reads notices.
type coalescer struct {
	net.Conn

	mu         sync.Mutex
	idle       sync.Cond // flushing has become false
	flushing   bool
	gathered   []byte    // nil, or of the pool
	due, armed time.Time // the write deadline that was asked for, and the connection's
	err        error     // of the write that failed
}

func newCoalescer(c net.Conn) *coalescer {
	w := &coalescer{Conn: c}
	w.idle.L = &w.mu
	return w
}

var gatherings = sync.Pool{New: func() any { return new([gatherBytes]byte) }}

// SetWriteDeadline implements net.Conn, for the writes that begin after it: those
// that come while one is stuck must not put off its end.
func (w *coalescer) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due = t
	return nil
}

// arm sets the connection's deadline. The caller holds the lock.
func (w *coalescer) arm() error {
	if w.armed.Equal(w.due) {
		return nil
	}
	w.armed = w.due
	return w.Conn.SetWriteDeadline(w.due)
}

// Write implements net.Conn.
func (w *coalescer) Write(p []byte) (int, error) {
	if len(p) > gatherBytes {
		return w.writeLarge(p)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.flushing && len(w.gathered)+len(p) > gatherBytes {
		w.idle.Wait()
	}
	if w.err != nil {
		return 0, w.err
	}
	if w.gathered == nil {
		w.gathered = gatherings.Get().(*[gatherBytes]byte)[:0]
	}
	w.gathered = append(w.gathered, p...)
	if !w.flushing {
		w.flushing = true
		go w.flush()
	}
	return len(p), nil
}

// writeLarge writes p itself, after what was gathered.
func (w *coalescer) writeLarge(p []byte) (int, error) {
	w.mu.Lock()
	for w.flushing {
		w.idle.Wait()
	}
	err := w.err
	if err == nil {
		err = w.arm()
	}
	w.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return w.Conn.Write(p)
}

// flush writes until nothing is gathered.
func (w *coalescer) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.err == nil && w.gathered != nil {
		out := w.gathered
		w.gathered = nil
		if w.err = w.arm(); w.err == nil {
			w.mu.Unlock()
			_, err := w.Conn.Write(out)
			w.mu.Lock()
			w.err = err
		}
		gatherings.Put((*[gatherBytes]byte)(out[:gatherBytes]))
	}
	if w.err != nil {
		w.mu.Unlock()
		_ = w.Conn.Close() // it may wait
		w.mu.Lock()
	}
	w.flushing = false
	w.idle.Broadcast()
}

// Close writes what was gathered, if that takes no longer than the grace.
func (w *coalescer) Close() error {
	w.mu.Lock()
	w.due = time.Now().Add(closeGrace)
	_ = w.arm()
	for w.flushing {
		w.idle.Wait()
	}
	if w.err == nil {
		w.err = net.ErrClosed
	}
	w.mu.Unlock()
	return w.Conn.Close()
}
