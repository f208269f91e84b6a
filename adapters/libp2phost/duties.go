package libp2phost

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// run does what is due in the book, until ctx ends: it sends guests away whose
// time is over, and lets the overlay see peers again with whom pubsub is settled.
func (b *book) run(ctx context.Context) {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
		case <-timer.C:
		}
		due := b.due(time.Now())
		for _, c := range due.leaving { // a connection that is stuck takes seconds to close
			tasks.Go(func() { _ = c.CloseWithError(network.ConnResourceLimitExceeded) })
		}
		for p, conns := range due.settled {
			tasks.Go(func() { b.settle(p, conns) })
		}
		timer.Stop()
		if !due.next.IsZero() {
			timer.Reset(time.Until(due.next))
		}
	}
}

// look makes run look again.
func (b *book) look() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// duties are what is due at some time.
type duties struct {
	leaving []network.Conn             // of guests, and late ones of peers that leave
	settled map[peer.ID][]network.Conn // peers that the overlay may see again, and their connections
	next    time.Time                  // when something else is due; zero: nothing is
}

func (b *book) due(now time.Time) duties {
	d := duties{settled: make(map[peer.ID][]network.Conn)}
	b.mu.Lock()
	defer b.mu.Unlock()
	d.leaving, b.late = b.late, nil
	for p, pl := range b.places {
		switch at := pl.due(); {
		case at.IsZero():
		case now.Before(at):
			if d.next.IsZero() || at.Before(d.next) {
				d.next = at
			}
		case pl.guest:
			pl.leaving = true
			d.leaving = append(d.leaving, pl.conns...)
		default:
			pl.settling = true
			d.settled[p] = slices.Clone(pl.conns)
		}
	}
	return d
}

// due is when something is to be done about a peer. A guest never settles.
func (pl *place) due() (at time.Time) {
	switch {
	case pl.guest:
		return pl.leaves
	case !pl.settling:
		return pl.settles
	}
	return at
}
