package pending

import (
	"container/list"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

// Why an item is refused.
var (
	ErrDepth = errors.New("too many levels of objects wait for each other: join from an anchor, or wait until older objects are here")
	ErrFull  = errors.New("too many objects wait for others: try again when they are here")
	ErrLarge = errors.New("the object is larger than all that may wait for one peer")
)

// maxAlso is how many more senders of an item are remembered, and holders of a
// missing object named (FACTS: at most five peers per dependency).
const maxAlso = 4

// Machine keeps the items that wait.
type Machine struct {
	cfg   Config
	nodes map[object.ID]*node
	peers map[core.PeerID]*account
	ages  *list.List // of *node that wait, the oldest first
	loads loads      // accounts of peers with items, the highest charge first
	bytes int        // the charge of all

	retries       *list.List // of retry, the earliest first
	hungry        *list.List // of *account whose next Want may leave
	wants, queued int

	parked   map[object.ID]*parking
	parkers  *list.List // of *account with parked IDs
	coming   *list.List // of *parking that were asked for again, the oldest first
	reserved int        // the charge of what is coming
	unparkAt time.Time  // when it is seen again whether there is room

	walk     int       // counts walks through the graph
	measured time.Time // when depths were computed last
	stats    Stats
}

// New makes a machine from a valid configuration.
func New(cfg Config) *Machine {
	return &Machine{
		cfg: cfg, nodes: map[object.ID]*node{}, peers: map[core.PeerID]*account{}, ages: list.New(),
		retries: list.New(), hungry: list.New(),
		parked: map[object.ID]*parking{}, parkers: list.New(), coming: list.New(),
	}
}

// Add takes in an item. One that misses nothing is ready at once.
func (m *Machine) Add(now time.Time, it Item, out *[]core.Action) (Fate, error) {
	defer m.pump(out)
	n := m.nodes[it.ID]
	switch {
	case n != nil && n.wait != nil:
		m.repeat(n, it.Sender, out)
		return Waits, nil
	case n != nil && n.phase == released:
		m.stats.Repeated++
		return Released, nil
	case len(it.Missing) == 0:
		m.pass(n, it, out)
		return Released, nil
	}
	cost := max(it.Size, m.cfg.ItemBytes, m.cfg.LinkBytes*len(it.Missing))
	switch {
	case cost > m.cfg.MaxPeerBytes:
		m.stats.TooLarge++
		m.giveUp(it.ID, out)
		return Refused, fmt.Errorf("%w: %d bytes and %d missing dependencies", ErrLarge, it.Size, len(it.Missing))
	case m.tooDeep(now, n, it.Missing):
		m.stats.TooDeep++
		m.giveUp(it.ID, out)
		return Refused, fmt.Errorf("%w: more than %d", ErrDepth, m.cfg.MaxDepth)
	case !m.makeRoom(now, it.Sender, cost, n != nil, out):
		return m.turnAway(now, it, cost, out)
	}
	m.forgetParked(it.ID)
	m.insert(now, it, cost, out)
	m.stats.Added++
	return Waits, nil
}

// pass hands over an item that misses nothing.
func (m *Machine) pass(n *node, it Item, out *[]core.Action) {
	m.forgetParked(it.ID)
	if n != nil {
		m.endWant(n, out)
		n.phase = released
	}
	m.stats.Added++
	m.stats.Ready++
	*out = append(*out, Ready{Item: it})
}

// repeat takes in an item that waits already: who sent it should have what it needs.
func (m *Machine) repeat(n *node, sender core.PeerID, out *[]core.Action) {
	m.stats.Repeated++
	w := n.wait
	if sender == "" || sender == w.item.Sender || len(w.also) == maxAlso || slices.Contains(w.also, sender) {
		return
	}
	w.also = append(w.also, sender)
	for i := range w.edges {
		if dep := w.edges[i].to; dep != nil {
			dep.heldBy(sender, out)
		}
	}
}

// giveUp ends the Want of an object that came and was not taken. What waits for it
// keeps waiting: it may land in another way.
func (m *Machine) giveUp(id object.ID, out *[]core.Action) {
	m.forgetParked(id)
	if n := m.nodes[id]; n != nil {
		m.endWant(n, out)
	}
}

// turnAway parks an item that finds no room; one of our own is refused. What others
// wait for is wanted again even so: they may be what fills the room.
func (m *Machine) turnAway(now time.Time, it Item, cost int, out *[]core.Action) (Fate, error) {
	if n := m.nodes[it.ID]; n != nil {
		m.endWant(n, out)
		m.again(now, n)
	}
	if it.Sender == "" || !m.park(now, it.ID, it.Sender, cost) {
		return Refused, ErrFull
	}
	return Parked, nil
}

// Landed says that an object is held now.
func (m *Machine) Landed(_ time.Time, id object.ID, out *[]core.Action) {
	defer m.pump(out)
	m.forgetParked(id)
	n := m.nodes[id]
	if n == nil {
		return
	}
	if n.wait != nil {
		m.stats.Overtaken++
		m.takeOut(n, out)
	}
	m.endWant(n, out)
	for n.needed() {
		e := n.first
		n.detach(e)
		if e.from.wait.open--; e.from.wait.open == 0 {
			m.release(e.from, out)
		}
	}
	m.forget(n, out)
}

func (m *Machine) release(n *node, out *[]core.Action) {
	w := m.takeOut(n, out)
	m.stats.Ready++
	*out = append(*out, Ready{w.item, w.also})
	if n.phase = released; !n.needed() {
		m.forget(n, out)
	}
}

// Invalid says that an object is invalid for everybody: with it falls all that
// waits for it.
func (m *Machine) Invalid(_ time.Time, id object.ID, out *[]core.Action) {
	defer m.pump(out)
	m.forgetParked(id)
	if n := m.nodes[id]; n != nil {
		m.topple(n, func(w *wait) core.Action {
			m.stats.Fallen++
			return Fallen{w.item, w.also, id}
		}, out)
	}
}

// NotFound says that nobody has an object, or that it is here and of no use: all
// that waits for it is given up. An item that waits itself has come meanwhile.
func (m *Machine) NotFound(_ time.Time, id object.ID, out *[]core.Action) {
	defer m.pump(out)
	n := m.nodes[id]
	if n != nil && n.wait != nil {
		return
	}
	m.forgetParked(id)
	if n != nil {
		m.closeWant(n)
		m.topple(n, func(w *wait) core.Action {
			m.stats.NotFound++
			return Expired{w.item, w.also, id}
		}, out)
	}
}

// topple takes out root and all that waits for it, level by level.
func (m *Machine) topple(root *node, act func(*wait) core.Action, out *[]core.Action) {
	doomed := []*node{root}
	for len(doomed) > 0 {
		n := doomed[len(doomed)-1]
		doomed = doomed[:len(doomed)-1]
		if n.wait != nil {
			w := m.takeOut(n, out)
			*out = append(*out, act(w))
		}
		for n.needed() {
			e := n.first
			n.detach(e)
			doomed = append(doomed, e.from)
		}
		m.forget(n, out)
	}
}

// Retry says that a wanted or released object could not be had this time, through no
// fault of it: no peer was there to be asked, or our disk was full. It is wanted again
// in a while.
func (m *Machine) Retry(now time.Time, id object.ID, out *[]core.Action) {
	if n := m.nodes[id]; n != nil && (n.phase == wanted || n.phase == released) {
		m.stats.Retries++
		m.again(now, n)
		m.pump(out)
	}
}

// again has an object wanted once more in a while.
func (m *Machine) again(now time.Time, n *node) {
	m.closeWant(n)
	n.turn()
	n.phase = retrying
	n.place = m.retries.PushBack(retry{n, now.Add(m.cfg.RetryAfter)})
}

// Tick does what is due: items that waited too long, objects to be wanted again, and
// parked ones that there may be room for.
func (m *Machine) Tick(now time.Time, out *[]core.Action) {
	defer m.pump(out)
	for n := m.oldest(); n != nil && !n.wait.since.Add(m.cfg.MaxAge).After(now); n = m.oldest() {
		m.expire(n, out)
	}
	for e := m.retries.Front(); e != nil && !e.Value.(retry).due.After(now); e = m.retries.Front() {
		n := e.Value.(retry).node
		m.closeWant(n)
		m.queue(n, n.first.from.wait.acc)
	}
	m.sweepComing(now)
	if m.parkers.Len() > 0 && !m.unparkAt.After(now) {
		m.unpark(now, out)
	}
}

// expire gives up an item that waited too long. Those that wait for it are younger:
// for them it is fetched once more.
func (m *Machine) expire(n *node, out *[]core.Action) {
	w := m.takeOut(n, out)
	m.stats.TooOld++
	*out = append(*out, Expired{Item: w.item, Also: w.also})
	if n.needed() {
		m.queue(n, n.first.from.wait.acc)
	} else {
		m.forget(n, out)
	}
}

func (m *Machine) oldest() *node {
	if e := m.ages.Front(); e != nil {
		return e.Value.(*node)
	}
	return nil
}

// Deadline is when Tick has something to do.
func (m *Machine) Deadline() (next time.Time) {
	if n := m.oldest(); n != nil {
		next = n.wait.since.Add(m.cfg.MaxAge)
	}
	if e := m.retries.Front(); e != nil {
		next = core.Earliest(next, e.Value.(retry).due)
	}
	if e := m.coming.Front(); e != nil {
		next = core.Earliest(next, e.Value.(*parking).due)
	}
	if m.parkers.Len() > 0 {
		next = core.Earliest(next, m.unparkAt)
	}
	return next
}
