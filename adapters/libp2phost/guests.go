package libp2phost

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// A node without a free place takes some newcomers all the same, for a moment: a
// guest gets a peer list and goes elsewhere, so that a whole network can join
// through one full node. Only peers that dial us become guests.

// guest says whether a connection that finds no place may be a guest's.
func (b *book) guest(dir network.Direction) bool {
	return dir == network.DirInbound && b.guests < b.maxGuests
}

// full says why no place is free; nil when one is.
func (b *book) full(dir network.Direction) *refusal {
	switch {
	case b.ordinary >= b.max:
		return &refusal{ReasonFull, fmt.Sprintf("all %d places are taken: raise the maximum of peers or disconnect one", b.max)}
	case dir == network.DirInbound && b.inbound >= b.maxInbound:
		return &refusal{ReasonFull, fmt.Sprintf("all %d places for peers that dial us are taken: raise the maximum of peers", b.maxInbound)}
	}
	return nil
}

// keep ends what may last no longer, until ctx ends.
func (b *book) keep(ctx context.Context) {
	var closing sync.WaitGroup
	defer closing.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
		case <-timer.C:
		}
		ended, next := b.due(time.Now())
		for _, c := range ended { // a connection that is stuck takes seconds to close
			closing.Go(func() { _ = c.CloseWithError(network.ConnResourceLimitExceeded) })
		}
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
}

// due returns the connections of guests whose time is over, and when the next
// guest's is.
func (b *book) due(now time.Time) (ended []network.Conn, next time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, pl := range b.places {
		switch {
		case !pl.guest:
		case !now.Before(pl.leaves):
			ended = append(ended, pl.conns...)
		case next.IsZero() || pl.leaves.Before(next):
			next = pl.leaves
		}
	}
	return ended, next
}
