package dissemination

import (
	"fmt"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/fetch"
	"github.com/weftnet/weft/protocols/object"
)

// maxHolders is how many random members are asked beside those that are known to
// have an object. Chosen for two more attempts.
const maxHolders = 2

// want has an object fetched: from those who are likely to have it first, then from
// members that carry its topic. With closure the first one is asked for all that
// the object depends on, too.
func (m *Machine) want(id object.ID, closure bool, holders ...core.PeerID) {
	topic := m.topicOf(id)
	w := fetch.Want{ID: id, Holders: m.holders(topic, holders...), Urgent: true}
	if l := m.topics[topic]; l != nil && closure {
		w.Closure, w.Have = true, m.locator(l)
	}
	m.fetch.Want(m.now, w, &m.actions)
}

// holders are those who are likely to have an object, and a few others that carry its
// topic: who does not answer is not waited for alone.
func (m *Machine) holders(topic string, likely ...core.PeerID) []core.PeerID {
	all := slices.DeleteFunc(slices.Clone(likely), func(p core.PeerID) bool { return p == "" || p == m.cfg.Self })
	for _, p := range m.some(topic) {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// topicOf is the topic of an object that others wait for; "": any.
func (m *Machine) topicOf(id object.ID) string {
	for _, w := range m.pending.Waiters(id, 1) {
		return w.Body.(*item).log.Name
	}
	return ""
}

// some draws members that carry a topic.
func (m *Machine) some(topic string) []core.PeerID {
	from := m.members
	if topic != "" {
		from = m.catchup.Carriers(topic)
	}
	drawn := make([]core.PeerID, 0, maxHolders)
	for _, i := range m.rng.Perm(len(from)) {
		if len(drawn) == maxHolders {
			break
		}
		drawn = append(drawn, from[i])
	}
	return drawn
}

// unwant ends what nobody waits for any more.
func (m *Machine) unwant(id object.ID) {
	if len(m.gets[id]) == 0 {
		delete(m.looked, id)
		m.fetch.Cancel(m.now, id)
		m.forgetListing(id)
	}
}

// got takes in what a peer gave.
func (m *Machine) got(a fetch.Got, out *[]core.Effect) {
	m.stats.Fetched++
	if a.Extra {
		m.inspect(byFetch, nil, a.Peer, a.Object, out)
		return
	}
	m.inspect(byFetch, a.ID[:], a.Peer, a.Object, out)
}

// exhausted looks further for an object that none of those asked has given: in the
// DHT, and after that again in a while.
func (m *Machine) exhausted(a fetch.Exhausted, out *[]core.Effect) {
	m.blameAbsent(a, out)
	m.failedListed(a, out)
	m.warnPruned(a, out)
	needed := len(m.gets[a.ID]) > 0 || len(m.pending.Waiters(a.ID, 1)) > 0
	switch {
	case !needed:
		m.askAgain(a)
	case !m.looked[a.ID] && m.lookups.Take(m.now):
		m.looked[a.ID] = true
		perform(out, FindHolders{ID: a.ID})
	default:
		m.giveUp(a.ID, out)
	}
}

// blameAbsent blames those who have just sent an object and do not have what
// it depends on. What they pruned, or do not give for want of time, is no fault; nor
// is what they said before they sent it.
func (m *Machine) blameAbsent(a fetch.Exhausted, out *[]core.Effect) {
	for _, w := range m.pending.Waiters(a.ID, maxBlamed) {
		it := w.Body.(*item)
		absent := slices.ContainsFunc(a.Replies, func(r fetch.Reply) bool {
			return r.Peer == it.from && r.Status == fetch.StatusNotFound && !r.Asked.Before(it.at)
		})
		if absent && m.now.Sub(it.at) < m.cfg.Fresh {
			m.blame(it.from, fetch.OffenceAbsent, fmt.Sprintf("it sent %s and does not have %s, on which that depends", it.ID, a.ID), out)
			it.at = time.Time{} // once
		}
	}
}

// maxBlamed bounds the work for one missing object; who sent more than that is
// blamed for the others when they are looked for again.
const maxBlamed = 64

func (m *Machine) giveUp(id object.ID, out *[]core.Effect) {
	delete(m.looked, id)
	for _, t := range m.take(id) {
		perform(out, Fail{Ticket: t, Err: fmt.Errorf("%w: %s", ErrNotFound, id)})
	}
	m.pending.Retry(m.now, id, &m.actions)
}

// found asks the holders that the DHT named.
func (m *Machine) found(c Holders, out *[]core.Effect) {
	if !m.looked[c.ID] {
		return
	}
	if len(c.Peers) == 0 {
		m.giveUp(c.ID, out)
		return
	}
	m.want(c.ID, false, c.Peers...)
}

// missedOne fetches what was dropped unseen.
func (m *Machine) missedOne(c Missed) {
	if !m.known(c.ID) {
		m.stats.Missed++
		m.fetch.Want(m.now, fetch.Want{ID: c.ID, Holders: m.holders(c.Topic, c.Peer)}, &m.actions)
	}
}

// get asks for an object on behalf of the node's user.
func (m *Machine) get(c Get, out *[]core.Effect) {
	if len(m.gets) >= m.cfg.MaxJudged {
		perform(out, Fail{Ticket: c.Ticket, Err: ErrBusy})
		return
	}
	m.gets[c.ID] = append(m.gets[c.ID], c.Ticket)
	if len(m.gets[c.ID]) == 1 {
		m.want(c.ID, false)
	}
}

// give answers those who asked for an object.
func (m *Machine) give(it *item, out *[]core.Effect) {
	for _, t := range m.take(it.ID) {
		perform(out, Give{Ticket: t, Bytes: it.Bytes})
	}
}

// take removes and returns those who asked for an object.
func (m *Machine) take(id object.ID) []Ticket {
	tickets := m.gets[id]
	delete(m.gets, id)
	return tickets
}

func (m *Machine) forget(c Forget) {
	for id, tickets := range m.gets {
		left := slices.DeleteFunc(tickets, func(t Ticket) bool { return t == c.Ticket })
		if m.gets[id] = left; len(left) == 0 {
			delete(m.gets, id)
			if len(m.pending.Waiters(id, 1)) == 0 {
				m.unwant(id)
			}
		}
	}
}
