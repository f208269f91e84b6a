package dissemination

import (
	"fmt"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/infect"
)

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
