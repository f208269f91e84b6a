package node

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Event is something that happened to the node, told for people and scripts.
type Event struct {
	Seq  uint64    // counts up from 1 for each node's run
	Time time.Time // when the node noticed
	Kind string    // stable and dotted: "peer.connected", "bootstrap.unreachable"
	Peer peer.ID   // empty when no peer is concerned
	Text string    // one sentence for people
}

// Bounds of the event hub, chosen so that a burst of churn among 50 peers fits
// and a forgotten stream costs kilobytes.
const (
	eventHistory = 256
	eventBuffer  = 256
)

// EventStream delivers the node's events to one watcher.
type EventStream struct {
	hub     *eventHub
	ch      chan Event
	dropped uint64 // guarded by hub.mu
}

// Next waits for the next event. It ends with the context's error, or with
// ErrClosed when the node or the stream was closed.
func (s *EventStream) Next(ctx context.Context) (Event, error) {
	select {
	case e, open := <-s.ch:
		if !open {
			return Event{}, ErrClosed
		}
		return e, nil
	case <-ctx.Done():
		return Event{}, ctx.Err()
	}
}

// Dropped counts the events that this stream missed because 256 were waiting;
// gaps also show in Event.Seq.
func (s *EventStream) Dropped() uint64 {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return s.dropped
}

// Close ends the stream.
func (s *EventStream) Close() { s.hub.remove(s) }

// eventHub fans events out to streams and never waits for one.
type eventHub struct {
	mu      sync.Mutex
	seq     uint64
	recent  []Event
	streams map[*EventStream]struct{}
	closed  bool
}

func newEventHub() *eventHub { return &eventHub{streams: make(map[*EventStream]struct{})} }

func (h *eventHub) emit(kind string, p peer.ID, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	e := Event{Seq: h.seq, Time: time.Now(), Kind: kind, Peer: p, Text: text}
	if len(h.recent) == eventHistory {
		h.recent = append(h.recent[:0], h.recent[1:]...)
	}
	h.recent = append(h.recent, e)
	for s := range h.streams {
		select {
		case s.ch <- e:
		default:
			s.dropped++
		}
	}
}

// add opens a stream that starts with the recent events after seq.
func (h *eventHub) add(after uint64) *EventStream {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &EventStream{hub: h, ch: make(chan Event, eventBuffer)}
	for _, e := range h.recent {
		if e.Seq > after {
			s.ch <- e
		}
	}
	if h.closed {
		close(s.ch)
		return s
	}
	h.streams[s] = struct{}{}
	return s
}

func (h *eventHub) remove(s *EventStream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, live := h.streams[s]; live {
		delete(h.streams, s)
		close(s.ch)
	}
}

func (h *eventHub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.streams {
		delete(h.streams, s)
		close(s.ch)
	}
}

// last is the number of the newest event.
func (h *eventHub) last() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seq
}
