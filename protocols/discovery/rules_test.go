package discovery

import (
	"crypto/ed25519"
	"crypto/sha256"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/handshake"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/peerlist"
	"github.com/weftnet/weft/protocols/uptime"
)

// asked returns what the machine asked for of one kind, and forgets the rest.
func asked[E core.Effect](h *hub) (all []E) {
	for _, e := range h.out {
		if e, ok := e.(E); ok {
			all = append(all, e)
		}
	}
	h.out = nil
	return all
}

// disconnects is why a peer is to be disconnected, if it is.
func (h *hub) disconnects(p somebody) (reasons []string) {
	for _, d := range asked[core.Disconnect](h) {
		if d.Peer == p.id {
			reasons = append(reasons, d.Reason)
		}
	}
	return reasons
}

// rejections are the reasons with which a peer was refused.
func (h *hub) rejections(p somebody) (reasons []handshake.Reason) {
	for _, s := range h.sent {
		if s.Peer == p.id && s.Protocol == handshake.Protocol && s.Type == handshake.TypeReject {
			r, err := handshake.ParseReject(s.Payload)
			if err != nil {
				h.t.Fatal(err)
			}
			reasons = append(reasons, r.Reason)
		}
	}
	h.sent = nil
	return reasons
}

func (h *hub) isMember(p somebody) bool {
	l := h.peers[p.id]
	return l != nil && l.member
}

func (h *hub) command(body any) { h.do(core.Command{Body: body}) }

func ping(id uint64) []byte { return uptime.Ping{ID: id}.Append(nil) }

// pongs are the IDs of the pings that were answered.
func (h *hub) pongs() (ids []uint64) {
	for _, s := range h.sent {
		if s.Protocol == uptime.Protocol && s.Type == uptime.TypePong {
			p, err := uptime.ParsePong(s.Payload)
			if err != nil {
				h.t.Fatal(err)
			}
			ids = append(ids, p.ID)
		}
	}
	h.sent = nil
	return ids
}

func TestMessagesBetweenTheTwoAcceptancesWaitInOrder(t *testing.T) {
	h, bob := newHub(t), someone(t, "bob")
	h.do(core.Connected{Peer: bob.id, Inbound: true})
	h.from(bob, uptime.Protocol, uptime.TypePing, ping(1)) // before its handshake: not taken
	h.greets(bob)
	for id := uint64(2); id < 2+maxHeld+2; id++ {
		h.from(bob, uptime.Protocol, uptime.TypePing, ping(id))
	}
	if got := h.pongs(); len(got) != 0 {
		t.Fatalf("answered %v before both accepted", got)
	}
	h.from(bob, handshake.Protocol, handshake.TypeAccept, nil)
	if got, want := h.pongs(), []uint64{2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(got, want) {
		t.Errorf("answered %v once both accepted, want the first %d, in order", got, maxHeld)
	}
	if got := h.Stats().Held; got != maxHeld {
		t.Errorf("counted %d as held, want %d", got, maxHeld)
	}
	if h.peers[bob.id].held != nil {
		t.Error("what was held is kept")
	}
}

func TestOtherProtocolsOfMembersAreLeftToOtherMachines(t *testing.T) {
	const elsewhere = "/weft/elsewhere/1.0.0"
	h, bob := newHub(t), someone(t, "bob")
	h.do(core.Connected{Peer: bob.id, Inbound: true})
	h.greets(bob)
	h.from(bob, elsewhere, 1, []byte("too early"))
	if relayed := asked[core.Relay](h); len(relayed) != 0 {
		t.Fatalf("before bob is a member %v is relayed", relayed)
	}
	h.from(bob, handshake.Protocol, handshake.TypeAccept, nil)
	h.from(bob, elsewhere, 1, []byte("in time"))
	want := []core.Relay{
		{Event: core.Joined{Peer: bob.id}},
		{Event: core.Arrived{Peer: bob.id, Protocol: elsewhere, Type: 1, Payload: []byte("too early")}},
		{Event: core.Arrived{Peer: bob.id, Protocol: elsewhere, Type: 1, Payload: []byte("in time")}},
	}
	if relayed := asked[core.Relay](h); !reflect.DeepEqual(relayed, want) {
		t.Errorf("relayed %v, want %v", relayed, want)
	}
}

func TestHeldMessagesAreBoundedInBytes(t *testing.T) {
	h, bob := newHub(t), someone(t, "bob")
	h.do(core.Connected{Peer: bob.id, Inbound: true})
	h.greets(bob)
	for range 4 {
		h.from(bob, peerlist.Protocol, peerlist.TypeGetPeerList, make([]byte, maxHeldBytes/2))
	}
	if l := h.peers[bob.id]; len(l.held) != 2 || l.heldBytes > maxHeldBytes {
		t.Errorf("%d messages of %d bytes are held, want 2 of %d", len(l.held), l.heldBytes, maxHeldBytes)
	}
}

func TestPlainPeersHaveTheirQuota(t *testing.T) {
	h := newHubWith(t, func(c *Config) { c.PlainPeers = 2 }, someone(t, "member"))
	var ids []somebody
	for _, name := range []string{"p1", "p2", "p3"} {
		p := someone(t, name)
		ids = append(ids, p)
		h.do(core.Connected{Peer: p.id, Inbound: true})
		h.out = nil
		h.do(core.Plain{Peer: p.id})
		admitted := slices.ContainsFunc(h.out, func(e core.Effect) bool { a, ok := e.(core.Admit); return ok && a.Peer == p.id })
		if cut := h.disconnects(p); admitted != (name != "p3") || admitted == (len(cut) > 0) {
			t.Errorf("%s: admitted %v, disconnected %q", name, admitted, cut)
		}
	}
	if s := h.Stats(); s.Plain != 2 || s.PlainRefused != 1 || s.Members != 1 {
		t.Errorf("%d plain, %d refused, %d members, want 2, 1 and 1", s.Plain, s.PlainRefused, s.Members)
	}
	h.do(core.Disconnected{Peer: ids[2].id})
	h.do(core.Disconnected{Peer: ids[0].id}) // its place is free
	h.do(core.Connected{Peer: ids[2].id, Inbound: true})
	h.do(core.Plain{Peer: ids[2].id})
	if s := h.Stats(); s.Plain != 2 || s.PlainRefused != 1 {
		t.Errorf("%d plain, %d refused after one left, want 2 and 1", s.Plain, s.PlainRefused)
	}
	guest := someone(t, "guest")
	h.do(core.Disconnected{Peer: ids[1].id})
	h.do(core.Connected{Peer: guest.id, Inbound: true, Guest: true})
	h.do(core.Plain{Peer: guest.id})
	if len(h.disconnects(guest)) == 0 {
		t.Error("a guest stays as a plain peer")
	}
}

func TestPlainPeersThatTheOperatorNamedNeedNoPlace(t *testing.T) {
	h, friend := newHubWith(t, func(c *Config) { c.PlainPeers = 1 }), someone(t, "friend")
	h.command(SetValidators{Peers: map[core.PeerID]uint64{friend.id: 1}})
	for _, name := range []string{"squatter", "friend", "late"} {
		p := someone(t, name)
		h.do(core.Connected{Peer: p.id, Inbound: true})
		h.do(core.Plain{Peer: p.id})
		if stays := h.peers[p.id].plain; stays != (name != "late") {
			t.Errorf("%s stays: %v", name, stays)
		}
	}
	h.do(core.Disconnected{Peer: friend.id})
	if s := h.Stats(); s.Plain != 1 || h.placed != 1 {
		t.Errorf("%d plain peers, %d in places, want 1 and 1", s.Plain, h.placed)
	}
}

func closedNetwork(c *Config) {
	c.Handshake.Admission, c.PeerList.Open = handshake.Members, false
}

func TestOnlyMembersAreAdmittedAndTheListMayChange(t *testing.T) {
	h, bob, carol := newHubWith(t, closedNetwork), someone(t, "bob"), someone(t, "carol")
	h.command(SetMembers{[]core.PeerID{bob.id}})
	for _, p := range []somebody{bob, carol} {
		h.do(core.Connected{Peer: p.id, Inbound: true})
		h.greets(p)
		h.from(p, handshake.Protocol, handshake.TypeAccept, nil)
	}
	if !h.isMember(bob) || h.isMember(carol) {
		t.Fatalf("bob is a member: %v, carol: %v, want bob only", h.isMember(bob), h.isMember(carol))
	}
	if got := h.rejections(carol); !slices.Equal(got, []handshake.Reason{handshake.Membership}) {
		t.Errorf("carol was refused for %v, want membership", got)
	}
	h.sent = nil
	h.command(SetMembers{[]core.PeerID{carol.id}})
	if got := h.rejections(bob); !slices.Equal(got, []handshake.Reason{handshake.Membership}) {
		t.Errorf("bob, who is no longer listed, was refused for %v, want membership", got)
	}
	h.from(bob, uptime.Protocol, uptime.TypePing, ping(1))
	if got := h.pongs(); len(got) != 0 {
		t.Error("a message of bob was answered after his end")
	}
	h.out = nil
	h.advance(2 * time.Second)
	if len(h.disconnects(bob)) == 0 {
		t.Error("bob stays connected")
	}
	h.do(core.Disconnected{Peer: carol.id})
	h.do(core.Connected{Peer: carol.id, Inbound: true})
	h.greets(carol)
	h.from(carol, handshake.Protocol, handshake.TypeAccept, nil)
	if !h.isMember(carol) {
		t.Error("carol, who is listed now, is no member")
	}
}

// The list may change after we accepted and before the peer did.
func TestOneWhoIsNoLongerListedDoesNotBecomeAMember(t *testing.T) {
	h, bob := newHubWith(t, closedNetwork), someone(t, "bob")
	h.command(SetMembers{[]core.PeerID{bob.id}})
	h.do(core.Connected{Peer: bob.id, Inbound: true})
	h.greets(bob)
	h.command(SetMembers{})
	h.out = nil
	h.from(bob, handshake.Protocol, handshake.TypeAccept, nil)
	if h.isMember(bob) || len(asked[core.Admit](h)) != 0 {
		t.Error("bob is a member and no longer listed")
	}
	if got := h.rejections(bob); !slices.Contains(got, handshake.Membership) {
		t.Errorf("refused for %v, want membership", got)
	}
}

func consensusKey(name string) (ed25519.PrivateKey, Key) {
	seed := sha256.Sum256([]byte("consensus " + name))
	key := ed25519.NewKeyFromSeed(seed[:])
	return key, Key(key.Public().(ed25519.PublicKey))
}

func proves(h *hub, p somebody, key ed25519.PrivateKey) func(*handshake.Handshake) {
	return func(hs *handshake.Handshake) {
		hs.Proof = handshake.Prove(key, *hs, p.id, h.cfg.Handshake.Self)
	}
}

func TestAValidatorIsWhoeverProvesTheKey(t *testing.T) {
	private, public := consensusKey("seat")
	other, _ := consensusKey("other")
	h := newHubWith(t, closedNetwork)
	h.command(SetValidators{Keys: map[Key]uint64{public: 7}})
	join := func(p somebody, key ed25519.PrivateKey) {
		h.do(core.Connected{Peer: p.id, Inbound: true})
		h.greets(p, proves(h, p, key))
		h.from(p, handshake.Protocol, handshake.TypeAccept, nil)
	}
	validators := func() map[core.PeerID]uint64 { return h.admissions.validators() }
	bob, carol, dave := someone(t, "bob"), someone(t, "carol"), someone(t, "dave")
	join(carol, other)
	if h.isMember(carol) || len(validators()) != 0 {
		t.Fatal("a key outside the set makes a member")
	}
	join(bob, private)
	if !h.isMember(bob) || validators()[bob.id] != 7 || h.Stats().Validators != 1 {
		t.Fatalf("bob is a member: %v, validators %v, want bob with 7", h.isMember(bob), validators())
	}
	h.command(SetValidators{Keys: map[Key]uint64{public: 7}, Peers: map[core.PeerID]uint64{bob.id: 3}})
	if got := validators()[bob.id]; got != 10 {
		t.Errorf("bob, named and proven, weighs %d, want 10", got)
	}
	h.command(SetValidators{Keys: map[Key]uint64{public: 7}})
	h.sent = nil
	join(dave, private) // the seat moves to another node
	if !h.isMember(dave) || validators()[dave.id] != 7 || validators()[bob.id] != 0 {
		t.Errorf("dave is a member: %v, validators %v, want dave alone", h.isMember(dave), validators())
	}
	if got := h.rejections(bob); !slices.Contains(got, handshake.Membership) {
		t.Errorf("bob, who lost the seat, was refused for %v", got)
	}
	h.command(SetValidators{})
	if got := h.rejections(dave); !slices.Contains(got, handshake.Membership) || len(validators()) != 0 {
		t.Errorf("after the set is empty dave was refused for %v, validators %v", got, validators())
	}
}

func TestABanRefusesDisconnectsBlocksAndIsKept(t *testing.T) {
	bob, plain := someone(t, "bob"), someone(t, "plain")
	h := newHub(t, bob)
	h.do(core.Connected{Peer: plain.id, Inbound: true})
	h.do(core.Plain{Peer: plain.id})
	for _, p := range []somebody{bob, plain} {
		h.sent, h.out = nil, nil
		h.command(Ban{Peer: p.id, Reason: "because"})
		blocks, saved := asked[core.Block](&hub{out: slices.Clone(h.out)}), asked[core.Persist](&hub{out: slices.Clone(h.out)})
		if len(blocks) != 1 || !blocks[0].Until.Equal(h.now.Add(time.Hour)) || len(saved) != 1 {
			t.Errorf("blocks %v, saved %v, want an hour of both", blocks, saved)
		}
		refused := h.rejections(p)
		h.advance(2 * time.Second)
		if cut := h.disconnects(p); len(cut) == 0 || !slices.Contains(refused, handshake.Banned) {
			t.Errorf("refused for %v, disconnected for %q", refused, cut)
		}
	}
	if bans := h.Bans(h.now); len(bans) != 2 || bans[0].Reason != "because" {
		t.Errorf("bans %v, want two", bans)
	}
	if bans := h.Bans(h.now.Add(2 * time.Hour)); len(bans) != 0 {
		t.Errorf("bans %v after they ended", bans)
	}
}

func TestGraveOffencesBanOnTheThird(t *testing.T) {
	bob := someone(t, "bob")
	h := newHub(t, bob)
	for i := range 3 {
		if len(h.Bans(h.now)) != 0 {
			t.Fatalf("banned after %d", i)
		}
		h.do(core.Misbehaved{Peer: bob.id, Offence: core.OffenceSender, Detail: "another's name"})
	}
	if bans := h.Bans(h.now); len(bans) != 1 || !strings.Contains(bans[0].Reason, "another's name") {
		t.Errorf("bans %v, want one that says why", bans)
	}
}

func TestANewClaimIsPushedToEveryMember(t *testing.T) {
	alice, bob := someone(t, "alice"), someone(t, "bob")
	h := newHub(t, alice, bob)
	h.do(core.Connected{Peer: someone(t, "stranger").id, Inbound: true})
	pushed := func() (to []core.PeerID) {
		for _, s := range h.sent {
			if s.Protocol == peerlist.Protocol && s.Type == peerlist.TypeOwnClaim {
				if got, err := claim.Verify(s.Payload); err != nil || got.Peer != h.cfg.Handshake.Self {
					t.Errorf("pushed %v, %v", got, err)
				}
				to = append(to, s.Peer)
			}
		}
		h.sent = nil
		slices.Sort(to)
		return to
	}
	addrs := []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/127.0.0.1/tcp/7")}
	h.sent = nil
	h.command(SetAddrs{addrs})
	want := []core.PeerID{alice.id, bob.id}
	slices.Sort(want)
	if got := pushed(); !slices.Equal(got, want) {
		t.Errorf("pushed to %v, want both members and no stranger", got)
	}
	h.command(SetAddrs{addrs})
	if got := pushed(); len(got) != 0 {
		t.Errorf("the same addresses were pushed to %v", got)
	}
	h.now = h.now.Add(claim.Lifetime/2 + time.Minute)
	h.do(core.Command{})
	if got := pushed(); !slices.Equal(got, want) {
		t.Errorf("at half of its life the claim was pushed to %v, want both", got)
	}
	if saved := asked[core.Persist](h); len(saved) < 2 {
		t.Errorf("saved %v, want the timestamps", saved)
	}
}

// Hearsay is dialled and not booked; what is booked stays up to date.
func TestAGossipedClaimIsBookedOnlyIfItsOwnerIs(t *testing.T) {
	alice, bob, dave := someone(t, "alice"), someone(t, "bob"), someone(t, "dave")
	h := newHub(t, alice, bob)
	h.out = nil
	h.gossip(bob, infect.TypePush, infect.Message{Item: dave.claim(t, 0, 5)})
	h.answer()
	if _, booked := h.tracker.Book().Get(dave.id); booked {
		t.Error("dave is booked by hearsay")
	}
	dials := asked[core.Dial](h)
	if len(dials) != 1 || dials[0].Peer != dave.id || dials[0].Addrs[0].String() != "/ip4/127.0.0.1/tcp/5" {
		t.Errorf("dials %v, want dave where he claims to be", dials)
	}
	news := alice.claim(t, 9, 6)
	h.gossip(bob, infect.TypePush, infect.Message{Item: news})
	h.answer()
	if got, _ := h.tracker.Book().Get(alice.id); string(got.Bytes()) != string(news) {
		t.Error("alice, who is booked, is not booked anew")
	}
}

func TestAnAsymmetricPairEndsInTimeWhateverIsMissing(t *testing.T) {
	bob := someone(t, "bob")
	for name, tt := range map[string]struct {
		in, out, complete bool
		want              string
	}{
		"not dialled back": {true, false, true, "could not connect to the address"},
		"does not dial":    {false, true, true, "did not connect back"},
		"not complete":     {true, true, false, "not complete"},
		"symmetric":        {true, true, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHubWith(t, func(c *Config) { c.Symmetry = true })
			begun := h.now
			h.do(core.Connected{Peer: bob.id, Inbound: tt.in})
			h.do(core.Linked{Peer: bob.id, Inbound: tt.in, Outbound: tt.out})
			if tt.complete {
				h.greets(bob)
				h.from(bob, handshake.Protocol, handshake.TypeAccept, nil)
			}
			h.sent, h.out = nil, nil
			h.advance(14900 * time.Millisecond)
			if cut := h.disconnects(bob); slices.Contains(cut, "asymmetric") {
				t.Fatalf("disconnected for %q before its time", cut)
			}
			h.advance(time.Second)
			var reason string
			var until time.Time
			for _, b := range asked[core.Block](&hub{out: slices.Clone(h.out)}) {
				reason, until = b.Reason, b.Until
			}
			cut := h.disconnects(bob)
			if tt.want == "" {
				if slices.Contains(cut, "asymmetric") || h.Stats().Asymmetric != 0 {
					t.Errorf("a symmetric pair was ended: %q", cut)
				}
				return
			}
			if !slices.Contains(cut, "asymmetric") || !strings.Contains(reason, tt.want) || !until.Equal(begun.Add(15*time.Second+10*time.Minute)) {
				t.Errorf("disconnected for %q, blocked until %v because %q, want 10 min because %q", cut, until, reason, tt.want)
			}
			if h.Stats().Asymmetric != 1 || len(h.Bans(h.now)) != 0 {
				t.Errorf("counted %d, bans %v, want 1 and none", h.Stats().Asymmetric, h.Bans(h.now))
			}
		})
	}
}

// A pair that was symmetric and lost one direction has the time again.
func TestAPairThatBecomesAsymmetricHasTheTimeAgain(t *testing.T) {
	bob := someone(t, "bob")
	h := newHubWith(t, func(c *Config) { c.Symmetry = true })
	h.do(core.Connected{Peer: bob.id, Inbound: true})
	h.do(core.Linked{Peer: bob.id, Inbound: true, Outbound: true})
	h.greets(bob)
	h.from(bob, handshake.Protocol, handshake.TypeAccept, nil)
	h.advance(20 * time.Second)
	h.do(core.Linked{Peer: bob.id, Inbound: true})
	h.out = nil
	h.advance(14 * time.Second)
	if cut := h.disconnects(bob); slices.Contains(cut, "asymmetric") {
		t.Fatalf("disconnected for %q after 14 s", cut)
	}
	h.advance(2 * time.Second)
	if cut := h.disconnects(bob); !slices.Contains(cut, "asymmetric") {
		t.Errorf("disconnected for %q after 16 s, want asymmetric", cut)
	}
}

func TestOurOwnPlacesAmongTheValidatorsAreAlwaysUp(t *testing.T) {
	private, public := consensusKey("ours")
	_, another := consensusKey("another")
	bob := someone(t, "bob")
	h := newHubWith(t, func(c *Config) { c.ConsensusKey = private })
	self := h.cfg.Handshake.Self
	h.command(SetValidators{
		Peers: map[core.PeerID]uint64{self: 3, bob.id: 1}, Keys: map[Key]uint64{public: 2, another: 1},
	})
	own := uint64(0)
	for _, v := range h.Validators(h.now) {
		if mine := v.Peer == self; v.Own != mine || mine && (v.Uptime != uptime.All || !v.Known) || !mine && v.Uptime != 0 {
			t.Errorf("validator %+v", v)
		}
		if v.Own {
			own += v.Weight
		}
	}
	if own != 5 {
		t.Errorf("our places weigh %d, want that of our peer ID and of our key: 5", own)
	}
}

func TestABootstrapperIsConnectedWhenTheHandshakeIsComplete(t *testing.T) {
	bob := someone(t, "bob")
	told := func(h *hub) (kinds []string) {
		for _, n := range asked[core.Notify](h) {
			if n.Notice.Peer == bob.id {
				kinds = append(kinds, n.Notice.Kind)
			}
		}
		return kinds
	}
	viaBob := func(c *Config) { c.Dialing.Bootstrappers = []peer.AddrInfo{{ID: bob.id}} }

	h := newHubWith(t, viaBob)
	h.do(core.Connected{Peer: bob.id})
	h.greets(bob)
	if kinds := told(h); len(kinds) > 0 {
		t.Errorf("before it accepts us: %q", kinds)
	}
	h.from(bob, handshake.Protocol, handshake.TypeAccept, nil)
	if kinds := told(h); !slices.Equal(kinds, []string{"bootstrap.connected", "peer.member"}) {
		t.Errorf("when it has accepted us: %q", kinds)
	}

	h = newHubWith(t, viaBob)
	h.do(core.Connected{Peer: bob.id})
	h.greets(bob, func(hs *handshake.Handshake) { hs.Network = "other" })
	if kinds := told(h); !slices.Equal(kinds, []string{"peer.rejected"}) {
		t.Errorf("of another network: %q", kinds)
	}

	h = newHubWith(t, viaBob)
	h.do(core.Connected{Peer: bob.id})
	h.do(core.Plain{Peer: bob.id})
	if kinds := told(h); !slices.Equal(kinds, []string{"bootstrap.connected", "peer.plain"}) {
		t.Errorf("a plain peer: %q", kinds)
	}
}
