package node

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Event is something that happened to the node, told for people and scripts. The
// kinds:
//
//   - node.started, node.draining
//   - bootstrap.connected, bootstrap.unreachable, bootstrap.fallback
//   - peer.connected, peer.dial_failed, peer.dropped (we disconnect it),
//     peer.disconnected
//   - peer.member (the handshake is complete), peer.rejected, peer.plain, and
//     peer.left when a member is gone
//   - peer.silent (it answers no ping), peer.offence, peer.banned, peer.unbanned
//   - group.banned, group.unbanned (an IP group; Text begins with it)
//   - tier.eager (the peer is to push a topic's messages), tier.lazy (it is to
//     announce them only); Text names the topic and says why
//   - claim.unsigned (our own addresses could not be signed)
//   - object.invalid (a peer sent an object that nobody may take for valid),
//     object.expired (one was given up that waited for others), object.stranded (one
//     waits for what everybody has pruned: Text says how to go on); each told at most
//     once in a minute
//   - store.failed (objects can be neither kept nor delivered until a restart)
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
	mu       sync.Mutex
	seq      uint64
	recent   []Event
	everyday int // of recent
	streams  map[*EventStream]struct{}
	closed   bool
}

func newEventHub() *eventHub { return &eventHub{streams: make(map[*EventStream]struct{})} }

func (h *eventHub) emit(kind string, p peer.ID, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	e := Event{Seq: h.seq, Time: time.Now(), Kind: kind, Peer: p, Text: text}
	h.remember(e)
	for s := range h.streams {
		select {
		case s.ch <- e:
		default:
			s.dropped++
		}
	}
}

// remember keeps an event for those who ask later. Strangers cause the everyday
// ones, as many as they like: these and the others have half of the history each,
// and what the other does not need.
func (h *eventHub) remember(e Event) {
	h.recent = append(h.recent, e)
	h.everyday += count(everyday(e.Kind))
	if len(h.recent) <= eventHistory {
		return
	}
	crowd := h.everyday > eventHistory/2
	h.everyday -= count(crowd)
	oldest := slices.IndexFunc(h.recent, func(old Event) bool { return everyday(old.Kind) == crowd })
	h.recent = slices.Delete(h.recent, oldest, oldest+1)
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// everyday says that peers coming, going and failing cause events of a kind. Bans
// are news.
func everyday(kind string) bool {
	return (strings.HasPrefix(kind, "tier.") || strings.HasPrefix(kind, "peer.") || strings.HasPrefix(kind, "object.")) && kind != "peer.banned" && kind != "peer.unbanned"
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
