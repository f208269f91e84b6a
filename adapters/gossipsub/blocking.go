package gossipsub

import (
	"context"
	"fmt"
	"slices"
)

// Blocking makes Publish on this node wait while the buffer is full. Messages
// from the network cannot be held back in gossipsub; when the buffer is full
// they become a counted gap, as without this option.
func Blocking() SubOption { return func(s *Subscription) { s.blocking = true } }

// book keeps room in the blocking subscriptions of a topic.
func book(ctx context.Context, t *topic, size int) (booked []*Subscription, err error) {
	for _, s := range t.subscribers() {
		if !s.blocking {
			continue
		}
		if err := s.book(ctx, size); err != nil {
			return booked, fmt.Errorf("publish to %q: a subscriber on this node does not read: %w", t.name, err)
		}
		booked = append(booked, s)
	}
	return booked, nil
}

// book waits until the buffer has room for a message of ours, and keeps the room
// for it: it arrives later, from pubsub's loop.
func (s *Subscription) book(ctx context.Context, size int) error {
	for {
		room := s.tryBook(size)
		if room == nil {
			return nil
		}
		select {
		case <-room:
		case <-s.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryBook books room, or returns a channel that is closed when there may be some.
func (s *Subscription) tryBook(size int) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.full(size) {
		s.booked = append(s.booked, size)
		return nil
	}
	if s.room == nil {
		s.room = make(chan struct{})
	}
	return s.room
}

// unbook frees the room that was kept for a message. It says whether there was any.
// The caller holds mu.
func (s *Subscription) unbook(m Message) bool {
	if m.Via != s.p.host.ID() {
		return false
	}
	return s.cancel(len(m.Data))
}

// cancel gives booked room back. The caller holds mu.
func (s *Subscription) cancel(size int) bool {
	i := slices.Index(s.booked, size)
	if i < 0 {
		return false
	}
	s.booked = slices.Delete(s.booked, i, i+1)
	return true
}

// release gives room back that a failed Publish had booked.
func (s *Subscription) release(size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel(size) {
		s.freeRoom()
	}
}

// freeRoom wakes the publishers that wait for room. The caller holds mu.
func (s *Subscription) freeRoom() {
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
}
