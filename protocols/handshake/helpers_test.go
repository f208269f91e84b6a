package handshake

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

var start = time.Unix(1_800_000_000, 0)

// who is the peer of a name: the same key in every run.
func who(name string) core.PeerID {
	seed := sha256.Sum256([]byte(name))
	key, err := crypto.UnmarshalEd25519PublicKey(ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey))
	if err != nil {
		panic(err)
	}
	id, err := peer.IDFromPublicKey(key)
	if err != nil {
		panic(err)
	}
	return id
}

var alice, bob = who("alice"), who("bob")

func config(self core.PeerID) Config { return DefaultConfig(self, "test", Version{1, 2, 3}) }

// node is one machine with what the loop around it does.
type node struct {
	*Machine
	t       *testing.T
	self    core.PeerID
	skew    time.Duration                         // of its clock
	check   func(Check) Verdict                   // the verdict on the other side
	greet   func(*Handshake)                      // changes its handshake before it leaves
	guest   bool                                  // the other side gets no place here
	mute    bool                                  // its messages are lost
	actions []core.Action                         // all it did, in order
	send    func(kind frame.Type, payload []byte) // to the other side
	close   func()
}

// pair is two nodes with a link between them. Messages keep their order in each
// direction.
type pair struct {
	t     *testing.T
	now   time.Time
	a, b  *node
	queue []func()
	up    bool
}

func newPair(t *testing.T) *pair {
	p := &pair{t: t, now: start}
	p.a, p.b = p.node(alice), p.node(bob)
	p.wire(p.a, p.b)
	p.wire(p.b, p.a)
	return p
}

func (p *pair) node(self core.PeerID) *node {
	return &node{Machine: New(config(self)), t: p.t, self: self, check: func(Check) Verdict { return Verdict{} }, greet: func(*Handshake) {}}
}

func (p *pair) wire(from, to *node) {
	from.send = func(kind frame.Type, payload []byte) {
		if from.mute {
			return
		}
		p.queue = append(p.queue, func() {
			if p.up {
				p.do(to, func(out *[]core.Action) { to.Receive(p.now.Add(to.skew), from.self, kind, payload, out) })
			}
		})
	}
	from.close = func() {
		p.queue = append(p.queue, func() {
			p.up = false
			p.a.LinkDown(p.b.self)
			p.b.LinkDown(p.a.self)
		})
	}
}

// do runs one input and what follows from it inside the node.
func (p *pair) do(n *node, input func(*[]core.Action)) {
	var out []core.Action
	input(&out)
	n.actions = append(n.actions, out...)
	now := p.now.Add(n.skew)
	for _, a := range out {
		switch a := a.(type) {
		case Greet:
			h := a.Handshake
			h.Claim, h.Query = []byte("claim of "+n.self), []byte("what "+n.self+" knows")
			n.greet(&h)
			n.send(TypeHandshake, h.Append(nil))
		case Check:
			p.do(n, func(out *[]core.Action) { n.Checked(now, a.Peer, a.Ticket, n.check(a), out) })
		case Reply:
			p.do(n, func(out *[]core.Action) { n.Replied(now, a.Peer, []byte("list of "+n.self), out) })
		case core.Send:
			n.send(a.Type, a.Payload)
		case Disconnect:
			n.close()
		}
	}
}

// link connects the two and lets all that follows happen at once.
func (p *pair) link() {
	p.up = true
	p.do(p.a, func(out *[]core.Action) { p.a.LinkUp(p.now.Add(p.a.skew), p.b.self, p.a.guest, out) })
	p.do(p.b, func(out *[]core.Action) { p.b.LinkUp(p.now.Add(p.b.skew), p.a.self, p.b.guest, out) })
	p.settle()
}

func (p *pair) settle() {
	for len(p.queue) > 0 {
		next := p.queue[0]
		p.queue = p.queue[1:]
		next()
	}
}

// advance moves both clocks and ticks.
func (p *pair) advance(d time.Duration) {
	p.now = p.now.Add(d)
	for _, n := range []*node{p.a, p.b} {
		p.do(n, func(out *[]core.Action) { n.Tick(p.now.Add(n.skew), out) })
	}
	p.settle()
}

// outcome says how the handshake ended for a node: "member", "plain", the reason
// with who refused, or "undecided".
func (n *node) outcome() string {
	end := "undecided"
	for _, a := range n.actions {
		switch a := a.(type) {
		case Complete:
			end = "member"
		case Plain:
			end = "plain"
		case Failed:
			end = fmt.Sprintf("%v by them", a.Reason)
			if a.ByUs {
				end = fmt.Sprintf("%v by us", a.Reason)
			}
		}
	}
	return end
}

func of[A core.Action](n *node) (all []A) {
	for _, a := range n.actions {
		if a, ok := a.(A); ok {
			all = append(all, a)
		}
	}
	return all
}

// hello is a handshake that alice accepts.
func hello() []byte {
	return Handshake{Network: "test", Version: Version{1, 0, 0}, Time: start, Claim: []byte{1}}.Append(nil)
}
