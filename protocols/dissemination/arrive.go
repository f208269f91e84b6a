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
