package pending

import (
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// retry is a missing object that is wanted again when it is due.
type retry struct {
	node *node
	due  time.Time
}

// queue lets a missing object be wanted when it is acc's turn.
func (m *Machine) queue(n *node, acc *account) {
	n.phase, n.payer, n.place = queued, acc, acc.queue.PushBack(n)
	m.queued++
	m.feed(acc)
}

// feed keeps an account among the hungry while its next Want may leave.
func (m *Machine) feed(acc *account) {
	hungry := acc.queue.Len() > 0 && acc.wants < m.cfg.MaxPeerWants
	switch {
	case hungry && acc.turn == nil:
		acc.turn = m.hungry.PushBack(acc)
	case !hungry && acc.turn != nil:
		m.hungry.Remove(acc.turn)
		acc.turn = nil
	}
}

// pump says what may be wanted now. It ends every call that may have made room.
func (m *Machine) pump(out *[]core.Action) {
	for m.wants < m.cfg.MaxWants && m.hungry.Len() > 0 {
		acc := m.hungry.Front().Value.(*account)
		n := acc.queue.Remove(acc.queue.Front()).(*node)
		n.phase, n.place = wanted, nil
		m.queued--
		m.wants++
		acc.wants++
		m.hungry.MoveToBack(acc.turn)
		m.feed(acc)
		m.ask(n, out)
	}
}

// maxAsked bounds how many waiting items are asked for their senders. Chosen so that
// a thousand items of one sender cost little.
const maxAsked = 16

// ask says a Want, and the other peers that should have the object.
func (m *Machine) ask(n *node, out *[]core.Action) {
	m.stats.WantsSaid++
	n.told = n.told[:0]
	want := Want{ID: n.id, Peer: n.first.from.wait.item.Sender, Depth: n.above}
	if want.Peer != "" {
		n.told = append(n.told, want.Peer)
	}
	*out = append(*out, want)
	for e, left := n.first, maxAsked; e != nil && left > 0; e, left = e.next, left-1 {
		m.tell(n, e.from.wait.item.Sender, out)
		for _, p := range e.from.wait.also {
			m.tell(n, p, out)
		}
	}
}

// tell names another peer that should have a wanted object.
func (m *Machine) tell(n *node, peer core.PeerID, out *[]core.Action) {
	if n.phase == wanted && peer != "" && len(n.told) <= maxAlso && !slices.Contains(n.told, peer) {
		n.told = append(n.told, peer)
		*out = append(*out, Holder{n.id, peer})
	}
}

// endWant ends whatever is done to get an object, and says so.
func (m *Machine) endWant(n *node, out *[]core.Action) {
	if n.phase == wanted {
		*out = append(*out, Unwant{n.id})
	}
	m.closeWant(n)
}

// closeWant ends it without a word.
func (m *Machine) closeWant(n *node) {
	switch n.phase {
	case queued:
		n.payer.queue.Remove(n.place)
		m.queued--
	case wanted:
		n.payer.wants--
		m.wants--
	case retrying:
		m.retries.Remove(n.place)
	}
	if acc := n.payer; acc != nil {
		n.payer = nil
		m.feed(acc)
		m.settle(acc)
	}
	n.phase, n.place = idle, nil
}
