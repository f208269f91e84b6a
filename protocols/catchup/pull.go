package catchup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/bloom"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

const (
	// falsePositives is how many of the objects that we lack a filter hides. Chosen
	// because the next one, with another salt, shows them.
	falsePositives = 0.01
	// minFilterIDs is how many IDs a filter is made for at least. Chosen because the bits
	// of a smaller one may by chance affirm what no peer accepts.
	minFilterIDs = 32
	// filterIDs is from how many IDs on a filter is divided: 9.6 bits each at that rate.
	// Chosen so that a filter takes no more than a full page.
	filterIDs = 27_000
	// mostIDs is how many IDs the largest filter holds at that rate, where there are
	// too many for all the parts that there may be.
	mostIDs = 54_000
	// maxPages ends a pull that would go on for ever. Chosen because so many full
	// pages are 16 million IDs, more than all filters of a pull hold.
	maxPages = 16_384
)

// errUnsolicited means that a page came which nobody asked for.
var errUnsolicited = errors.New("no question of ours is open")

// kind is why a pull was begun.
type kind uint8

const (
	ordinary  kind = iota // what landed in the last minutes
	deep                  // all that is wanted
	joining               // all that came while we were away
	welcoming             // all that is wanted, because the peer is new
)

// pull is a walk through the log of one topic at one peer, page by page: as many
// questions as it takes.
type pull struct {
	topic *topic
	kind  kind
	since time.Time // zero: everything

	// A filter that would be too large is divided, and each part of the IDs asked
	// about in turn. One part is enough at a time, until a full page shows that much
	// is missing.
	bits, part uint8
	divided    bool // bits is set
	all        bool // visit every part
	left       int  // parts that follow

	known *bloom.Query // what we hold of this part; nil: nothing
	ready bool         // known was made
	wide  bool         // from all that we hold, not only from twice the time that is asked about

	base, cursor uint64 // where each part begins; where this one goes on
	request      uint64 // of the last question
	page         int    // IDs in its answer
	told         int    // IDs in all pages
	waiting      bool   // for Continue
	pages        int    // so far
}

// pulling says whether a peer is being asked about a topic for a reason.
func (p *peer) pulling(t *topic, why kind) bool {
	return slices.ContainsFunc(p.pulls, func(l *pull) bool { return l.topic == t && l.kind == why })
}

// start queues a pull behind those that are under way at a peer.
func (m *Machine) start(p *peer, l *pull) {
	if from := m.log.Horizon(l.topic.name); from.After(l.since) {
		l.since = from
	}
	l.wide = l.since.IsZero()
	p.marks[l.topic.name] |= met
	p.pulls = append(p.pulls, l)
}

// ask sends the next question to a peer, unless one is open or none may be sent yet.
func (m *Machine) ask(now time.Time, p *peer, out *[]core.Action) {
	m.stale = true
	p.askAt = time.Time{}
	next := slices.IndexFunc(p.pulls, func(l *pull) bool { return !l.waiting })
	if p.open != nil || next < 0 {
		return
	}
	if !p.mayAsk.Take(now) {
		p.askAt = now.Add(p.mayAsk.Wait(now))
		return
	}
	l := p.pulls[next]
	if !l.ready {
		m.prepare(now, l)
	}
	m.requests++
	l.request = m.requests
	p.open, p.answerBy = l, now.Add(m.cfg.AnswerWithin)
	m.stats.Asked++
	m.send(p.id, TypeGetRecent, l.question().Append(nil), out)
}

func (l *pull) question() GetRecent {
	q := GetRecent{Request: l.request, Topic: l.topic.name, Cursor: l.cursor, Known: l.known, Bits: l.bits, Part: l.part}
	if !l.since.IsZero() {
		q.Since = uint64(max(l.since.UnixMilli(), 0))
	}
	return q
}

// prepare makes the filter of a part, which serves for all of its pages. The first
// one decides into how many parts the IDs are divided.
func (m *Machine) prepare(now time.Time, l *pull) {
	var from time.Time
	if !l.wide {
		from = l.since.Add(l.since.Sub(now)) // twice as far: what landed there late may have landed here early
	}
	var count [1 << MaxBits]int // by the last byte of the ID
	held := 0
	m.log.Recent(l.topic.name, from, func(id object.ID) bool {
		count[id[len(id)-1]]++
		held++
		return true
	})
	if !l.divided {
		l.divided = true
		for l.bits = 0; l.bits < MaxBits && held>>l.bits > filterIDs; {
			l.bits++
		}
		l.part &= 1<<l.bits - 1
		l.visitAll()
	}
	keys := 0
	for last := int(l.part); last < len(count); last += 1 << l.bits {
		keys += count[last]
	}
	l.known, l.ready = m.filter(l, from, min(keys, mostIDs)), true
}

func (l *pull) visitAll() {
	if l.all {
		l.left = 1<<l.bits - 1
	}
}

// filter holds the newest IDs of a pull's part that landed here since from.
func (m *Machine) filter(l *pull, from time.Time, keys int) *bloom.Query {
	if keys == 0 {
		return nil
	}
	q := &bloom.Query{Filter: bloom.New(max(keys, minFilterIDs), falsePositives, MaxFilterBytes)}
	for i := 0; i < len(q.Salt); i += 8 {
		binary.LittleEndian.PutUint64(q.Salt[i:], m.rng.Uint64())
	}
	keyer := bloom.NewKeyer(q.Salt)
	m.log.Recent(l.topic.name, from, func(id object.ID) bool {
		if partOf(id, l.bits) == l.part {
			q.Filter.Add(keyer.Key(entryOf(id)))
		}
		return q.Filter.Keys() < keys
	})
	m.stats.FilterKeys += uint64(keys)
	m.stats.Filtered += uint64(q.Filter.Size())
	return q
}

// onRecent takes in a page.
func (m *Machine) onRecent(now time.Time, p *peer, payload []byte, out *[]core.Action) error {
	page, err := ParseRecent(payload)
	if err != nil {
		return err
	}
	l := p.open
	switch {
	case (l == nil || l.request != page.Request) && p.late > 0:
		p.late-- // it was slow, or we were
		m.stats.Late++
		return nil
	case l == nil || l.request != page.Request:
		return fmt.Errorf("%w: it answers %d", errUnsolicited, page.Request)
	}
	p.open = nil
	if page.More && page.Next <= l.cursor {
		m.abandon(now, p, l)
		m.Tick(now, out)
		return fmt.Errorf("%w: go on after %d, which is not beyond %d", ErrMalformed, page.Next, l.cursor)
	}
	m.take(now, p, l, page, out)
	return nil
}

// take hands a page over and goes on with the pull, at once or when there is room.
func (m *Machine) take(now time.Time, p *peer, l *pull, page Recent, out *[]core.Action) {
	m.stats.Missing += uint64(len(page.IDs))
	on := l.advance(page)
	if len(page.IDs) > 0 {
		*out = append(*out, Missing{Peer: p.id, Request: l.request, Topic: l.topic.name, IDs: page.IDs, More: on})
	}
	p.remove(l)
	if on {
		l.waiting = len(page.IDs) > 0
		p.pulls = append(p.pulls, l) // behind the others, so that a long one delays none
		m.ask(now, p, out)
		return
	}
	m.ended(now, l, l.pages < maxPages)
	m.Tick(now, out)
}

// advance moves a pull to its next page or part; false: it has come to its end.
func (l *pull) advance(page Recent) bool {
	l.pages++
	l.page = len(page.IDs)
	l.told += l.page
	if l.page == MaxIDs && !l.all {
		l.all = true
		l.visitAll()
	}
	switch {
	case l.pages == maxPages:
		return false
	case page.More:
		l.cursor = page.Next
		return true
	case l.left > 0:
		l.left--
		l.part = (l.part + 1) & (1<<l.bits - 1)
		l.cursor, l.ready, l.known = l.base, false, nil
		return true
	}
	return false
}

// Continue goes on after a page with More: the composer has room for another. Of that
// page news were not held here.
func (m *Machine) Continue(now time.Time, peer core.PeerID, request uint64, news int, out *[]core.Action) {
	p := m.peers[peer]
	if p == nil {
		return
	}
	at := slices.IndexFunc(p.pulls, func(l *pull) bool { return l.waiting && l.request == request })
	if at < 0 {
		return
	}
	l := p.pulls[at]
	l.waiting = false
	if l.page == MaxIDs && 2*news < l.page && !l.wide {
		l.widen()
	}
	m.ask(now, p, out)
}

// widen takes into the filter all that we hold: the peer got lately what we have long
// had, for instance because it has just joined.
func (l *pull) widen() {
	if l.bits == 0 {
		l.base = l.cursor // there was one part, and it was asked about up to here
	}
	l.cursor, l.left, l.divided = l.base, 0, false
	l.wide, l.all, l.ready, l.known = true, true, false, nil
}

func (p *peer) remove(l *pull) {
	p.pulls = slices.DeleteFunc(p.pulls, func(o *pull) bool { return o == l })
}

// abandon ends a pull before its end.
func (m *Machine) abandon(now time.Time, p *peer, l *pull) {
	if p.open == l {
		p.open = nil
		p.late++
	}
	p.remove(l)
	m.ended(now, l, false)
}

// cancel ends the pulls about a topic at a peer.
func (m *Machine) cancel(now time.Time, p *peer, t *topic) {
	for _, l := range slices.Clone(p.pulls) {
		if l.topic == t {
			m.abandon(now, p, l)
		}
	}
}
