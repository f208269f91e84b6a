package pending

import (
	"container/list"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

// node is an object that is here or that something here waits for.
type node struct {
	id          object.ID
	first, last *edge // from those that wait for it, in order of arrival
	above       int   // levels of waiting items above it
	wait        *wait // while it waits

	// While it does not wait.
	phase   phase
	payer   *account      // whose turn its Want takes, while queued or wanted
	place   *list.Element // in payer.queue or Machine.retries
	holders []core.PeerID // who sent what needs it, at most five
}

// phase says what is done about an object that does not wait.
type phase uint8

const (
	idle     phase = iota // nothing: it is parked, or was refused, or it waits
	queued                // its Want has no turn yet
	wanted                // its Want is open
	retrying              // its Want is said again soon
	released              // handed over as Ready, and not held yet
)

// wait is what a waiting item has.
type wait struct {
	item  Item
	also  []core.PeerID
	edges []edge // to its dependencies
	open  int    // of them: those that are not held
	below int    // levels of waiting below it, itself included; may be outdated
	visit int    // of the last walk that came here
	cost  int
	since time.Time
	acc   *account
	age   *list.Element // in Machine.ages
	order *list.Element // in account.items
}

// edge says that from waits for to; to is nil once it is held.
type edge struct {
	from, to   *node
	prev, next *edge // among those of to
}

// needed says whether something waits for it.
func (n *node) needed() bool { return n.first != nil }

// attach makes e the last of those that wait for n.
func (n *node) attach(e *edge) {
	e.to, e.prev = n, n.last
	if n.last == nil {
		n.first = e
	} else {
		n.last.next = e
	}
	n.last = e
}

// detach ends the wait of e for n.
func (n *node) detach(e *edge) {
	if e.prev == nil {
		n.first = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		n.last = e.prev
	} else {
		e.next.prev = e.prev
	}
	e.to, e.prev, e.next = nil, nil, nil
}

// insert puts in an item that there is room for.
func (m *Machine) insert(now time.Time, it Item, cost int, out *[]core.Action) {
	n, _ := m.node(it.ID)
	m.endWant(n, out)
	n.phase = idle
	w := &wait{
		item: it, edges: make([]edge, len(it.Missing)), open: len(it.Missing),
		below: m.below(it.Missing), cost: cost, since: now, acc: m.account(it.Sender),
	}
	n.wait = w
	w.age = m.ages.PushBack(n)
	w.order = w.acc.items.PushBack(n)
	if n.needed() {
		w.acc.items.MoveToFront(w.order)
	}
	m.charge(w.acc, cost)
	for i, id := range it.Missing {
		m.link(n, &w.edges[i], id, out)
	}
}

// node finds the node of an object or makes it, and says which.
func (m *Machine) node(id object.ID) (n *node, known bool) {
	n, known = m.nodes[id]
	if !known {
		n = &node{id: id}
		m.nodes[id] = n
	}
	return n, known
}

// link makes n wait for a dependency, and sees that it is fetched.
func (m *Machine) link(n *node, e *edge, id object.ID, out *[]core.Action) {
	dep, known := m.node(id)
	e.from = n
	dep.attach(e)
	dep.above = max(dep.above, n.above+1)
	dep.heldBy(n.wait.item.Sender, out)
	switch acc := n.wait.acc; {
	case dep.wait != nil:
		dep.wait.acc.items.MoveToFront(dep.wait.order)
	case m.forgetParked(id) || !known: // now it is needed, and not only by whom it is parked for
		m.queue(dep, acc)
	case dep.phase == queued && acc.queue.Len() < dep.payer.queue.Len():
		m.closeWant(dep)
		m.queue(dep, acc)
	}
}

// takeOut ends the waiting of an item. Its node stays, for those who wait for it.
func (m *Machine) takeOut(n *node, out *[]core.Action) *wait {
	w := n.wait
	for i := range w.edges {
		if e := &w.edges[i]; e.to != nil {
			m.unlink(e, out)
		}
	}
	n.wait = nil
	m.ages.Remove(w.age)
	w.acc.items.Remove(w.order)
	m.charge(w.acc, -w.cost)
	m.settle(w.acc)
	return w
}

// unlink ends the wait of e, and with it what only e needed.
func (m *Machine) unlink(e *edge, out *[]core.Action) {
	dep := e.to
	dep.detach(e)
	switch {
	case dep.needed():
	case dep.wait != nil:
		dep.wait.acc.items.MoveToBack(dep.wait.order)
	default:
		m.forget(dep, out)
	}
}

// forget drops the node of an object that neither waits nor is waited for.
func (m *Machine) forget(n *node, out *[]core.Action) {
	m.endWant(n, out)
	delete(m.nodes, n.id)
}
