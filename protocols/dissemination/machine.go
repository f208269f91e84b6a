package dissemination

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/broadcast"
	"github.com/weftnet/weft/protocols/catchup"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/fetch"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/object"
	"github.com/weftnet/weft/protocols/pending"
)

// Machine is the composed protocols as one core.Machine. It stands behind the one
// that makes members of peers: it takes in core.Joined and core.Arrived.
type Machine struct {
	cfg       Config
	rng       *rand.Rand
	pending   *pending.Machine
	fetch     *fetch.Machine
	catchup   *catchup.Machine
	gossip    *infect.Machine
	broadcast *broadcast.Machine

	now        time.Time // of the input that is being handled
	topics     map[string]*log
	members    []core.PeerID
	held       map[object.ID]place
	judging    map[object.ID]*item
	deadlines  []verdictBy // of judging, the earliest first
	condemned  memory      // invalid objects
	shunned    memory      // those that are not taken for a while
	pages      []*page     // of lists of what peers hold, to be gone on with
	listers    map[core.PeerID]*lister
	listed     map[object.ID]listing // wanted, because peers listed them
	agains     []again               // the next due first
	retried    map[object.ID]bool    // the same
	gets       map[object.ID][]Ticket
	looked     map[object.ID]bool // wanted: the DHT was asked for holders
	validators map[string]bool    // keys
	changedAt  time.Time          // of validators
	lookups    core.Bucket
	tellings   core.Bucket // of objects that expired
	warnings   core.Bucket // of what cannot be had any more
	unsaved    int         // bytes
	failed     error       // of the store
	landedAt   time.Time
	stats      Stats
	actions    []core.Action // of the protocols, reused between inputs
}

// New makes a machine. rng must be unpredictable on a real network; now is the wall
// clock.
func New(cfg Config, rng *rand.Rand, now time.Time) (*Machine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := &Machine{
		cfg: cfg, rng: rng, topics: map[string]*log{}, held: map[object.ID]place{},
		judging: map[object.ID]*item{}, gets: map[object.ID][]Ticket{}, retried: map[object.ID]bool{}, looked: map[object.ID]bool{},
		listers: map[core.PeerID]*lister{}, listed: map[object.ID]listing{},
		condemned: newMemory(cfg.MaxRemembered), shunned: newMemory(cfg.MaxRemembered),
		lookups: core.Bucket{PerSecond: float64(cfg.LookupsPerMin) / 60, Most: float64(cfg.LookupsPerMin)},
	}
	m.tellings = core.Bucket{PerSecond: 1 / tellEvery.Seconds(), Most: 1}
	m.warnings = m.tellings
	m.pending = pending.New(cfg.Pending)
	m.fetch = fetch.New(cfg.Fetch, m.size, now)
	m.catchup = catchup.New(cfg.Catchup, logs{m}, rng)
	m.gossip = infect.New(cfg.Infect, m.knows, m.mayOffer, rng)
	m.broadcast = broadcast.New(cfg.Broadcast, m.catchup.Carries)
	return m, nil
}

// Handle takes in one event.
func (m *Machine) Handle(now time.Time, ev core.Event, out *[]core.Effect) {
	m.now = now
	switch ev := ev.(type) {
	case core.Joined:
		m.joined(ev.Peer)
	case core.Disconnected:
		m.left(ev.Peer)
	case core.Arrived:
		m.arrived(ev)
	case core.Verified:
		m.verified(ev, out)
	case core.Command:
		m.command(ev.Body, out)
	default:
		return
	}
	m.settle(out)
}

func (m *Machine) joined(peer core.PeerID) {
	m.members = append(m.members, peer)
	m.listers[peer] = &lister{peer: peer, trust: firstTrust}
	m.fetch.PeerUp(peer)
	m.gossip.PeerUp(peer)
	m.broadcast.PeerUp(peer)
	m.catchup.PeerUp(peer, &m.actions)
}

func (m *Machine) left(peer core.PeerID) {
	i := slices.Index(m.members, peer)
	if i < 0 {
		return
	}
	m.members = slices.Delete(m.members, i, i+1)
	delete(m.listers, peer)
	m.fetch.PeerDown(m.now, peer, &m.actions)
	m.gossip.PeerDown(m.now, peer, &m.actions)
	m.broadcast.PeerDown(peer)
	m.catchup.PeerDown(m.now, peer, &m.actions)
}

func (m *Machine) arrived(ev core.Arrived) {
	switch ev.Protocol {
	case fetch.Protocol, fetch.BulkProtocol:
		m.fetch.Receive(m.now, ev.Peer, ev.Protocol, ev.Type, ev.Payload, &m.actions)
	case catchup.Protocol:
		m.catchup.Receive(m.now, ev.Peer, ev.Type, ev.Payload, &m.actions)
	case infect.ObjectsProtocol:
		m.gossip.Receive(m.now, ev.Peer, ev.Type, ev.Payload, &m.actions)
	case broadcast.Protocol:
		m.broadcast.Receive(m.now, ev.Peer, ev.Type, ev.Payload, &m.actions)
	}
}

// Tick does what is due.
func (m *Machine) Tick(now time.Time, out *[]core.Effect) {
	m.now = now
	if due(m.pending.Deadline(), now) {
		m.pending.Tick(now, &m.actions)
	}
	if due(m.fetch.Deadline(), now) {
		m.fetch.Tick(now, &m.actions)
	}
	if due(m.catchup.Deadline(), now) {
		m.catchup.Tick(now, &m.actions)
	}
	if due(m.gossip.Deadline(), now) {
		m.gossip.Tick(now, &m.actions)
	}
	m.undecided(out)
	m.retryListed()
	m.settle(out)
	m.tidy(out)
}

// Deadline is the earliest one of all parts.
func (m *Machine) Deadline() (next time.Time) {
	for _, at := range [...]time.Time{
		m.pending.Deadline(), m.fetch.Deadline(), m.catchup.Deadline(), m.gossip.Deadline(),
	} {
		next = core.Earliest(next, at)
	}
	if len(m.agains) > 0 {
		next = core.Earliest(next, m.agains[0].due)
	}
	if len(m.deadlines) > 0 {
		next = core.Earliest(next, m.deadlines[0].at)
	}
	for _, l := range m.topics {
		next = core.Earliest(next, l.tidyAt)
	}
	return next
}

func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// settle carries out what the protocols asked for, until they ask for nothing more.
func (m *Machine) settle(out *[]core.Effect) {
	for i := 0; i < len(m.actions); i++ {
		if m.act(m.actions[i], out); i+1 == len(m.actions) {
			m.turnPages()
		}
	}
	clear(m.actions)
	m.actions = m.actions[:0]
}

// act carries out one action. Further ones are appended to m.actions.
func (m *Machine) act(a core.Action, out *[]core.Effect) {
	switch a := a.(type) {
	case core.Send:
		*out = append(*out, a)
	case core.Penalize:
		m.blame(a.Peer, a.Offence, a.Detail, out)
	case catchup.List:
		m.list(a)
	case catchup.Missing:
		m.missing(a)
	case infect.Check:
		m.inspect(byInfection, a.ID[:], a.From, a.Item, out)
	case infect.Lost:
		m.want(object.ID(a.ID), false)
	case infect.Provide:
		m.provide(a, out)
	case broadcast.Heard:
		m.inspect(byBroadcast, nil, a.From, a.Object, out)
	default:
		m.actMissing(a, out)
	}
}

// actMissing carries out an action of those that deal with what is missing.
func (m *Machine) actMissing(a core.Action, out *[]core.Effect) {
	switch a := a.(type) {
	case pending.Ready:
		m.complete(a.Item.Body.(*item), out)
	case pending.Fallen:
		m.fallen(a, out)
	case pending.Expired:
		m.expired(a, out)
	case pending.Want:
		m.want(a.ID, m.behind(a.Depth), a.Peer)
	case pending.Holder:
		m.fetch.Holder(m.now, a.ID, a.Peer, &m.actions)
	case pending.Unpark:
		m.fetch.Want(m.now, fetch.Want{ID: a.ID, Holders: m.holders("", a.Sender)}, &m.actions)
	case pending.Unwant:
		m.unwant(a.ID)
	case fetch.Got:
		m.got(a, out)
	case fetch.Exhausted:
		m.exhausted(a, out)
	case fetch.Serve:
		m.serve(a, out)
	}
}

// blame tells the machine that keeps the reputations.
func (m *Machine) blame(peer core.PeerID, o core.Offence, detail string, out *[]core.Effect) {
	if peer == "" || peer == m.cfg.Self {
		return
	}
	m.stats.Faults++
	*out = append(*out, core.Relay{Event: core.Misbehaved{Peer: peer, Offence: o, Detail: detail}})
}

func perform(out *[]core.Effect, task any) { *out = append(*out, core.Perform{Task: task}) }

func notify(out *[]core.Effect, kind string, peer core.PeerID, text string) {
	*out = append(*out, core.Notify{Notice: core.Notice{Kind: kind, Peer: peer, Text: text}})
}

// command takes in what the node tells.
func (m *Machine) command(body any, out *[]core.Effect) {
	switch c := body.(type) {
	case Carry:
		m.carry(c)
	case Abandon:
		m.abandon(c.Topic)
	case SetValidators:
		m.setValidators(c)
	case Offered:
		m.offered(c, out)
	case Missed:
		m.missedOne(c)
	case Put:
		m.put(c, out)
	case Get:
		m.get(c, out)
	case Forget:
		m.forget(c)
	case Anchor:
		m.anchor(c, out)
	case Decided:
		m.decided(c, out)
	case Saved:
		m.unsaved -= c.Bytes
	case SaveFailed:
		m.saveFailed(c, out)
	case Loaded:
		m.loaded(c)
	case Holders:
		m.found(c, out)
	}
}

// saveFailed stops everything that would have to be kept: an object that is not on
// disk must not be delivered.
func (m *Machine) saveFailed(c SaveFailed, out *[]core.Effect) {
	if m.failed == nil {
		notify(out, "store.failed", "", "objects can be neither kept nor delivered: "+c.Err.Error())
	}
	m.failed = c.Err
}
