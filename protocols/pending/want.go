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

// ask says a Want, and the other peers that should have the object.
func (m *Machine) ask(n *node, out *[]core.Action) {
	m.stats.WantsSaid++
	want := Want{ID: n.id, Depth: n.above}
	if len(n.holders) > 0 {
		want.Peer = n.holders[0]
	}
	*out = append(*out, want)
	for i := 1; i < len(n.holders); i++ {
		*out = append(*out, Holder{n.id, n.holders[i]})
	}
}

// turn lets another holder be the first that is asked.
func (n *node) turn() {
	if len(n.holders) > 1 {
		first := n.holders[0]
		copy(n.holders, n.holders[1:])
		n.holders[len(n.holders)-1] = first
	}
}

// heldBy notes a peer that should have an object, and names it when that is wanted.
func (n *node) heldBy(peer core.PeerID, out *[]core.Action) {
	if peer == "" || len(n.holders) > maxAlso || slices.Contains(n.holders, peer) {
		return
	}
	n.holders = append(n.holders, peer)
	if n.phase == wanted {
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
