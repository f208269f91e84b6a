package dialing

import (
	"container/heap"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// origin is where the address of a candidate came from: the peer that told it, or
// the source alone, where nobody in particular did or the candidate itself.
type origin struct {
	from core.Source
	by   core.PeerID
}

// teller has the candidates of one origin that wait. Tellers take turns, and the
// one with the fewest dials under way goes first: dead addresses take seconds
// each, so with turns alone they would fill all places.
type teller struct {
	queue
	origin
	uses  int    // peers and dials that refer to it
	open  int    // dials without an answer
	turn  uint64 // when a candidate was dialled last, in dials
	line  *line
	place int // in the line
}

func newTeller(o origin) *teller {
	return &teller{queue: queue{slot: waits, before: sooner}, origin: o}
}

// before says who is served first.
func (t *teller) before(u *teller) bool {
	if t.open != u.open {
		return t.open < u.open
	}
	return t.turn < u.turn
}

// tellers are those of all candidates, in two lines: those whose first candidate
// is due stand in ready, the others that have one in waiting.
type tellers struct {
	byOrigin       map[origin]*teller
	waiting, ready *line
	turns          uint64
}

func newTellers() tellers {
	return tellers{
		byOrigin: map[origin]*teller{},
		waiting:  &line{before: func(t, u *teller) bool { return sooner(t.first(), u.first()) }},
		ready:    &line{before: (*teller).before},
	}
}

// of is the teller of an origin, made if need be.
func (ts *tellers) of(o origin) *teller {
	t := ts.byOrigin[o]
	if t == nil {
		t = newTeller(o)
		ts.byOrigin[o] = t
	}
	return t
}

// candidates is how many of an origin wait.
func (ts *tellers) candidates(o origin) int {
	if t := ts.byOrigin[o]; t != nil {
		return t.Len()
	}
	return 0
}

// drop ends the use of a teller by a peer or dial.
func (ts *tellers) drop(t *teller) {
	if t.uses--; t.uses == 0 && ts.byOrigin[t.origin] == t {
		delete(ts.byOrigin, t.origin)
	}
}

// file gives a teller its place after a change. Whether it is due shows when it is
// its turn.
func (ts *tellers) file(t *teller) {
	switch {
	case t.Len() == 0:
		t.stand(nil)
	case t.line == nil:
		t.stand(ts.waiting)
	default:
		heap.Fix(t.line, t.place)
	}
}

// due is the teller whose turn it is; nil when no candidate is due.
func (ts *tellers) due(now time.Time) *teller {
	for t := ts.waiting.first(); t != nil && !t.first().dialAt().After(now); t = ts.waiting.first() {
		t.stand(ts.ready)
	}
	for t := ts.ready.first(); t != nil; t = ts.ready.first() {
		if !t.first().dialAt().After(now) {
			return t
		}
		t.stand(ts.waiting)
	}
	return nil
}

// began and ended count the dials under way.
func (ts *tellers) began(t *teller) {
	ts.turns++
	t.uses, t.open, t.turn = t.uses+1, t.open+1, ts.turns
}

func (ts *tellers) ended(t *teller) {
	t.open--
	ts.drop(t)
}

// line is a heap of tellers.
type line struct {
	tellers []*teller
	before  func(t, u *teller) bool
}

// Len is heap.Interface, as are the others in capitals.
func (l *line) Len() int           { return len(l.tellers) }
func (l *line) Less(i, j int) bool { return l.before(l.tellers[i], l.tellers[j]) }

func (l *line) Swap(i, j int) {
	l.tellers[i], l.tellers[j] = l.tellers[j], l.tellers[i]
	l.tellers[i].place, l.tellers[j].place = i, j
}

// Push appends; only container/heap calls it.
func (l *line) Push(x any) {
	t := x.(*teller)
	t.place = len(l.tellers)
	l.tellers = append(l.tellers, t)
}

// Pop takes the last; only container/heap calls it.
func (l *line) Pop() any {
	last := len(l.tellers) - 1
	t := l.tellers[last]
	l.tellers[last] = nil
	l.tellers = l.tellers[:last]
	return t
}

func (l *line) first() *teller {
	if len(l.tellers) == 0 {
		return nil
	}
	return l.tellers[0]
}

// stand moves a teller to another line; nil: to none.
func (t *teller) stand(to *line) {
	if t.line != nil {
		heap.Remove(t.line, t.place)
	}
	if t.line = to; to != nil {
		heap.Push(to, t)
	}
}
