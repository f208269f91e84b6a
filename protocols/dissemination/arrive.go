package dissemination

import (
	"errors"
	"fmt"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/object"
	"github.com/weftnet/weft/protocols/pending"
)

// way is how an object came.
type way uint8

const (
	byPut way = iota
	byMesh
	byInfection
	byBroadcast
	byFetch
)

// item is an object on its way to being held.
type item struct {
	Parcel
	log    *log
	from   core.PeerID // ourselves: put here
	way    way
	ticket Ticket // of Offered or Put, while it is unanswered
	at     time.Time
}

func (m *Machine) offered(c Offered, out *[]core.Effect) {
	it := &item{Parcel: c.Parcel, from: c.Peer, way: byMesh, ticket: c.Ticket, at: m.now}
	if c.Fault == nil && c.Parcel.Object.Topic != c.Topic {
		c.Fault = fmt.Errorf("%w: it is of the topic %q, and came in %q", ErrInvalid, c.Parcel.Object.Topic, c.Topic)
	}
	if c.Fault != nil {
		m.condemn(it, c.Fault.Error(), out)
		return
	}
	m.arrive(it, out)
}

func (m *Machine) put(c Put, out *[]core.Effect) {
	it := &item{Parcel: c.Parcel, from: m.cfg.Self, way: byPut, ticket: c.Ticket, at: m.now}
	missing := m.lacking(it.Object.Deps)
	switch {
	case m.topics[it.Object.Topic] == nil:
		m.refuse(it, fmt.Errorf("%w: %q", ErrNoTopic, it.Object.Topic), out)
	case len(missing) > 0:
		m.refuse(it, fmt.Errorf("%w: %s: put it first, get it, or accept it with an anchor", ErrMissing, missing[0]), out)
	default:
		m.arrive(it, out)
	}
}

// checked is the answer to the inspection of an object.
type checked struct {
	way    way
	named  []byte // the ID under which it came; nil: none
	from   core.PeerID
	parcel Parcel
	fault  error
}

// inspect has an object inspected elsewhere.
func (m *Machine) inspect(w way, named []byte, from core.PeerID, encoded []byte, out *[]core.Effect) {
	network := m.cfg.Network
	*out = append(*out, core.Verify{Peer: from, Check: func() any {
		p, err := Inspect(network, object.ID{}, encoded)
		return checked{w, named, from, p, err}
	}})
}

func (m *Machine) verified(ev core.Verified, out *[]core.Effect) {
	c, ok := ev.Answer.(checked)
	if !ok {
		return
	}
	if c.named != nil && string(c.named) != string(c.parcel.ID[:]) {
		m.misnamed(c)
		return
	}
	it := &item{Parcel: c.parcel, from: c.from, way: c.way, at: m.now}
	if c.way == byFetch {
		m.fetch.Accepted(m.now, it.ID)
		delete(m.looked, it.ID)
	}
	if c.fault != nil {
		m.condemn(it, c.fault.Error(), out)
		return
	}
	m.give(it, out)
	m.arrive(it, out)
}

// misnamed turns to another peer for an object whose bytes are not those of its ID.
func (m *Machine) misnamed(c checked) {
	switch id := object.ID(c.named); c.way {
	case byFetch:
		m.fetch.Wrong(m.now, id, c.from, &m.actions)
	case byInfection:
		m.gossip.Retry(m.now, infect.ID(id), &m.actions)
	}
}

// arrive decides about an object that is in order.
func (m *Machine) arrive(it *item, out *[]core.Effect) {
	it.log = m.topics[it.Object.Topic]
	m.cameListed(it.ID)
	switch {
	case it.log == nil:
		m.refuse(it, ErrNoTopic, out)
	case m.failed != nil:
		m.refuse(it, m.failed, out)
	case m.holds(it.ID):
		m.stats.Repeated++
		m.repeated(it, out)
	case m.condemned.has(m.now, it.ID):
		m.condemn(it, "it was found to be invalid before", out)
	case m.shunned.has(m.now, it.ID) && it.way != byPut:
		m.refuse(it, ErrRefused, out)
	case !it.log.mayAuthor(it.Object.Author, m.validators):
		m.unauthorised(it, out)
	case m.judging[it.ID] != nil:
		m.refuse(it, ErrBusy, out)
	default:
		m.hold(it, out)
	}
}

// repeated answers for an object that is held already. Along the mesh it goes on:
// it is valid, and the mesh has not carried it yet.
func (m *Machine) repeated(it *item, out *[]core.Effect) {
	if it.way == byMesh {
		m.rule(it, Accept, out)
		return
	}
	m.refuse(it, ErrHeld, out)
}

// hold waits for what an object depends on, or goes on with it.
func (m *Machine) hold(it *item, out *[]core.Effect) {
	missing := m.lacking(it.Object.Deps)
	if len(missing) == 0 {
		m.fetch.Cancel(m.now, it.ID) // whoever was asked need not answer
		m.complete(it, out)
		return
	}
	wait := pending.Item{ID: it.ID, Sender: it.from, Size: len(it.Bytes), Missing: missing, Body: it}
	fate, err := m.pending.Add(m.now, wait, &m.actions)
	m.refuseLater(it, out)
	switch {
	case errors.Is(err, pending.ErrDepth):
		m.blame(it.from, OffenceDepth, err.Error(), out)
	case fate == pending.Waits:
		m.stats.Paused++
		m.fetch.Cancel(m.now, it.ID)
	}
}

// refuseLater answers the mesh at once: what waits is published here when it is
// complete. Infection gossip pauses by itself.
func (m *Machine) refuseLater(it *item, out *[]core.Effect) {
	if it.way == byMesh {
		m.rule(it, Ignore, out)
	}
}

// lacking are the dependencies that are not held.
func (m *Machine) lacking(deps []object.ID) (missing []object.ID) {
	for _, id := range deps {
		if !m.holds(id) {
			missing = append(missing, id)
		}
	}
	return missing
}

// complete goes on with an object whose dependencies are all held.
func (m *Machine) complete(it *item, out *[]core.Effect) {
	if m.topics[it.log.Name] != it.log { // abandoned meanwhile
		m.refuse(it, ErrNoTopic, out)
		return
	}
	if !it.log.Judged {
		m.accept(it, out)
		return
	}
	if len(m.judging) >= m.cfg.MaxJudged {
		m.stats.Unjudged++
		m.pending.Retry(m.now, it.ID, &m.actions)
		m.refuse(it, ErrBusy, out)
		return
	}
	m.refuseLater(it, out)
	m.judging[it.ID] = it
	m.deadlines = append(m.deadlines, verdictBy{it, m.now.Add(m.cfg.JudgeWithin)})
	perform(out, Judge{Parcel: it.Parcel, From: it.from})
}

// verdictBy is when the application must have decided.
type verdictBy struct {
	it *item
	at time.Time
}

// undecided gives up what the application did not decide. It comes again, as others
// have it.
func (m *Machine) undecided(out *[]core.Effect) {
	for len(m.deadlines) > 0 && !m.deadlines[0].at.After(m.now) {
		it := m.deadlines[0].it
		m.deadlines = m.deadlines[1:]
		if m.judging[it.ID] != it {
			continue
		}
		delete(m.judging, it.ID)
		m.stats.Unjudged++
		m.pending.Retry(m.now, it.ID, &m.actions)
		m.refuse(it, fmt.Errorf("%w: the application did not decide within %v", ErrBusy, m.cfg.JudgeWithin), out)
	}
}

func (m *Machine) decided(c Decided, out *[]core.Effect) {
	it := m.judging[c.ID]
	if it == nil {
		return // too late
	}
	delete(m.judging, c.ID)
	switch c.Verdict {
	case Accept:
		m.accept(it, out)
	case Reject:
		m.condemn(it, "the application rejects it: "+c.Reason, out)
	default:
		m.stats.Ignored++
		m.shunned.add(c.ID, m.now.Add(m.cfg.Shun))
		m.refuse(it, fmt.Errorf("the application ignores it: %s", c.Reason), out)
	}
}

// accept makes an object held: it is saved, delivered and passed on, and what waited
// for it goes on.
func (m *Machine) accept(it *item, out *[]core.Effect) {
	l := it.log
	if l != m.topics[l.Name] || m.failed != nil || it.way != byPut && m.unsaved+len(it.Bytes) > m.cfg.MaxUnsaved {
		m.stats.NoRoom++
		m.pending.Retry(m.now, it.ID, &m.actions)
		m.refuse(it, ErrBusy, out)
		return
	}
	m.stats.Accepted++
	m.landedAt = m.now
	e := Entry{Seq: l.next, ID: it.ID, Size: len(it.Bytes), Landed: m.now}
	l.add(e)
	m.held[it.ID] = place{l, e.Seq}
	m.unsaved += e.Size
	save := Save{Topic: l.Name, Seq: e.Seq, ID: it.ID, Landed: e.Landed, Bytes: it.Bytes}
	if it.way == byPut {
		save.Ticket = it.ticket
	}
	perform(out, save)
	m.pass(it, out)
	m.retain(l)
	m.pending.Landed(m.now, it.ID, &m.actions)
}

// pass passes an object on, in the way of its topic.
func (m *Machine) pass(it *item, out *[]core.Effect) {
	switch {
	case it.log.Class == Gossip && it.way == byMesh && it.ticket != nil:
		m.rule(it, Accept, out)
	case it.log.Class == Gossip:
		perform(out, Publish{Topic: it.log.Name, Bytes: it.Bytes})
	case it.log.Class == Infect:
		if m.gossip.Gossip(m.now, infect.ID(it.ID), it.Bytes, &m.actions) != nil {
			m.stats.NotPassed++ // others pull it
		}
	case it.way == byPut:
		if _, err := m.broadcast.Broadcast(m.now, it.log.Name, it.Bytes, &m.actions); err != nil {
			m.stats.NotPassed++
		}
	}
}

// rule answers the mesh.
func (m *Machine) rule(it *item, v Verdict, out *[]core.Effect) {
	if it.ticket != nil {
		perform(out, Rule{Ticket: it.ticket, Verdict: v})
		it.ticket = nil
	}
}

// refuse ends an object that is not to be held now; nobody is to blame.
func (m *Machine) refuse(it *item, why error, out *[]core.Effect) {
	switch it.way {
	case byPut:
		perform(out, Fail{Ticket: it.ticket, Err: why})
	case byMesh:
		m.rule(it, Ignore, out)
	case byInfection:
		m.gossip.Drop(m.now, infect.ID(it.ID))
	}
}

// condemn ends an object that is invalid for everybody, and all that depends on it.
func (m *Machine) condemn(it *item, why string, out *[]core.Effect) {
	m.stats.Invalid++
	m.forgetListing(it.ID)
	m.condemned.add(it.ID, forever)
	switch it.way {
	case byPut:
		perform(out, Fail{Ticket: it.ticket, Err: fmt.Errorf("%w: %s", ErrInvalid, why)})
	case byMesh:
		m.rule(it, Reject, out)
	case byInfection:
		m.gossip.Reject(m.now, infect.ID(it.ID))
	}
	if it.from != m.cfg.Self {
		m.blame(it.from, OffenceInvalid, it.ID.String()+": "+why, out)
		notify(out, "object.invalid", it.from, it.ID.String()+": "+why)
	}
	m.pending.Invalid(m.now, it.ID, &m.actions)
	for _, t := range m.take(it.ID) {
		perform(out, Fail{Ticket: t, Err: fmt.Errorf("%w: %s", ErrInvalid, why)})
	}
}

// fallen names those who sent what depends on an invalid object.
func (m *Machine) fallen(a pending.Fallen, out *[]core.Effect) {
	it := a.Item.Body.(*item)
	m.stats.Invalid++
	m.condemned.add(it.ID, forever)
	if it.way == byInfection {
		m.gossip.Reject(m.now, infect.ID(it.ID))
	}
	for _, peer := range append(a.Also, a.Sender) {
		m.blame(peer, OffenceDependant, fmt.Sprintf("%s depends on %s, which is invalid", it.ID, a.Because), out)
	}
}

// tellEvery is how often somebody is told that objects expired; chosen because many do
// at once, and what they wait for says as much as one of them.
const tellEvery = time.Minute

// expired gives an object up that waited in vain.
func (m *Machine) expired(a pending.Expired, out *[]core.Effect) {
	m.stats.Expired++
	if !m.tellings.Take(m.now) {
		return
	}
	why := "waited too long for what it depends on"
	if a.Because != (object.ID{}) {
		why = "depends on " + a.Because.String() + ", which nobody has who could be asked"
	}
	notify(out, "object.expired", a.Sender, fmt.Sprintf("%s %s; expired since the start: %d", a.ID, why, m.stats.Expired))
}

// unauthorised refuses what its author may not write. Just after a change of the
// validators the sender may have known another set.
func (m *Machine) unauthorised(it *item, out *[]core.Effect) {
	m.stats.Unauthorised++
	m.shunned.add(it.ID, m.now.Add(m.cfg.ChangeGrace))
	why := fmt.Errorf("%w: %s", ErrAuthor, it.Object.Topic)
	if it.log.Authors != Validators || m.now.Sub(m.changedAt) >= m.cfg.ChangeGrace {
		m.blame(it.from, OffenceAuthor, it.ID.String()+": "+why.Error(), out)
	}
	m.refuse(it, why, out)
}

// memory remembers IDs until a time, so many of them: the oldest are forgotten first.
type memory struct {
	most  int
	until map[object.ID]time.Time
	order []object.ID
}

// forever is later than anything.
var forever = time.Unix(1<<40, 0)

func newMemory(most int) memory { return memory{most: most, until: map[object.ID]time.Time{}} }

func (c *memory) has(now time.Time, id object.ID) bool { return c.until[id].After(now) }

func (c *memory) add(id object.ID, until time.Time) {
	if _, known := c.until[id]; !known {
		if len(c.order) == c.most {
			delete(c.until, c.order[0])
			c.order = c.order[1:] // append copies the rest when it needs room
		}
		c.order = append(c.order, id)
	}
	c.until[id] = until
}
