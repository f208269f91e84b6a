package pending

import (
	"container/heap"
	"container/list"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// account is what one peer takes up.
type account struct {
	peer  core.PeerID // empty: ourselves
	bytes int         // the charge of its items
	items *list.List  // of *node: first those that others wait for, then the others by arrival
	place int         // in Machine.loads, while it has items

	queue *list.List    // of *node that wait for their turn to be wanted
	wants int           // that are open
	turn  *list.Element // in Machine.hungry

	parked   *list.List    // of *parking, the oldest first
	reserved int           // the charge of what is coming
	ring     *list.Element // in Machine.parkers
}

func (m *Machine) account(peer core.PeerID) *account {
	acc := m.peers[peer]
	if acc == nil {
		acc = &account{peer: peer, items: list.New(), queue: list.New(), parked: list.New(), place: -1}
		m.peers[peer] = acc
	}
	return acc
}

// settle forgets an account that nothing is on.
func (m *Machine) settle(acc *account) {
	if acc.items.Len()+acc.queue.Len()+acc.wants+acc.parked.Len()+acc.reserved == 0 && m.peers[acc.peer] == acc {
		delete(m.peers, acc.peer)
	}
}

// charge adds to an account, or takes from it. Our own is in nobody's way: it is not
// among those that lose items.
func (m *Machine) charge(acc *account, cost int) {
	acc.bytes += cost
	m.bytes += cost
	switch {
	case acc.peer == "":
	case acc.place < 0:
		heap.Push(&m.loads, acc)
	case acc.bytes == 0:
		heap.Remove(&m.loads, acc.place)
	default:
		heap.Fix(&m.loads, acc.place)
	}
}

// makeRoom makes room for an item of a peer, and says whether there is any. An item
// that others wait for takes the place of newer ones that nobody waits for.
func (m *Machine) makeRoom(now time.Time, peer core.PeerID, cost int, needed bool, out *[]core.Action) bool {
	acc := m.account(peer)
	defer m.settle(acc)
	for acc.bytes+cost > m.cfg.MaxPeerBytes || m.bytes+cost > m.cfg.MaxBytes {
		victim := acc
		if acc.bytes+cost <= m.cfg.MaxPeerBytes && len(m.loads) > 0 && acc.bytes+cost < m.loads[0].bytes {
			victim = m.loads[0]
		}
		if victim == acc && (!needed || peer == "" || acc.bytes == 0) {
			return false
		}
		m.shed(now, victim, out)
	}
	return true
}

// shed parks the newest item of a peer, of those that nobody waits for if there are
// any.
func (m *Machine) shed(now time.Time, acc *account, out *[]core.Action) {
	n := acc.items.Back().Value.(*node)
	w := m.takeOut(n, out)
	if n.needed() {
		m.again(now, n)
	} else {
		m.forget(n, out)
	}
	m.park(now, n.id, w.item.Sender, w.cost)
}

// loads is a heap of accounts, the highest charge first.
type loads []*account

func (l loads) Len() int           { return len(l) }
func (l loads) Less(i, j int) bool { return l[i].bytes > l[j].bytes }
func (l loads) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].place, l[j].place = i, j
}

func (l *loads) Push(x any) {
	acc := x.(*account)
	acc.place = len(*l)
	*l = append(*l, acc)
}

func (l *loads) Pop() any {
	last := len(*l) - 1
	acc := (*l)[last]
	(*l)[last] = nil
	*l = (*l)[:last]
	acc.place = -1
	return acc
}
