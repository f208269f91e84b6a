package handshake

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

func TestBothSidesAcceptAndLearnFromEachOther(t *testing.T) {
	p := newPair(t)
	p.link()
	for _, n := range []*node{p.a, p.b} {
		if n.outcome() != "member" || len(of[Complete](n)) != 1 || n.Stats().Undecided != 0 || !n.Deadline().IsZero() {
			t.Errorf("%s: %s, %+v", n.self, n.outcome(), n.Stats())
		}
		if lists := of[Greeted](n); len(lists) != 1 || !strings.HasPrefix(string(lists[0].List), "list of ") {
			t.Errorf("%s got the lists %v", n.self, lists)
		}
	}
	if c := of[Complete](p.a)[0]; c.Peer != bob || c.Version != (Version{1, 2, 3}) {
		t.Errorf("complete: %v", c)
	}
	if r := of[Reply](p.a)[0]; string(r.Query) != "what "+string(bob)+" knows" {
		t.Errorf("reply to %q", r.Query)
	}
}

// Every reason there is: what leads to it, and what each side shows.
func TestEveryRejection(t *testing.T) {
	verdict := func(r Reason) func(*pair) {
		return func(p *pair) { p.a.check = func(Check) Verdict { return Verdict{Reason: r} } }
	}
	refuse := func(r Reason) func(*pair) {
		return func(p *pair) { p.do(p.a, func(out *[]core.Action) { p.a.Refuse(p.now, bob, r, "", out) }) }
	}
	nothing := func(*pair) {}
	for _, tc := range []struct {
		reason Reason
		before func(*pair)
		after  func(*pair)
		a, b   string
	}{
		{Network, func(p *pair) { p.b.cfg.Network = "other" }, nothing, "network by us", "network by us"},
		{Genesis, func(p *pair) { p.b.cfg.Genesis = []byte{1} }, nothing, "genesis by us", "genesis by us"},
		{TooOld, func(p *pair) { p.b.cfg.Version = Version{0, 9, 9} }, nothing, "too-old by us", "too-new by us"},
		{TooNew, func(p *pair) { p.b.cfg.Version, p.b.cfg.Oldest = Version{2, 0, 0}, Version{1, 0, 0} }, nothing, "too-new by us", "too-new by them"},
		{Clock, func(p *pair) { p.b.skew = 61 * time.Second }, nothing, "clock by us", "clock by us"},
		{Clock, func(p *pair) { p.b.skew = -61 * time.Second }, nothing, "clock by us", "clock by us"},
		{Claim, func(p *pair) { p.b.greet = func(h *Handshake) { h.Claim = nil } }, nothing, "claim by us", "claim by them"},
		{Claim, verdict(Claim), nothing, "claim by us", "claim by them"},
		{ClaimTime, verdict(ClaimTime), nothing, "claim-time by us", "claim-time by them"},
		{Query, verdict(Query), nothing, "query by us", "query by them"},
		{Proof, verdict(Proof), nothing, "proof by us", "proof by them"},
		{Membership, func(p *pair) { p.a.cfg.Admission = Members }, nothing, "membership by us", "membership by them"},
		{Full, func(p *pair) { p.a.guest = true }, nothing, "full by us", "full by them"},
		{Banned, nothing, refuse(Banned), "banned by us", "banned by them"},
		{Asymmetric, nothing, refuse(Asymmetric), "asymmetric by us", "asymmetric by them"},
		{Duplicate, nothing, func(p *pair) {
			p.b.send(TypeHandshake, hello())
		}, "duplicate by us", "duplicate by them"},
		{Early, func(p *pair) { p.b.mute = true }, func(p *pair) {
			for range maxEarly + 1 {
				p.do(p.a, func(out *[]core.Action) { p.a.May(p.now, bob, out) })
			}
		}, "early by us", "early by them"},
		{Timeout, func(p *pair) { p.b.mute, p.a.cfg.Admission = true, Members }, func(p *pair) { p.advance(5 * time.Second) }, "timeout by us", "timeout by us"},
	} {
		t.Run(tc.reason.String(), func(t *testing.T) {
			p := newPair(t)
			tc.before(p)
			p.link()
			tc.after(p)
			p.settle()
			if a, b := p.a.outcome(), p.b.outcome(); a != tc.a || b != tc.b {
				t.Errorf("alice: %s, bob: %s; want %s, %s", a, b, tc.a, tc.b)
			}
			if p.up {
				t.Error("the link is still up")
			}
			if punished := faultOf(p.a, OffenceRefused); punished != tc.reason.Offence() {
				t.Errorf("punished %v, an offence %v", punished, tc.reason.Offence())
			}
			for _, f := range append(of[Failed](p.a), of[Failed](p.b)...) {
				if f.Text == "" {
					t.Errorf("%v comes without a text", f)
				}
			}
		})
	}
}

func TestARefusalNamesWhatDiffers(t *testing.T) {
	for text, before := range map[string]func(*pair){
		"the refused node is of \"other\"":   func(p *pair) { p.b.cfg.Network = "other" },
		"the refused node's is not set":      func(p *pair) { p.a.cfg.Genesis = []byte{1} },
		"the other's not set":                func(p *pair) { p.b.cfg.Genesis = []byte{1} },
		"clock is 1m1s ahead of the other's": func(p *pair) { p.b.skew = 61 * time.Second },
		"clock is 1m1s behind the other's":   func(p *pair) { p.b.skew = -61 * time.Second },
	} {
		p := newPair(t)
		before(p)
		p.link()
		p.settle()
		if all := of[Failed](p.a); len(all) != 1 || !strings.Contains(all[0].Text, text) {
			t.Errorf("alice says %+v, want %q", all, text)
		}
	}
}

// A node that restarts may be back before the other side has noticed that its old
// connection is dead. It is an honest one.
func TestWhoRestartsIsNotPunished(t *testing.T) {
	p := newPair(t)
	p.link()
	p.do(p.b, func(out *[]core.Action) {
		p.b.LinkDown(alice)
		p.b.LinkUp(p.now, alice, false, out)
	})
	p.settle()
	if got := p.b.outcome(); got != "duplicate by them" || p.up {
		t.Errorf("bob: %s, link up: %v", got, p.up)
	}
	if blamed := of[core.Penalize](p.a); len(blamed) > 0 {
		t.Errorf("alice blames %v", blamed)
	}
	if p.link(); p.a.outcome() != "member" || p.b.outcome() != "member" {
		t.Errorf("connected again, alice: %s, bob: %s", p.a.outcome(), p.b.outcome())
	}
}

func faultOf(n *node, f core.Offence) bool {
	for _, p := range of[core.Penalize](n) {
		if p.Offence == f {
			return true
		}
	}
	return false
}

func TestClocksMayDifferByTheLimit(t *testing.T) {
	for _, skew := range []time.Duration{60 * time.Second, -60 * time.Second} {
		p := newPair(t)
		p.b.skew = skew
		p.link()
		if p.a.outcome() != "member" || p.b.outcome() != "member" {
			t.Errorf("with a skew of %v alice: %s, bob: %s", skew, p.a.outcome(), p.b.outcome())
		}
	}
}

func TestMembersAreListedOrProven(t *testing.T) {
	for _, tc := range []struct {
		name    string
		members []core.PeerID
		proven  []byte
		want    string
	}{
		{"listed", []core.PeerID{bob}, nil, "member"},
		{"proven", nil, []byte("validator key"), "member"},
		{"neither", []core.PeerID{alice}, nil, "membership by us"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPair(t)
			p.a.cfg.Admission = Members
			p.a.SetMembers(tc.members)
			p.a.check = func(Check) Verdict { return Verdict{Proven: tc.proven} }
			p.link()
			if got := p.a.outcome(); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestAFullNodeGivesItsListToTheNewcomer(t *testing.T) {
	p := newPair(t)
	p.a.guest = true
	p.link()
	lists := of[Greeted](p.b)
	if len(lists) != 1 || string(lists[0].List) != "list of "+string(alice) || len(of[Complete](p.b)) != 0 {
		t.Errorf("the newcomer got %v and completed %d times", lists, len(of[Complete](p.b)))
	}
}

func TestAPeerThatSpeaksNoWeftStaysInAnOpenNetwork(t *testing.T) {
	p := newPair(t)
	p.b.mute = true
	p.link()
	if p.a.Deadline() != start.Add(5*time.Second) {
		t.Errorf("deadline %v after the link", p.a.Deadline().Sub(start))
	}
	p.advance(5 * time.Second)
	if p.a.outcome() != "plain" || p.a.May(p.now, bob, &p.a.actions) {
		t.Errorf("alice: %s", p.a.outcome())
	}
}

func TestAPeerThatComesLateIsToldSo(t *testing.T) {
	p := newPair(t)
	p.b.mute = true
	p.b.cfg.Within = time.Hour
	p.link()
	p.advance(5 * time.Second)
	p.b.mute = false
	p.b.send(TypeHandshake, hello())
	p.settle()
	if p.a.outcome() != "timeout by us" || p.b.outcome() != "timeout by them" {
		t.Errorf("alice: %s, bob: %s", p.a.outcome(), p.b.outcome())
	}
}

// Nothing that a peer sends keeps an unfinished handshake alive.
func TestNothingExtendsTheDeadline(t *testing.T) {
	for name, chatter := range map[string]func(*pair){
		"garbage":                func(p *pair) { p.b.send(TypeHandshake, []byte{0xff}) },
		"unknown types":          func(p *pair) { p.b.send(99, nil) },
		"messages of others":     func(p *pair) { p.a.May(p.now, bob, &p.a.actions) },
		"accepting all the time": func(p *pair) { p.b.send(TypeAccept, nil) },
		"a handshake and then no answer": func(p *pair) {
			if p.now == start.Add(500*time.Millisecond) {
				p.b.send(TypeHandshake, hello())
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.b.Machine = New(config(bob)) // a stranger: nothing answers here
			p.up = true
			p.do(p.a, func(out *[]core.Action) { p.a.LinkUp(p.now, bob, false, out) })
			p.queue = nil
			for range 9 {
				p.advance(500 * time.Millisecond)
				chatter(p)
				p.settle()
			}
			if p.a.outcome() != "undecided" {
				t.Fatalf("before the deadline: %s", p.a.outcome())
			}
			p.advance(500 * time.Millisecond)
			if p.a.outcome() != "timeout by us" {
				t.Errorf("at the deadline: %s", p.a.outcome())
			}
			p.advance(time.Second)
			if p.up || len(of[Disconnect](p.a)) != 1 {
				t.Errorf("a second later the link is up: %v", p.up)
			}
		})
	}
}

func TestAMalformedHandshakeIsSkippedAndTheNextOneCounts(t *testing.T) {
	p := newPair(t)
	p.up = true
	p.do(p.a, func(out *[]core.Action) { p.a.LinkUp(p.now, bob, false, out) })
	p.b.send(TypeHandshake, []byte{0xff})
	p.do(p.b, func(out *[]core.Action) { p.b.LinkUp(p.now, alice, false, out) })
	p.settle()
	if p.a.outcome() != "member" || !faultOf(p.a, OffenceMalformed) || p.a.Stats().Malformed != 1 {
		t.Errorf("alice: %s, %d malformed", p.a.outcome(), p.a.Stats().Malformed)
	}
}

func TestOtherMessagesMayComeOnceTheirHandshakeIsAccepted(t *testing.T) {
	p := newPair(t)
	may := func() bool { return p.a.May(p.now, bob, &p.a.actions) }
	if may() {
		t.Error("before the link")
	}
	p.b.mute = true
	p.link()
	if may() {
		t.Error("before their handshake")
	}
	p.b.mute = false
	p.b.send(TypeHandshake, hello())
	p.settle()
	if !may() || p.a.IsMember(bob) {
		t.Error("after their handshake, before their acceptance")
	}
}

func TestOnlyEd25519PeersCanBeMembers(t *testing.T) {
	_, pub, err := crypto.GenerateECDSAKeyPair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecdsa, err := peer.IDFromPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	for admission, want := range map[Admission]string{Open: "plain", Members: "key-type by us"} {
		p := newPair(t)
		p.b.self = ecdsa
		p.a.cfg.Admission = admission
		p.do(p.a, func(out *[]core.Action) { p.a.LinkUp(p.now, ecdsa, false, out) })
		if p.a.outcome() != want || len(of[Greet](p.a)) != 0 {
			t.Errorf("admission %d: %s", admission, p.a.outcome())
		}
		if admission == Members {
			continue
		}
		p.up = true
		p.b.send(TypeHandshake, hello())
		p.settle()
		if p.a.outcome() != "key-type by us" {
			t.Errorf("a handshake with an ECDSA key: %s", p.a.outcome())
		}
	}
}

func TestAVerdictOnALinkThatIsGoneIsIgnored(t *testing.T) {
	m := New(config(alice))
	var out []core.Action
	h := hello()
	m.LinkUp(start, bob, false, &out)
	m.Receive(start, bob, TypeHandshake, h, &out)
	old := out[1].(Check)
	m.LinkDown(bob)
	out = nil
	m.Checked(start, bob, old.Ticket, Verdict{}, &out)
	m.LinkUp(start, bob, false, &out)
	m.Receive(start, bob, TypeHandshake, h, &out)
	m.Checked(start, bob, old.Ticket, Verdict{}, &out)
	for _, a := range out {
		if _, ok := a.(Reply); ok {
			t.Error("the verdict on the old link accepted the new one")
		}
	}
}

// Any inputs in any order: one outcome per link, in time, and a member only when
// both sides accepted.
func TestEveryLinkEndsOnceAndInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := config(alice)
		cfg.Admission = Admission(rapid.IntRange(0, 1).Draw(t, "admission"))
		m, now := New(cfg), start
		m.SetMembers([]core.PeerID{bob})
		var all []core.Action
		m.LinkUp(now, bob, rapid.Bool().Draw(t, "guest"), &all)
		accepted := false
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			var out []core.Action
			switch rapid.IntRange(0, 7).Draw(t, "what") {
			case 0:
				m.Receive(now, bob, TypeHandshake, hello(), &out)
			case 1:
				m.Receive(now, bob, TypeAccept, []byte("list"), &out)
				accepted = true
			case 2:
				m.Receive(now, bob, TypeReject, Reject{Reason: Reason(rapid.Byte().Draw(t, "reason"))}.Append(nil), &out)
			case 3:
				m.Receive(now, bob, frame.Type(rapid.Byte().Draw(t, "type")), rapid.SliceOf(rapid.Byte()).Draw(t, "payload"), &out)
				accepted = true // it may have been an Accept
			case 4:
				m.Checked(now, bob, m.tickets, Verdict{Reason: Reason(rapid.SampledFrom([]int{0, 0, 0, 6}).Draw(t, "verdict"))}, &out)
			case 5:
				m.Replied(now, bob, nil, &out)
			case 6:
				m.May(now, bob, &out)
			case 7:
				now = now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond)
				m.Tick(now, &out)
			}
			all = append(all, out...)
		}
		now = now.Add(cfg.Within)
		m.Tick(now, &all)
		now = now.Add(cfg.Linger)
		m.Tick(now, &all)
		checkOutcome(t, m, all, accepted)
	})
}

func checkOutcome(t *rapid.T, m *Machine, all []core.Action, accepted bool) {
	var completed, failed, cut, stays int
	for _, a := range all {
		switch a.(type) {
		case Complete:
			completed++
		case Failed:
			failed++
		case Disconnect:
			cut++
		case Plain:
			stays++
		}
	}
	switch {
	case completed > 1 || failed > 1 || cut > 1 || stays > 1:
		t.Fatalf("%d completed, %d failed, %d cut, %d plain", completed, failed, cut, stays)
	case completed+failed+stays == 0:
		t.Fatal("the link has no outcome")
	case failed != cut:
		t.Fatalf("failed %d times, cut %d times", failed, cut)
	case completed > 0 && !accepted:
		t.Fatal("a member that never accepted us")
	case !m.Deadline().IsZero():
		t.Fatal("something is still awaited")
	}
}

func TestDocListsEveryReason(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "# Reasons")
	table, _, _ = strings.Cut(table, "# Bytes")
	lines := map[string]string{}
	for line := range strings.Lines(table) {
		if f := strings.Fields(line); len(f) >= 3 {
			lines[f[1]+" "+f[2]] = line
		}
	}
	for r := Unspecified; r < numReasons; r++ {
		line, ok := lines[strconv.Itoa(int(r))+" "+r.String()]
		if !ok || strings.Contains(line, "offence") != r.Offence() || strings.Contains(line, "lasting") != r.Lasting() {
			t.Errorf("doc.go does not say of reason %d that it is %q, an offence: %v, lasting: %v", r, r, r.Offence(), r.Lasting())
		}
		if r.Text() == "" {
			t.Errorf("reason %v has no text", r)
		}
	}
	if Reason(200).String() != "reason-200" || Reason(200).Text() == "" || Reason(200).Offence() {
		t.Error("an unknown reason is not shown as it is")
	}
}

func TestConfigErrorsNameTheField(t *testing.T) {
	for field, spoil := range map[string]func(*Config){
		"Self":    func(c *Config) { c.Self = "" },
		"Network": func(c *Config) { c.Network = strings.Repeat("x", 65) },
		"Genesis": func(c *Config) { c.Genesis = make([]byte, 65) },
		"Oldest":  func(c *Config) { c.Oldest = Version{9, 0, 0} },
		"Within":  func(c *Config) { c.Within = 0 },
	} {
		c := config(alice)
		spoil(&c)
		if err := c.Validate(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), field) || !strings.Contains(err.Error(), "set ") {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := config(alice).Validate(); err != nil {
		t.Error(err)
	}
}

func BenchmarkHandshake(b *testing.B) {
	h := Handshake{Network: "test", Version: Version{1, 0, 0}, Time: start, Claim: make([]byte, 300), Query: make([]byte, 300)}.Append(nil)
	m := New(config(alice))
	out := make([]core.Action, 0, 16)
	b.ReportAllocs()
	for b.Loop() {
		out = out[:0]
		m.LinkUp(start, bob, false, &out)
		m.Receive(start, bob, TypeHandshake, h, &out)
		m.Checked(start, bob, m.tickets, Verdict{}, &out)
		m.Replied(start, bob, nil, &out)
		m.Receive(start, bob, TypeAccept, nil, &out)
		m.LinkDown(bob)
	}
	if m.stats.Completed == 0 {
		b.Fatal("no handshake completed")
	}
}

func BenchmarkProofVerify(b *testing.B) {
	_, key, _ := ed25519.GenerateKey(nil)
	h := Handshake{Network: "test", Time: start}
	proof := Prove(key, h, alice, bob)
	b.ReportAllocs()
	for b.Loop() {
		if err := proof.Verify(h, alice, bob); err != nil {
			b.Fatal(err)
		}
	}
}
