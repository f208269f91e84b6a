package discovery

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/handshake"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/peerlist"
)

var blameStart = time.UnixMilli(1_750_000_000_000)

// somebody is a peer with a key made from its name.
type somebody struct {
	key crypto.PrivKey
	id  core.PeerID
}

func someone(t *testing.T, name string) somebody {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return somebody{key, id}
}

// claim is what somebody signs ms after the start, with the port as its address.
func (s somebody) claim(t *testing.T, ms, port int) []byte {
	t.Helper()
	at := blameStart.Add(time.Duration(ms) * time.Millisecond)
	c := claim.Claim{Network: "test", Peer: s.id, Time: at, Expiry: at.Add(claim.Lifetime)}
	c.Addrs = []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/127.0.0.1/tcp/" + strconv.Itoa(port))}
	signed, err := claim.Seal(c, s.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed.Bytes()
}

// hub is one machine among members. Checks are answered when answer is called.
type hub struct {
	*Machine
	t      *testing.T
	now    time.Time
	checks []core.Verify
	blamed map[core.PeerID][]core.Offence
	sent   []core.Send
	out    []core.Effect
}

func newHub(t *testing.T, members ...somebody) *hub {
	return newHubWith(t, func(*Config) {}, members...)
}

func newHubWith(t *testing.T, change func(*Config), members ...somebody) *hub {
	self := someone(t, "self")
	cfg := DefaultConfig(self.key, self.id, "test", handshake.Version{Major: 1})
	change(&cfg)
	m, err := New(cfg, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{Machine: m, t: t, now: blameStart, blamed: map[core.PeerID][]core.Offence{}}
	for _, p := range members {
		h.do(core.Connected{Peer: p.id, Inbound: true})
		h.greets(p)
		h.from(p, handshake.Protocol, handshake.TypeAccept, nil)
		if l := m.peers[p.id]; !l.member {
			t.Fatalf("%s is no member", p.id)
		}
	}
	return h
}

// greets lets a connected peer send its handshake, changed where a test wants it.
func (h *hub) greets(p somebody, change ...func(*handshake.Handshake)) {
	greeting := handshake.Handshake{
		Network: "test", Version: handshake.Version{Major: 1}, Time: h.now,
		Claim: p.claim(h.t, 0, 1), Query: h.tracker.Query().Append(nil),
	}
	for _, f := range change {
		f(&greeting)
	}
	h.from(p, handshake.Protocol, handshake.TypeHandshake, greeting.Append(nil))
	h.answer()
}

func (h *hub) do(ev core.Event) {
	var out []core.Effect
	h.Handle(h.now, ev, &out)
	h.take(out)
}

// take notes what the machine asked for.
func (h *hub) take(out []core.Effect) {
	h.out = append(h.out, out...)
	for _, e := range out {
		switch e := e.(type) {
		case core.Verify:
			h.checks = append(h.checks, e)
		case core.Send:
			h.sent = append(h.sent, e)
		case core.Penalize:
			h.blamed[e.Peer] = append(h.blamed[e.Peer], e.Offence)
		}
	}
}

func (h *hub) from(p somebody, protocol string, kind frame.Type, payload []byte) {
	h.do(core.Received{Peer: p.id, Protocol: protocol, Type: kind, Payload: bytes.Clone(payload)})
}

func (h *hub) gossip(p somebody, kind frame.Type, m infect.Message) {
	h.from(p, infect.ClaimsProtocol, kind, m.Append(kind, nil))
}

// answer carries out the checks that were asked for, the last one first, as
// workers may.
func (h *hub) answer() {
	checks := h.checks
	h.checks = nil
	for i := len(checks) - 1; i >= 0; i-- {
		h.do(core.Verified{Peer: checks[i].Peer, Answer: checks[i].Check()})
	}
}

// The same claim comes from its owner and by gossip at once, whenever an address
// changes. Whichever is checked first, nobody who offers it is to blame.
func TestAClaimThatCameInTwoWaysIsNobodysFault(t *testing.T) {
	alice, bob, carol := someone(t, "alice"), someone(t, "bob"), someone(t, "carol")
	h := newHub(t, alice, bob, carol)
	news := alice.claim(t, 1, 2)
	h.gossip(bob, infect.TypePush, infect.Message{Item: news})
	h.from(alice, peerlist.Protocol, peerlist.TypeOwnClaim, news)
	h.answer()
	h.gossip(carol, infect.TypePush, infect.Message{Item: news})
	h.answer()
	if len(h.blamed) != 0 {
		t.Errorf("blamed: %v", h.blamed)
	}
}

// One who announces a known claim and gives it must not make it an offence for
// everybody else to offer it.
func TestAnAnnouncedOldClaimIsNobodysFault(t *testing.T) {
	alice, bob, mallory := someone(t, "alice"), someone(t, "bob"), someone(t, "mallory")
	h := newHub(t, alice, bob, mallory)
	old := alice.claim(t, 0, 1)
	id := infect.IDOf(old)
	h.gossip(mallory, infect.TypeAnnounce, infect.Message{ID: id})
	h.gossip(mallory, infect.TypeItem, infect.Message{ID: id, Item: old})
	h.answer()
	h.gossip(bob, infect.TypePush, infect.Message{Item: old})
	if len(h.blamed) != 0 {
		t.Errorf("blamed: %v", h.blamed)
	}
}

func TestOnlyWhoGivesOtherBytesUnderAnIDIsBlamed(t *testing.T) {
	alice, bob, mallory := someone(t, "alice"), someone(t, "bob"), someone(t, "mallory")
	h := newHub(t, alice, bob, mallory)
	news := alice.claim(t, 1, 2)
	id := infect.IDOf(news)
	h.gossip(mallory, infect.TypeAnnounce, infect.Message{ID: id})
	h.gossip(mallory, infect.TypeItem, infect.Message{ID: id, Item: []byte("other bytes")})
	h.answer()
	h.gossip(bob, infect.TypePush, infect.Message{Item: news})
	h.answer()
	if got := h.blamed[mallory.id]; len(got) != 1 || got[0] != OffenceBadClaim || len(h.blamed) != 1 {
		t.Errorf("blamed: %v", h.blamed)
	}
	if c, _ := h.tracker.Book().Get(alice.id); !bytes.Equal(c.Bytes(), news) {
		t.Error("the claim is not booked")
	}
}

// Who signs two claims with one timestamp is to blame; who passes one of them on
// has seen only that one.
func TestOnlyTheAuthorOfTwoClaimsIsBlamed(t *testing.T) {
	bob, carol, mallory := someone(t, "bob"), someone(t, "carol"), someone(t, "mallory")
	h := newHub(t, bob, carol, mallory)
	other := mallory.claim(t, 0, 9)
	for _, p := range []somebody{bob, carol, bob} {
		h.gossip(p, infect.TypePush, infect.Message{Item: other})
		h.answer()
	}
	if len(h.blamed[mallory.id]) != 1 || len(h.blamed) != 1 {
		t.Errorf("blamed: %v", h.blamed)
	}
}

func TestWhoOffersAForgedClaimIsBlamed(t *testing.T) {
	alice, bob, mallory := someone(t, "alice"), someone(t, "bob"), someone(t, "mallory")
	h := newHub(t, alice, bob, mallory)
	forged := alice.claim(t, 1, 2)
	forged[len(forged)-1] ^= 1
	for range 2 {
		h.gossip(mallory, infect.TypePush, infect.Message{Item: forged})
		h.answer()
	}
	if got := h.blamed[mallory.id]; len(got) != 2 || got[0] != OffenceBadClaim || got[1] != infect.OffenceRejected {
		t.Errorf("blamed: %v", h.blamed)
	}
}

// A push costs a check and a record on the disk, so it is not to be had at will.
func TestAMemberPushesOnlySoManyClaimsOfItsOwn(t *testing.T) {
	alice, bob := someone(t, "alice"), someone(t, "bob")
	h := newHub(t, alice, bob)
	push := func(p somebody, from, n int) (checks int) {
		for i := range n {
			h.from(p, peerlist.Protocol, peerlist.TypeOwnClaim, p.claim(t, from+i, 2))
		}
		checks = len(h.checks)
		h.answer()
		return checks
	}
	if n := push(alice, 1, 100); n != 8 {
		t.Errorf("%d checks for 100 pushes, want 8", n)
	}
	if n := push(bob, 1, 1); n != 1 {
		t.Errorf("%d checks of another's push, want 1", n)
	}
	h.now = h.now.Add(10 * time.Second)
	if n := push(alice, 200, 100); n != 1 {
		t.Errorf("%d checks after 10 s, want 1", n)
	}
	if len(h.blamed) != 0 || h.Stats().Hasty != 92+99 {
		t.Errorf("blamed: %v; left out: %d", h.blamed, h.Stats().Hasty)
	}
}

// A clock that is set, ours or everybody else's, makes messages useless for a while
// and nobody an offender.
func TestNobodyIsBlamedForAClock(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		alice, bob := someone(t, "alice"), someone(t, "bob")
		h := newHub(t, alice, bob)
		h.now = h.now.Add(jump)
		var out []core.Effect
		h.Tick(h.now, &out)
		h.from(alice, peerlist.Protocol, peerlist.TypeOwnClaim, alice.claim(t, 1, 2))
		h.gossip(bob, infect.TypePush, infect.Message{Item: alice.claim(t, 2, 3)})
		h.gossip(bob, infect.TypePush, infect.Message{Item: alice.claim(t, 2, 3)})
		h.gossip(alice, infect.TypePush, infect.Message{Item: alice.claim(t, 2, 3)})
		h.answer()
		greeting := handshake.Handshake{
			Network: "test", Version: handshake.Version{Major: 1}, Time: blameStart,
			Claim: someone(t, "carol").claim(t, 0, 1), Query: h.tracker.Query().Append(nil),
		}
		carol := someone(t, "carol")
		h.do(core.Connected{Peer: carol.id, Inbound: true})
		h.from(carol, handshake.Protocol, handshake.TypeHandshake, greeting.Append(nil))
		h.answer()
		if f := h.Refusals(h.now); len(f) != 1 || f[0].Reason != "clock" {
			t.Errorf("jump %v: carol is refused for %v, want clock", jump, f)
		}
		for range 20 {
			h.Tick(h.now, &out)
			h.now = h.now.Add(5 * time.Second)
		}
		for _, e := range out {
			if p, ok := e.(core.Penalize); ok {
				t.Errorf("jump %v: blamed: %v", jump, p)
			}
		}
		if len(h.blamed) != 0 {
			t.Errorf("jump %v: blamed: %v", jump, h.blamed)
		}
		h.now = blameStart.Add(5 * time.Second)
		h.gossip(bob, infect.TypePush, infect.Message{Item: alice.claim(t, 3, 4)})
		h.answer()
		if c, _ := h.tracker.Book().Get(alice.id); !bytes.Equal(c.Bytes(), alice.claim(t, 3, 4)) {
			t.Errorf("jump %v: with the clock set right, a new claim is not booked", jump)
		}
	}
}
