package discovery

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/multiformats/go-multiaddr"
	"pgregory.net/rapid"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/handshake"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/peerlist"
	"github.com/weftnet/weft/protocols/uptime"
)

// chaos is a machine to which anything happens in any order: what a host may tell,
// and what strangers may send.
type chaos struct {
	*hub
	everyone []somebody
}

func newChaos(t *testing.T, symmetry, closed bool) *chaos {
	c := &chaos{hub: newHubWith(t, func(cfg *Config) {
		cfg.Symmetry, cfg.PlainPeers = symmetry, 2
		if closed {
			closedNetwork(cfg)
		}
	})}
	for i := range 4 {
		c.everyone = append(c.everyone, someone(t, fmt.Sprintf("peer %d", i)))
	}
	return c
}

// message is one that p might send: in order, out of order, or no message at all.
func (c *chaos) message(r *rapid.T, p somebody) core.Received {
	other := rapid.SampledFrom(c.everyone).Draw(r, "about")
	news := other.claim(c.t, rapid.IntRange(0, 3).Draw(r, "time"), rapid.IntRange(1, 3).Draw(r, "port"))
	if rapid.IntRange(0, 9).Draw(r, "forged") == 0 {
		news[len(news)-1] ^= 1
	}
	hello := handshake.Handshake{
		Network: "test", Version: handshake.Version{Major: 1}, Time: c.now,
		Claim: p.claim(c.t, 0, 1), Query: c.tracker.Query().Append(nil),
	}
	type kind struct {
		protocol string
		kind     frame.Type
		payload  []byte
	}
	k := rapid.SampledFrom([]kind{
		{handshake.Protocol, handshake.TypeHandshake, hello.Append(nil)},
		{handshake.Protocol, handshake.TypeHandshake, hello.Append(nil)},
		{handshake.Protocol, handshake.TypeAccept, nil},
		{handshake.Protocol, handshake.TypeAccept, peerlist.PeerList{Envelopes: [][]byte{news}}.Append(nil)},
		{handshake.Protocol, handshake.TypeReject, handshake.Reject{Reason: handshake.Full}.Append(nil)},
		{uptime.Protocol, uptime.TypePing, ping(7)},
		{uptime.Protocol, uptime.TypePong, ping(7)},
		{peerlist.Protocol, peerlist.TypeGetPeerList, peerlist.GetPeerList{ID: 1, Query: c.tracker.Query()}.Append(nil)},
		{peerlist.Protocol, peerlist.TypePeerList, peerlist.PeerList{ID: 1, Envelopes: [][]byte{news}}.Append(nil)},
		{peerlist.Protocol, peerlist.TypeOwnClaim, news},
		{infect.ClaimsProtocol, infect.TypePush, infect.Message{Item: news}.Append(infect.TypePush, nil)},
		{infect.ClaimsProtocol, infect.TypeAnnounce, infect.Message{ID: infect.IDOf(news)}.Append(infect.TypeAnnounce, nil)},
		{infect.ClaimsProtocol, infect.TypeAnswer, infect.Message{ID: infect.IDOf(news), Status: infect.StatusNew}.Append(infect.TypeAnswer, nil)},
		{infect.ClaimsProtocol, infect.TypeGet, infect.Message{ID: infect.IDOf(news)}.Append(infect.TypeGet, nil)},
		{peerlist.Protocol, frame.Type(99), []byte("?")},
		{"/weft/unknown/1.0.0", 1, []byte("?")},
		{rapid.SampledFrom([]string{handshake.Protocol, uptime.Protocol, peerlist.Protocol, infect.ClaimsProtocol}).Draw(r, "protocol"),
			frame.Type(rapid.IntRange(0, 6).Draw(r, "type")), rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(r, "garbage")},
	}).Draw(r, "message")
	return core.Received{Peer: p.id, Protocol: k.protocol, Type: k.kind, Payload: k.payload}
}

// event is anything that may happen next.
func (c *chaos) event(r *rapid.T) core.Event {
	p := rapid.SampledFrom(c.everyone).Draw(r, "peer")
	addr := multiaddr.StringCast(fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", rapid.IntRange(1, 3).Draw(r, "port")))
	in, out := rapid.Bool().Draw(r, "in"), rapid.Bool().Draw(r, "out")
	switch rapid.IntRange(0, 16).Draw(r, "event") {
	case 0, 1:
		return core.Connected{Peer: p.id, Addr: addr, Inbound: in, Guest: in && out}
	case 2:
		return core.Disconnected{Peer: p.id}
	case 3:
		return core.Linked{Peer: p.id, Inbound: in, Outbound: out || !in}
	case 4:
		return core.Plain{Peer: p.id}
	case 5:
		return core.DialFailed{Peer: p.id, Reason: "refused"}
	case 6:
		return core.Discovered{Peer: p.id, Addrs: []multiaddr.Multiaddr{addr}, From: core.SourceDHT, Unaware: in}
	case 7:
		return core.Misbehaved{Peer: p.id, Offence: core.OffenceFrame, Detail: "x"}
	case 8:
		_, public := consensusKey("seat")
		return core.Command{Body: rapid.SampledFrom([]any{
			SetAddrs{Addrs: []multiaddr.Multiaddr{addr}}, Ban{Peer: p.id, For: time.Minute, Reason: "x"}, Unban{Peer: p.id},
			SetMembers{Peers: []core.PeerID{p.id}}, SetMembers{}, SetValidators{Peers: map[core.PeerID]uint64{p.id: 2}},
			SetValidators{Keys: map[Key]uint64{public: 1}},
			LoadBans{Bans: []core.SavedBan{{Peer: p.id, Until: c.now.Add(time.Minute), Times: 1}}}, struct{}{},
		}).Draw(r, "command")}
	}
	return c.message(r, p)
}

// step lets one thing happen: an event, the answer to a check, or time.
func (c *chaos) step(r *rapid.T) {
	switch rapid.IntRange(0, 9).Draw(r, "step") {
	case 0:
		c.now = c.now.Add(time.Duration(rapid.IntRange(0, 90_000).Draw(r, "ms")) * time.Millisecond)
		c.tickAll(r)
	case 1:
		c.now = c.now.Add(-time.Duration(rapid.IntRange(0, 3600).Draw(r, "s")) * time.Second)
	case 2, 3:
		c.answer()
	case 4: // by chance alone few would become members
		p := rapid.SampledFrom(c.everyone).Draw(r, "joins")
		c.do(core.Connected{Peer: p.id, Inbound: true})
		c.greets(p)
		c.from(p, handshake.Protocol, handshake.TypeAccept, nil)
	default:
		c.do(c.event(r))
	}
}

// tickAll ticks until nothing is due: that must not take for ever.
func (c *chaos) tickAll(r *rapid.T) {
	for range 100 {
		if d := c.Deadline(); d.IsZero() || d.After(c.now) {
			return
		}
		var out []core.Effect
		c.Tick(c.now, &out)
		c.take(out)
		c.follow(out)
	}
	r.Fatalf("after 100 ticks at %v the deadline is %v", c.now, c.Deadline())
}

// follow does at once what the host would do.
func (c *chaos) follow(out []core.Effect) {
	for _, e := range out {
		if d, ok := e.(core.Disconnect); ok {
			c.do(core.Disconnected{Peer: d.Peer})
		}
	}
}

// check counts again what the machine keeps up step by step.
func (c *chaos) check(r *rapid.T) {
	members, plain, placed := 0, 0, 0
	for id, l := range c.peers {
		if l.member {
			members++
		}
		if l.plain {
			plain++
		}
		if l.placed {
			placed++
		}
		if l.member && l.plain {
			r.Fatalf("%s is a member and plain", id)
		}
		if len(l.held) > maxHeld || l.heldBytes > maxHeldBytes || l.member && l.held != nil {
			r.Fatalf("%s has %d messages of %d bytes held, member %v", id, len(l.held), l.heldBytes, l.member)
		}
		if l.member && l.guest {
			r.Fatalf("%s is a guest and a member", id)
		}
		if !l.symmetricBy.IsZero() && c.symmetryAt.After(l.symmetricBy) {
			r.Fatalf("%s is to be symmetric by %v, looked at only at %v", id, l.symmetricBy, c.symmetryAt)
		}
		if c.cfg.Handshake.Admission == handshake.Members && l.member && c.handshake.IsMember(id) && !c.admissions.isMember(id) {
			r.Fatalf("%s is a member of a closed network that does not list it", id)
		}
	}
	s := c.Stats()
	if members != c.members || members != s.Members || plain != c.plain || plain != s.Plain || len(c.peers) != s.Connected {
		r.Fatalf("%d members and %d plain, counted %d and %d", members, plain, c.members, c.plain)
	}
	if placed != c.placed || placed > c.cfg.PlainPeers {
		r.Fatalf("%d plain peers have places, counted %d, at most %d", placed, c.placed, c.cfg.PlainPeers)
	}
	if s.PeerList.Connected != members || s.Gossip.Peers != members || s.Uptime.Members != members {
		r.Fatalf("%d members; peerlist has %d, infect %d, uptime %d", members, s.PeerList.Connected, s.Gossip.Peers, s.Uptime.Members)
	}
	if s.Handshake.Links != len(c.peers) {
		r.Fatalf("%d peers, handshake has %d", len(c.peers), s.Handshake.Links)
	}
	if len(c.actions) != 0 {
		r.Fatalf("%d actions are left", len(c.actions))
	}
	if len(c.refusals.of) != c.refusals.order.Len() || len(c.relayed.of) != len(c.relayed.order) {
		r.Fatal("a bounded memory lost count")
	}
}

func TestWhateverHappensTheMachineKeepsCount(t *testing.T) {
	for name, kind := range map[string][2]bool{"open": {}, "symmetric": {true, false}, "closed": {false, true}, "both": {true, true}} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				c := newChaos(t, kind[0], kind[1])
				for range rapid.IntRange(1, 150).Draw(r, "steps") {
					c.step(r)
					c.out, c.sent = nil, nil
					c.check(r)
				}
				c.now = c.now.Add(2 * time.Hour)
				c.tickAll(r)
				c.check(r)
			})
		})
	}
}

// One seed gives one run: maps must not decide.
func TestTheMachineRepeatsFromItsSeed(t *testing.T) {
	run := func() string {
		h := newHub(t, someone(t, "a"), someone(t, "b"), someone(t, "c"), someone(t, "d"))
		h.command(SetValidators{Peers: map[core.PeerID]uint64{someone(t, "a").id: 1, someone(t, "b").id: 1, someone(t, "x").id: 1}})
		rng := rand.New(rand.NewPCG(3, 4))
		for i := range 50 {
			h.command(SetAddrs{Addrs: []multiaddr.Multiaddr{multiaddr.StringCast(fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", i+1))}})
			h.advance(time.Duration(rng.IntN(30_000)) * time.Millisecond)
		}
		text := ""
		for _, e := range h.out {
			if v, ok := e.(core.Verify); ok {
				e = core.Verify{Peer: v.Peer}
			}
			text += fmt.Sprintf("%T%v\n", e, e)
		}
		return text
	}
	first := run()
	for range 5 {
		if run() != first {
			t.Fatal("two runs from one seed differ")
		}
	}
}
