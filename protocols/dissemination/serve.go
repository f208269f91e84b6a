package dissemination

import (
	"time"

	"github.com/weftnet/weft/protocols/catchup"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/fetch"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/object"
)

// serve answers a request for an object.
func (m *Machine) serve(a fetch.Serve, out *[]core.Effect) {
	switch p := m.held[a.ID]; {
	case m.failed != nil:
		m.fetch.Answer(m.now, a.Peer, a.Request, fetch.StatusRefused, nil, &m.actions)
	case p.log == nil:
		m.fetch.Answer(m.now, a.Peer, a.Request, fetch.StatusNotFound, nil, &m.actions)
	case p.seq <= p.log.goneTo:
		m.fetch.Answer(m.now, a.Peer, a.Request, fetch.StatusPruned, nil, &m.actions)
	default:
		m.stats.Served++
		perform(out, Load{Peer: a.Peer, Request: a.Request, ID: a.ID, Closure: a.Closure, Have: a.Have, MaxObjects: a.MaxObjects, MaxBytes: a.MaxBytes})
	}
}

// provide sends an object that was announced.
func (m *Machine) provide(a infect.Provide, out *[]core.Effect) {
	if m.size(object.ID(a.ID)) > 0 {
		perform(out, Load{Peer: a.Peer, ID: object.ID(a.ID), MaxObjects: 1})
	}
}

// loaded sends what was read. An object that was pruned meanwhile is told so.
func (m *Machine) loaded(c Loaded) {
	t := c.Task
	switch {
	case t.Request == 0 && len(c.Objects) > 0:
		item := infect.Message{ID: infect.ID(t.ID), Item: c.Objects[0]}
		m.actions = append(m.actions, core.Send{
			Peer: t.Peer, Protocol: infect.ObjectsProtocol, Type: infect.TypeItem, Payload: item.Append(infect.TypeItem, nil),
		})
	case t.Request == 0:
	case c.Err != nil:
		m.fetch.Answer(m.now, t.Peer, t.Request, fetch.StatusRefused, nil, &m.actions)
	case len(c.Objects) == 0:
		m.fetch.Answer(m.now, t.Peer, t.Request, fetch.StatusPruned, nil, &m.actions)
	default:
		m.fetch.Answer(m.now, t.Peer, t.Request, fetch.StatusFound, c.Objects, &m.actions)
	}
}

// list answers what we hold that a peer lacks.
func (m *Machine) list(a catchup.List) {
	l := m.topics[a.Topic]
	if l == nil {
		m.catchup.Listed(m.now, a.Peer, a.Request, nil, 0, false, &m.actions)
		return
	}
	var ids []object.ID
	next := a.Cursor
	for _, e := range l.entries[max(l.from(a.Cursor), l.since(a.Since)):] {
		if len(ids) == catchup.MaxIDs || a.Spent() {
			m.catchup.Listed(m.now, a.Peer, a.Request, ids, next, true, &m.actions)
			return
		}
		if next = e.Seq; a.Lacks(e.ID) {
			ids = append(ids, e.ID)
		}
	}
	m.catchup.Listed(m.now, a.Peer, a.Request, ids, next, false, &m.actions)
}

// logs shows the logs to catchup.
type logs struct{ m *Machine }

func (v logs) Recent(topic string, since time.Time, each func(object.ID) bool) {
	if l := v.m.topics[topic]; l != nil {
		l.recent(since, each)
	}
}

func (v logs) Horizon(topic string) time.Time {
	if l := v.m.topics[topic]; l != nil {
		return l.horizon(v.m.now)
	}
	return time.Time{}
}

// knows says whether infection gossip offers what is known already.
func (m *Machine) knows(_ core.PeerID, id infect.ID, _ []byte) bool {
	return m.holds(object.ID(id)) || m.judging[object.ID(id)] != nil || m.waits(object.ID(id))
}

// mayOffer says whether a peer wants the topic of an object.
func (m *Machine) mayOffer(peer core.PeerID, id infect.ID) bool {
	p := m.held[object.ID(id)]
	return p.log != nil && m.catchup.Carries(peer, p.log.Name)
}
