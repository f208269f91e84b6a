package discovery

import (
	"time"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/infect"
)

// relayed remembers which claims went on by gossip, and when. That a claim is booked
// says nothing of that: a node gives its claim to everyone it meets, so all those
// to whom it offers it by gossip have it, and none would pass it on.
type relayed struct {
	of    map[infect.ID]relay
	order []infect.ID // a ring, once it is full
	next  int         // the oldest of the ring
	limit int
}

type relay struct{ signed, last time.Time }

func newRelayed(limit int) relayed { return relayed{of: map[infect.ID]relay{}, limit: limit} }

// lately says whether a claim was passed on so short a time ago that its owner
// does not repeat it yet: see spread.
func (r *relayed) lately(now time.Time, id infect.ID) bool {
	x, ok := r.of[id]
	return ok && now.Sub(x.last) < now.Sub(x.signed)/4
}

func (r *relayed) add(now time.Time, id infect.ID, s claim.Signed) {
	_, again := r.of[id]
	r.of[id] = relay{signed: s.Time, last: now}
	switch {
	case again:
	case len(r.order) < r.limit:
		r.order = append(r.order, id)
	default:
		delete(r.of, r.order[r.next])
		r.order[r.next] = id
		r.next = (r.next + 1) % r.limit
	}
}
