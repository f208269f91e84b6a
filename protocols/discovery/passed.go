package discovery

import (
	"time"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/infect"
)

// passed remembers which claims went on by gossip, and when. That a claim is booked
// says nothing of that: a node gives its claim to everyone it meets, so all those
// to whom it offers it by gossip have it, and none would pass it on.
type passed struct {
	of    map[infect.ID]passage
	order []infect.ID // a ring, once it is full
	next  int         // the oldest of the ring
	limit int
}

type passage struct{ signed, last time.Time }

func newPassed(limit int) passed { return passed{of: map[infect.ID]passage{}, limit: limit} }

// lately says whether a claim was passed on so short a time ago that its owner
// does not repeat it yet: see nextGossip.
func (p *passed) lately(now time.Time, id infect.ID) bool {
	x, ok := p.of[id]
	return ok && now.Sub(x.last) < now.Sub(x.signed)/4
}

func (p *passed) add(now time.Time, id infect.ID, s claim.Signed) {
	_, again := p.of[id]
	p.of[id] = passage{signed: s.Time, last: now}
	switch {
	case again:
	case len(p.order) < p.limit:
		p.order = append(p.order, id)
	default:
		delete(p.of, p.order[p.next])
		p.order[p.next] = id
		p.next = (p.next + 1) % p.limit
	}
}
