package dissemination

import (
	"slices"

	"github.com/weftnet/weft/protocols/core"
)

// carry adds a topic.
func (m *Machine) carry(c Carry) {
	l := m.topics[c.Topic.Name]
	if l == nil {
		l = newLog(c.Topic)
		m.topics[c.Topic.Name] = l
		for _, e := range c.Log {
			l.add(e)
			m.held[e.ID] = place{l, e.Seq}
		}
		l.next = max(l.next, c.Last+1)
		for _, id := range c.Pruned {
			m.remember(l, id)
		}
	}
	l.configure(c.Topic)
	m.retain(l)
	m.announce()
}

// announce tells everybody which topics we carry.
func (m *Machine) announce() {
	if err := m.catchup.SetTopics(m.now, m.names(), &m.actions); err != nil {
		panic("dissemination: " + err.Error()) // names are checked before
	}
}

// abandon drops a topic: what it holds is not held any more.
func (m *Machine) abandon(name string) {
	l := m.topics[name]
	if l == nil {
		return
	}
	delete(m.topics, name)
	for _, e := range l.entries {
		delete(m.held, e.ID)
	}
	for _, id := range l.pruned {
		delete(m.held, id)
	}
	m.announce()
}

func (m *Machine) names() []string {
	names := make([]string, 0, len(m.topics))
	for name := range m.topics {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (m *Machine) setValidators(c SetValidators) {
	set := make(map[string]bool, len(c.Keys))
	for _, k := range c.Keys {
		set[string(k)] = true
	}
	m.validators, m.changedAt = set, m.now
}

// anchor makes an ID count as held, so that what depends on it can be valid.
func (m *Machine) anchor(c Anchor, out *[]core.Effect) {
	l := m.topics[c.Topic]
	if l == nil || m.holds(c.ID) {
		return
	}
	m.remember(l, c.ID)
	m.unwant(c.ID)
	perform(out, SaveAnchor(c))
	m.pending.Landed(m.now, c.ID, &m.actions)
}
