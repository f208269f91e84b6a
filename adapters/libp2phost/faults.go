package libp2phost

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"

	"github.com/weftnet/weft/protocols/core"
)

const (
	// faultRate and faultBurst bound the Misbehaved events of one peer, per second
	// and at once; chosen because reputation needs no more to judge a peer, and
	// the loop must have time for the others. What was left out is told as a number.
	faultRate  = 2
	faultBurst = 8

	// maxReports is how many events may wait before faults are only counted.
	maxReports = 1024
)

// fault is something wrong with a message or a stream. Without an offence the peer
// is not blamed.
type fault struct {
	cause   badCause
	offence core.Offence
	detail  string
}

// faults limits what is told of one peer.
type faults struct {
	limit  *rate.Limiter
	untold int
}

// blame counts a fault and tells of an offence.
func (l *link) blame(f fault) {
	l.m.stats.bad[f.cause].Add(1)
	if f.offence == "" {
		return
	}
	l.mu.Lock()
	if l.faults == nil {
		l.faults = &faults{limit: rate.NewLimiter(faultRate, faultBurst)}
	}
	tell := l.m.events.Len() < maxReports && l.faults.limit.Allow()
	if untold := l.faults.untold; tell && untold > 0 {
		f.detail = fmt.Sprintf("%s (%d more faults before)", f.detail, untold)
		l.faults.untold = 0
	} else if !tell {
		l.faults.untold++
	}
	l.mu.Unlock()
	if tell {
		l.m.book.report(l.peer, core.Misbehaved{Peer: l.peer, Offence: f.offence, Detail: f.detail})
	}
}

// report posts an event about a peer, which is between its Connected and its
// Disconnected. The caller bounds how many there are.
func (b *book) report(p peer.ID, ev core.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if pl := b.places[p]; pl != nil && pl.told {
		b.events.Push(ev)
	}
}
