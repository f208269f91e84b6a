package peerlist

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// rig is an exchange on a clock that the test moves.
type rig struct {
	*Exchange
	t   *testing.T
	now time.Time
}

func newRig(t *testing.T) *rig {
	cfg := DefaultConfig(self)
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	x := NewExchange(NewBook(cfg, seeded(1)), parseClaim, seeded(2))
	r := &rig{x, t, start}
	r.tick()
	return r
}

func (r *rig) tick() (out []Action) { r.Tick(r.now, &out); return out }

// advance moves the clock to the next deadline and ticks.
func (r *rig) advance() []Action {
	r.t.Helper()
	d := r.Deadline()
	if d.Before(r.now) {
		r.t.Fatalf("deadline %v lies %v in the past", d, r.now.Sub(d))
	}
	r.now = d
	return r.tick()
}

// asked advances until a question leaves, and returns it with its recipient.
func (r *rig) asked() (core.PeerID, GetPeerList) {
	r.t.Helper()
	for range 100 {
		if p, q, ok := question(r.advance()); ok {
			return p, q
		}
	}
	r.t.Fatal("no question leaves")
	return "", GetPeerList{}
}

func question(out []Action) (core.PeerID, GetPeerList, bool) {
	for _, a := range out {
		if s, ok := a.(Send); ok && s.Type == TypeGetPeerList {
			q, err := ParseGetPeerList(s.Payload)
			return s.Peer, q, err == nil
		}
	}
	return "", GetPeerList{}, false
}

// answered hands in an answer and verifies the claims that it asks to verify.
func (r *rig) answered(from core.PeerID, id uint64, claims ...Entry) (out []Action) {
	list := PeerList{ID: id}
	for _, c := range claims {
		list.Envelopes = append(list.Envelopes, c.Envelope)
	}
	r.OnPeerList(r.now, from, list.Append(nil), &out)
	for _, a := range out {
		if v, ok := a.(Verify); ok {
			r.Verified(r.now, v, v.Claims, &out)
		}
	}
	return out
}

func faults(out []Action) (fs []Fault) {
	for _, a := range out {
		if p, ok := a.(Penalize); ok {
			fs = append(fs, p.Fault)
		}
	}
	return fs
}

func claims(from, n int) (es []Entry) {
	for i := range n {
		es = append(es, claimOf(peerN(from+i), 1))
	}
	return es
}

func TestQuestionsSlowDownWhileAnswersAreEmptyAndSpeedUpWithNews(t *testing.T) {
	r := newRig(t)
	r.Ready(r.now, claimOf("bob", 1))
	last := r.now
	for _, want := range []time.Duration{2, 4, 8, 16, 32, 60, 60} {
		p, q := r.asked()
		if d := r.now.Sub(last); d != want*time.Second || p != "bob" {
			t.Errorf("asked %s after %v, want bob after %vs", p, d, want)
		}
		last = r.now
		r.answered(p, q.ID)
	}
	p, q := r.asked()
	last = r.now
	r.answered(p, q.ID, claims(0, 3)...)
	if r.asked(); r.now.Sub(last) != 2*time.Second {
		t.Errorf("after news the next question came in %v", r.now.Sub(last))
	}
}

func TestAFullAnswerIsFollowedByAQuestionAtOnce(t *testing.T) {
	r := newRig(t)
	r.Ready(r.now, claimOf("bob", 1))
	p, q := r.asked()
	out := r.answered(p, q.ID, claims(0, MaxAnswer)...)
	_, again, ok := question(out)
	if !ok || again.ID == q.ID {
		t.Fatalf("no new question follows: %v", out)
	}
	if _, _, ok := question(r.answered(p, again.ID, claims(0, MaxAnswer)...)); ok {
		t.Error("a full answer of known claims is followed at once")
	}
}

func TestAFullGreetingIsFollowedAtOnceAlsoWhenItCameBeforeReady(t *testing.T) {
	r := newRig(t)
	var out []Action
	list := PeerList{}
	for _, c := range claims(0, MaxAnswer) {
		list.Envelopes = append(list.Envelopes, c.Envelope)
	}
	r.OnGreeting(r.now, "bob", list.Append(nil), &out)
	v := out[0].(Verify)
	r.Verified(r.now, v, v.Claims, &out)
	r.Ready(r.now, claimOf("bob", 1))
	if _, _, ok := question(r.advance()); !ok || r.now != start {
		t.Errorf("the question came %v late, or not", r.now.Sub(start))
	}
}

func TestValidatorsAreAskedAndAnyoneWhereNoneIsConnected(t *testing.T) {
	r := newRig(t)
	asked := map[core.PeerID]int{}
	ask := func() {
		p, q := r.asked()
		asked[p]++
		r.answered(p, q.ID)
	}
	for i := range 10 {
		r.Ready(r.now, claimOf(peerN(i), 1))
	}
	for range 200 {
		ask()
	}
	if len(asked) != 10 {
		t.Errorf("without validators %d of 10 members were asked", len(asked))
	}
	r.book.SetValidators([]core.PeerID{peerN(2), peerN(5), "absent"})
	clear(asked)
	for range 50 {
		ask()
	}
	if asked[peerN(2)]+asked[peerN(5)] != 50 || asked[peerN(2)] == 0 || asked[peerN(5)] == 0 {
		t.Errorf("asked %v, want only the two connected validators, both", asked)
	}
}

func TestWhatIsAcceptedAndWhatIsAnOffence(t *testing.T) {
	tooMany := PeerList{ID: 1, Envelopes: make([][]byte, 16)}
	for i := range tooMany.Envelopes {
		tooMany.Envelopes[i] = claimOf(peerN(i), 1).Envelope
	}
	good := claimOf("new", 1).Envelope
	for _, tc := range []struct {
		name    string
		from    core.PeerID
		payload []byte
		faults  []Fault
		verify  int // claims to verify
	}{
		{"the answer", "bob", PeerList{ID: 1, Envelopes: [][]byte{good}}.Append(nil), nil, 1},
		{"an empty answer", "bob", PeerList{ID: 1}.Append(nil), nil, 0},
		{"an answer to another question", "bob", PeerList{ID: 2, Envelopes: [][]byte{good}}.Append(nil), []Fault{FaultUnsolicited}, 0},
		{"an answer of somebody who was not asked", "carol", PeerList{ID: 1, Envelopes: [][]byte{good}}.Append(nil), []Fault{FaultUnsolicited}, 0},
		{"an answer of somebody who is no member", "mallory", PeerList{ID: 1, Envelopes: [][]byte{good}}.Append(nil), nil, 0},
		{"16 claims", "bob", tooMany.Append(nil), []Fault{FaultOversized}, 0},
		{"a claim of 2,049 bytes", "bob", PeerList{ID: 1, Envelopes: [][]byte{make([]byte, 2049)}}.Append(nil), []Fault{FaultOversized}, 0},
		{"noise", "bob", []byte{0xff}, []Fault{FaultBadAnswer}, 0},
		{"two bad claims beside a good one", "bob", PeerList{ID: 1, Envelopes: [][]byte{{1}, good, {2}}}.Append(nil), []Fault{FaultBadAnswer}, 1},
		{"the same claim twice", "bob", PeerList{ID: 1, Envelopes: [][]byte{good, good}}.Append(nil), nil, 1},
		{"a known claim", "bob", PeerList{ID: 1, Envelopes: [][]byte{claimOf("carol", 1).Envelope}}.Append(nil), nil, 0},
		{"our own claim", "bob", PeerList{ID: 1, Envelopes: [][]byte{claimOf(self, 9).Envelope}}.Append(nil), nil, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			r.Ready(r.now, claimOf("bob", 1))
			r.book.SetValidators([]core.PeerID{"bob"})
			r.asked()
			r.Ready(r.now, claimOf("carol", 1))
			var out []Action
			r.OnPeerList(r.now, tc.from, tc.payload, &out)
			verify := 0
			for _, a := range out {
				if v, ok := a.(Verify); ok {
					verify = len(v.Claims)
				}
			}
			if got := faults(out); !reflect.DeepEqual(got, tc.faults) || verify != tc.verify {
				t.Errorf("faults %v, %d claims to verify; want %v, %d", got, verify, tc.faults, tc.verify)
			}
		})
	}
}

func TestASecondAnswerIsUnsolicited(t *testing.T) {
	r := newRig(t)
	r.Ready(r.now, claimOf("bob", 1))
	p, q := r.asked()
	r.answered(p, q.ID)
	if got := faults(r.answered(p, q.ID)); len(got) != 1 || got[0] != FaultUnsolicited {
		t.Errorf("faults %v", got)
	}
}

func TestALateAnswerIsNoOffence(t *testing.T) {
	r := newRig(t)
	r.Ready(r.now, claimOf("bob", 1))
	r.Ready(r.now, claimOf("carol", 1))
	p, q := r.asked()
	sent := r.now
	r.advance()
	if d := r.now.Sub(sent); d != r.cfg.AnswerWithin || r.Stats().TimedOut != 1 {
		t.Fatalf("gave up after %v, %d timeouts", d, r.Stats().TimedOut)
	}
	if out := r.answered(p, q.ID, claims(5, 1)...); len(faults(out)) != 0 || r.Stats().Learned != 1 {
		t.Errorf("a late answer was punished or lost: %v", out)
	}
}

func TestABadClaimIsItsTellersFault(t *testing.T) {
	r := newRig(t)
	r.Ready(r.now, claimOf("bob", 1))
	p, q := r.asked()
	list := PeerList{ID: q.ID, Envelopes: [][]byte{claimOf("x", 1).Envelope, claimOf("y", 1).Envelope}}
	var out []Action
	r.OnPeerList(r.now, p, list.Append(nil), &out)
	v := out[0].(Verify)
	out = nil
	r.Verified(r.now, v, v.Claims[:1], &out)
	want := []Action{Penalize{"bob", FaultBadClaim, "it told a claim whose check fails"}, Learned{v.Claims[0], "bob"}}
	if !reflect.DeepEqual(out, want) {
		t.Errorf("got %v, want %v", out, want)
	}
}

func TestQuestionsAreAnsweredAndBadOnesPunished(t *testing.T) {
	r := newRig(t)
	for i := range 4 {
		r.Ready(r.now, claimOf(peerN(i), 1))
	}
	var out []Action
	r.OnGetPeerList(r.now, peerN(0), GetPeerList{ID: 77, Query: openBook().Query()}.Append(nil), &out)
	s, ok := out[0].(Send)
	list, err := ParsePeerList(s.Payload)
	if !ok || s.Peer != peerN(0) || s.Type != TypePeerList || err != nil || list.ID != 77 || len(list.Envelopes) != 3 {
		t.Errorf("answered %v: %v, %v", s, list, err)
	}
	out = nil
	r.OnGetPeerList(r.now, peerN(0), []byte{1}, &out)
	if got := faults(out); len(got) != 1 || got[0] != FaultBadQuery {
		t.Errorf("faults %v", got)
	}
	out = nil
	r.OnGetPeerList(r.now, "mallory", GetPeerList{Query: openBook().Query()}.Append(nil), &out)
	if len(out) != 0 {
		t.Errorf("somebody who is no member was answered: %v", out)
	}
}

func TestAnAskerCannotBuyMoreThanItsBudgetOfWork(t *testing.T) {
	r := newRig(t)
	for i := range 1000 {
		r.Ready(r.now, claimOf(peerN(i), 1))
	}
	payload := GetPeerList{ID: 1, Query: r.book.Query()}.Append(nil)
	flood := func() (answered int) {
		for range 100_000 {
			var out []Action
			r.OnGetPeerList(r.now, peerN(0), payload, &out)
			if fs := faults(out); len(fs) > 0 {
				return answered
			}
			answered++
		}
		return answered
	}
	if got, want := flood(), r.cfg.LookupBurst/(1000+minLookups); got < want || got > want+1 {
		t.Errorf("answered a burst of %d, want %d", got, want)
	}
	r.now = r.now.Add(time.Second)
	if got, want := flood(), r.cfg.LookupsPerSecond/(1000+minLookups); got < want-1 || got > want+1 {
		t.Errorf("answered %d a second, want %d", got, want)
	}
	r.now = r.now.Add(1000 * time.Hour)
	if got, want := flood(), r.cfg.LookupBurst/(1000+minLookups); got < want || got > want+1 {
		t.Errorf("after a long rest answered %d, want %d", got, want)
	}
	var out []Action
	r.OnGetPeerList(r.now, peerN(1), payload, &out)
	if len(faults(out)) > 0 {
		t.Error("another asker pays for it")
	}
}

func TestTheFilterIsRebuiltEveryMinute(t *testing.T) {
	r := newRig(t)
	salt := r.book.Query().salt
	r.advance()
	if d := r.now.Sub(start); d != time.Minute || r.book.Query().salt == salt {
		t.Errorf("after %v: new salt %v", d, r.book.Query().salt != salt)
	}
}

func TestWhoIsGoneIsNotAskedAndNotWaitedFor(t *testing.T) {
	r := newRig(t)
	r.Ready(r.now, claimOf("bob", 1))
	r.asked()
	r.Ready(r.now, claimOf("carol", 1))
	r.Gone(r.now, "bob")
	gone := r.now
	if p, _ := r.asked(); p != "carol" || r.now != gone {
		t.Errorf("asked %s after %v", p, r.now.Sub(gone))
	}
	r.Gone(r.now, "carol")
	for range 3 {
		if _, _, ok := question(r.advance()); ok {
			t.Error("nobody is there to be asked")
		}
	}
}

// Fifty nodes that all joined through one bootstrapper, on a fast network: who
// knows only the bootstrapper learns everybody in four questions.
func TestJoiningTakesNoTicks(t *testing.T) {
	server := newRig(t)
	for i := range 50 {
		server.Ready(server.now, claimOf(peerN(i), 1))
	}
	server.Ready(server.now, claimOf("joiner", 1))
	joiner := newRig(t)
	joiner.book.cfg.Self = "joiner"
	joiner.Ready(joiner.now, claimOf("server", 1))
	p, q := joiner.asked()
	joined := joiner.now
	for rounds := 1; ; rounds++ {
		var answer []Action
		server.OnGetPeerList(server.now, "joiner", q.Append(nil), &answer)
		list, _ := ParsePeerList(answer[0].(Send).Payload)
		var got []Entry
		for _, e := range list.Envelopes {
			c, _ := parseClaim(e)
			got = append(got, c)
		}
		var ok bool
		if _, q, ok = question(joiner.answered(p, q.ID, got...)); !ok {
			break
		}
		if rounds > 5 {
			t.Fatal("it goes on asking")
		}
	}
	if s := joiner.Stats(); s.Learned != 50 || joiner.now != joined {
		t.Errorf("learned %d of 50 in %v", s.Learned, joiner.now.Sub(joined))
	}
}

func TestConfigErrorsNameTheField(t *testing.T) {
	for field, spoil := range map[string]func(*Config){
		"Self":         func(c *Config) { c.Self = "" },
		"MaxEntries":   func(c *Config) { c.MaxEntries = 36_001 },
		"MaxAskEvery":  func(c *Config) { c.MaxAskEvery = time.Second },
		"RebuildEvery": func(c *Config) { c.RebuildEvery = 0 },
		"LookupBurst":  func(c *Config) { c.LookupBurst = 100 },
	} {
		c := DefaultConfig(self)
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), field) || !strings.Contains(err.Error(), "set ") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestFaultsHaveNames(t *testing.T) {
	for f := FaultBadQuery; f <= FaultBadClaim; f++ {
		if f.String() == "" || f.String() == fmt.Sprint(uint8(f)) {
			t.Errorf("fault %d has no name", f)
		}
	}
}
