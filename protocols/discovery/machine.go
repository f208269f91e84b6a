package discovery

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dialing"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/handshake"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/peerlist"
	"github.com/weftnet/weft/protocols/reputation"
	"github.com/weftnet/weft/protocols/uptime"
)

// Machine is the composed protocols as one core.Machine.
type Machine struct {
	cfg        Config
	handshake  *handshake.Machine
	tracker    *peerlist.Tracker
	lists      *peerlist.Exchange
	gossip     *infect.Machine
	uptime     *uptime.Machine
	dialing    *dialing.Machine
	reputation *reputation.Machine
	signer     *claim.Signer

	now         time.Time // of the input that is being handled
	peers       map[core.PeerID]*neighbour
	plain       int // of peers
	placed      int // of plain, in one of their places
	members     int
	addrs       []multiaddr.Multiaddr // our own
	signAt      time.Time             // when the signer is to look again; zero: it has not begun
	gossipAt    time.Time             // of our claim; zero: no member yet
	gossiping   time.Time             // timestamp of the claim that gossipPause is about
	gossipPause time.Duration         // to the next gossip of it
	symmetryAt  time.Time             // the earliest symmetricBy of peers; zero: none
	rateAt      time.Time             // the earliest rateUntil of peers; zero: none
	admissions  admissions
	refusals    refusals
	relayed     relayed // claims that went on by gossip
	told        telling // offences of those who are not connected
	stats       Stats
	actions     []core.Action // of the protocols, reused between inputs
}

// New makes a machine. rng must be unpredictable on a real network: salts and ping
// IDs are drawn from it.
func New(cfg Config, rng *rand.Rand) (*Machine, error) {
	cfg.Dialing.Symmetry = cfg.Symmetry
	if cfg.Symmetry { // our half can begin only after the peer's, and a dial
		cfg.Handshake.Within = cfg.SymmetryWithin
		cfg.Handshake.Linger = max(cfg.Handshake.Linger, dialToTellWithin)
	}
	if cfg.Group == nil {
		cfg.Group = core.GroupOf
	}
	if cfg.VerifyClaim == nil {
		cfg.VerifyClaim = claim.Verify
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := &Machine{cfg: cfg, peers: map[core.PeerID]*neighbour{}, refusals: newRefusals(), relayed: newRelayed(cfg.Claim.Capacity), told: newTelling()}
	var err error
	if m.signer, err = claim.NewSigner(cfg.Claim.Network, cfg.Key, cfg.Claim.Skew, cfg.Highest); err != nil {
		return nil, fmt.Errorf("%w: Key: %w", ErrConfig, err)
	}
	if m.tracker, err = peerlist.NewTracker(cfg.PeerList, cfg.Claim, rng); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	m.lists = peerlist.NewExchange(m.tracker, rng)
	m.handshake = handshake.New(cfg.Handshake)
	m.uptime = uptime.New(cfg.Uptime, rng)
	m.gossip = infect.New(cfg.Infect, m.held, nil, rng)
	m.dialing = dialing.New(cfg.Dialing, rng)
	m.reputation = reputation.New(cfg.Reputation)
	return m, nil
}

// Handle takes in one event.
func (m *Machine) Handle(now time.Time, ev core.Event, out *[]core.Effect) {
	m.now = now
	m.sign(out)
	switch ev := ev.(type) {
	case core.Connected:
		m.connected(ev, out)
	case core.Linked:
		m.linked(ev, out)
	case core.Disconnected:
		m.disconnected(ev, out)
	case core.Plain:
		m.handshake.NotSpoken(now, ev.Peer, &m.actions)
	case core.Received:
		m.received(ev, out)
	case core.Verified:
		m.verified(ev, out)
	case core.Misbehaved:
		m.penalize(ev.Peer, ev.Offence, ev.Detail, out)
	case core.Deliveries:
		m.delivered(ev)
	case core.Earned:
		m.reputation.Earned(now, ev.Peer)
	case core.DialFailed, core.Discovered:
		m.dialing.Handle(now, ev, out)
	case core.Command:
		m.command(ev, out)
	}
	m.settle(out)
}

// Tick does what is due.
func (m *Machine) Tick(now time.Time, out *[]core.Effect) {
	m.now = now
	m.sign(out)
	m.expireLinks(out)
	m.rerate(out)
	if due(m.handshake.Deadline(), now) {
		m.handshake.Tick(now, &m.actions)
	}
	if due(m.lists.Deadline(), now) {
		m.lists.Tick(now, &m.actions)
	}
	if due(m.uptime.Deadline(), now) {
		m.uptime.Tick(now, &m.actions)
	}
	if due(m.gossip.Deadline(), now) {
		m.gossip.Tick(now, &m.actions)
	}
	if due(m.gossipAt, now) {
		m.spread()
	}
	m.settle(out)
	if due(m.dialing.Deadline(), now) {
		m.dialing.Tick(now, out)
	}
}

// Deadline is the earliest one of all parts.
func (m *Machine) Deadline() time.Time {
	next := m.signAt
	if next.IsZero() {
		return time.Unix(1, 0) // at once
	}
	for _, at := range [...]time.Time{
		m.symmetryAt, m.rateAt, m.gossipAt, m.handshake.Deadline(), m.lists.Deadline(),
		m.uptime.Deadline(), m.gossip.Deadline(), m.dialing.Deadline(),
	} {
		next = core.Earliest(next, at)
	}
	return next
}

func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// settle carries out what the protocols asked for, until they ask for nothing more.
func (m *Machine) settle(out *[]core.Effect) {
	for i := 0; i < len(m.actions); i++ {
		m.act(m.actions[i], out)
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
		if a.Offence == peerlist.OffenceEquivocation {
			m.blameAuthor(a, out)
			return
		}
		m.penalize(a.Peer, a.Offence, a.Detail, out)
	case handshake.Greet:
		m.greet(a, out)
	case handshake.Check:
		m.checkHandshake(a, out)
	case handshake.Reply:
		m.reply(a)
	case handshake.Greeted:
		m.lists.OnGreeting(m.now, a.Peer, a.List, &m.actions)
	case handshake.Complete:
		m.complete(a, out)
	case handshake.Plain:
		m.letStay(a.Peer, out)
	case handshake.Failed:
		m.failed(a, out)
	case handshake.Disconnect:
		*out = append(*out, core.Disconnect{Peer: a.Peer, Reason: a.Reason.String()})
	case peerlist.Verify:
		m.checkList(a, out)
	case peerlist.Learned:
		m.learned(a, out)
	case infect.Check:
		m.checkGossip(a, out)
	case uptime.Silent:
		m.silent(a, out)
	}
}

// received hands a message to its protocol, once the sender's handshake allows it.
func (m *Machine) received(ev core.Received, out *[]core.Effect) {
	n := m.peers[ev.Peer]
	if n == nil {
		return
	}
	if ev.Protocol == handshake.Protocol {
		m.handshake.Receive(m.now, ev.Peer, ev.Type, ev.Payload, &m.actions)
		return
	}
	if !m.handshake.May(m.now, ev.Peer, &m.actions) {
		return
	}
	if !n.member {
		m.stats.Held += n.hold(ev)
		return
	}
	m.deliver(ev, out)
}

// deliver hands a member's message to its protocol.
func (m *Machine) deliver(ev core.Received, out *[]core.Effect) {
	m.uptime.Heard(m.now, ev.Peer)
	switch ev.Protocol {
	case uptime.Protocol:
		m.uptime.Receive(m.now, ev.Peer, ev.Type, ev.Payload, &m.actions)
	case infect.ClaimsProtocol:
		m.gossip.Receive(m.now, ev.Peer, ev.Type, ev.Payload, &m.actions)
	case peerlist.Protocol:
		m.onList(ev, out)
	default:
		*out = append(*out, core.Relay{Event: core.Arrived(ev)})
	}
}

func (m *Machine) onList(ev core.Received, out *[]core.Effect) {
	switch ev.Type {
	case peerlist.TypeGetPeerList:
		m.lists.OnGetPeerList(m.now, ev.Peer, ev.Payload, &m.actions)
	case peerlist.TypePeerList:
		m.lists.OnPeerList(m.now, ev.Peer, ev.Payload, &m.actions)
	case peerlist.TypeOwnClaim:
		m.checkOwn(ev, out)
	default:
		m.penalize(ev.Peer, OffenceUnknownType, fmt.Sprintf("%s type %d", ev.Protocol, frame.Type(ev.Type)), out)
	}
}

func notify(out *[]core.Effect, kind string, peer core.PeerID, text string) {
	*out = append(*out, core.Notify{Notice: core.Notice{Kind: kind, Peer: peer, Text: text}})
}
