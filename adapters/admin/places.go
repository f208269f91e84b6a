package admin

import (
	"net"
	"net/http"
	"sync"
)

// places is a listener that holds a limited number of connections. When all
// places are taken a newcomer gets that of the connection that has been idle
// longest, so that connections which ask nothing keep nobody out; while all are
// at work it waits.
type places struct {
	net.Listener
	most int

	mu     sync.Mutex
	change sync.Cond
	held   map[*placed]uint64 // when it became idle, as a place in turns; 0 while at work
	turns  uint64
	closed bool
}

// placed is a connection that has a place until it is closed.
type placed struct {
	net.Conn
	places *places
}

func limit(l net.Listener, most int) *places {
	p := &places{Listener: l, most: most, held: map[*placed]uint64{}}
	p.change.L = &p.mu
	return p
}

func (l *places) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &placed{conn, l}
	if !l.take(c) {
		_ = conn.Close() // nothing was said on it
		return nil, net.ErrClosed
	}
	return c, nil
}

// take waits for a place and says whether there was one before the listener closed.
func (l *places) take(c *placed) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.held) >= l.most && !l.closed {
		idle := l.idle()
		if idle == nil {
			l.change.Wait()
			continue
		}
		delete(l.held, idle)
		_ = idle.Conn.Close() // its server meets the error
	}
	if !l.closed {
		l.turns++
		l.held[c] = l.turns // it has not asked anything yet
	}
	return !l.closed
}

// idle is the connection that has been idle longest; nil when there is none.
func (l *places) idle() (longest *placed) {
	for c, since := range l.held {
		if since > 0 && (longest == nil || since < l.held[longest]) {
			longest = c
		}
	}
	return longest
}

// turn is http.Server's ConnState: it tells when a connection begins and ceases
// to be at work.
func (l *places) turn(conn net.Conn, state http.ConnState) {
	c, ours := conn.(*placed)
	if !ours || state != http.StateActive && state != http.StateIdle {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, held := l.held[c]; !held {
		return
	}
	l.held[c] = 0
	if state == http.StateIdle {
		l.turns++
		l.held[c] = l.turns
		l.change.Broadcast()
	}
}

// Close gives the place back.
func (c *placed) Close() error {
	c.places.mu.Lock()
	delete(c.places.held, c)
	c.places.change.Broadcast()
	c.places.mu.Unlock()
	return c.Conn.Close()
}

// Close ends the wait for a place too.
func (l *places) Close() error {
	l.mu.Lock()
	l.closed = true
	l.change.Broadcast()
	l.mu.Unlock()
	return l.Listener.Close()
}
