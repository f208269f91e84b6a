package peerlist

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/bloom"
	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
)

// rig is an exchange on a clock that the test moves.
type rig struct {
	*Exchange
	t   *testing.T
	now time.Time
}

func newRig(t *testing.T) *rig {
	x := NewExchange(newTracker(DefaultConfig(), bookConfig(), 1), seeded(2))
	r := &rig{x, t, start}
	r.tick()
	return r
}

func (r *rig) tick() (out []core.Action) { r.Tick(r.now, &out); return out }

// advance moves the clock to the next deadline and ticks.
func (r *rig) advance() []core.Action {
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

func question(out []core.Action) (core.PeerID, GetPeerList, bool) {
	for _, a := range out {
		if s, ok := a.(core.Send); ok && s.Type == TypeGetPeerList {
			q, err := ParseGetPeerList(s.Payload)
			return s.Peer, q, err == nil
		}
	}
	return "", GetPeerList{}, false
}

// answered hands in an answer and verifies the claims that it asks to verify.
func (r *rig) answered(from core.PeerID, id uint64, claims ...claim.Signed) (out []core.Action) {
	list := PeerList{ID: id}
	for _, c := range claims {
		list.Envelopes = append(list.Envelopes, c.Bytes())
	}
	r.OnPeerList(r.now, from, list.Append(nil), &out)
	return r.verified(out)
}

// verified does what the workers do: it answers every Verify.
func (r *rig) verified(out []core.Action) []core.Action {
	for _, a := range out {
		v, ok := a.(Verify)
		if !ok {
			continue
		}
		var good []claim.Signed
		var bad []error
		for _, raw := range v.Envelopes {
			if s, err := claim.Verify(raw); err != nil {
				bad = append(bad, err)
			} else {
				good = append(good, s)
			}
		}
		r.Verified(r.now, v, good, bad, &out)
	}
	return out
}

func faults(out []core.Action) (fs []core.Offence) {
	for _, a := range out {
		if p, ok := a.(core.Penalize); ok {
			fs = append(fs, p.Offence)
		}
	}
	return fs
}

func claims(from, n int) (es []claim.Signed) {
	for i := range n {
		es = append(es, claimOf(peerN(from+i), 1))
	}
	return es
}

// paces answers questions and says how long after the last one each came. answer
// is given the number of the question.
func (r *rig) paces(n int, answer func(i int) []claim.Signed) (pauses []time.Duration) {
	r.t.Helper()
	last := r.now
	for i := range n {
		p, q := r.asked()
		pauses = append(pauses, r.now.Sub(last))
		last = r.now
		r.answered(p, q.ID, answer(i)...)
	}
	return pauses
}

func silence(int) []claim.Signed { return nil }

func ms(n ...time.Duration) []time.Duration {
	for i := range n {
		n[i] *= time.Millisecond
	}
	return n
}

func TestQuestionsSlowDownWhileAnswersAreEmptyAndSpeedUpWithNews(t *testing.T) {
	r := newRig(t)
	r.Ready(r.now, claimOf(who("bob"), 1))
	want := ms(100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000)
	if got := r.paces(len(want), silence); !slices.Equal(got, want) {
		t.Errorf("pauses %v, want %v", got, want)
	}
	news := func(i int) []claim.Signed { return claims(3*i, 3) }
	want = ms(60000, 2000, 2000)
	if got := r.paces(len(want), news); !slices.Equal(got, want) {
		t.Errorf("with news pauses %v, want %v", got, want)
	}
}

func TestNewsDoNotEndTheRamp(t *testing.T) {
	r := newRig(t)
	r.Ready(r.now, claimOf(who("bob"), 1))
	want := ms(100, 200, 400, 800, 1600, 2000, 2000)
	if got := r.paces(len(want), func(i int) []claim.Signed { return claims(3*i, 3) }); !slices.Equal(got, want) {
		t.Errorf("pauses %v, want %v", got, want)
	}
}

func TestANewcomerBeginsARampAndAStreamOfThemOneAfterAnother(t *testing.T) {
	r := newRig(t)
	r.Ready(r.now, claimOf(who("bob"), 1))
	r.paces(10, silence)
	r.Ready(r.now, claimOf(peerN(0), 1))
	if got, want := r.paces(3, silence), ms(100, 200, 400); !slices.Equal(got, want) {
		t.Errorf("after a newcomer pauses %v, want %v", got, want)
	}
	r.Ready(r.now, claimOf(peerN(0), 1)) // known: nothing new
	if got, want := r.paces(1, silence), ms(800); !slices.Equal(got, want) {
		t.Errorf("after somebody known a pause of %v, want %v", got, want)
	}
	begun, questions := r.now, 0
	for i := 1; r.now.Sub(begun) < time.Minute; i++ {
		r.Ready(r.now, claimOf(peerN(i), 1))
		r.paces(1, silence)
		questions++
	}
	if questions > 120 { // five in 3.1 s
		t.Errorf("%d questions in a minute of newcomers, want at most 120", questions)
	}
}

func TestALargeFilterIsSentLessOften(t *testing.T) {
	for _, tt := range []struct {
		known int
		want  []time.Duration
	}{
		{500, ms(200, 400, 800)},
		{2000, ms(800, 1600, 3200)},
		{6000, ms(2000, 4000, 8000)},
	} {
		r := newRig(t)
		for _, c := range claims(0, tt.known) {
			_ = r.tracker.Add(r.now, who("bob"), c)
		}
		r.tracker.rebuild()
		r.Ready(r.now, claimOf(who("bob"), 1))
		if got := r.paces(3, silence); !slices.Equal(got, tt.want) {
			t.Errorf("with %d claims (%d B) pauses %v, want %v", tt.known, r.tracker.Query().Filter.Size()+bloom.SaltSize, got, tt.want)
		}
	}
}

func TestAFullAnswerIsFollowedByAQuestionAtOnce(t *testing.T) {
	r := newRig(t)
	r.Ready(r.now, claimOf(who("bob"), 1))
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
	var out []core.Action
	list := PeerList{}
	for _, c := range claims(0, MaxAnswer) {
		list.Envelopes = append(list.Envelopes, c.Bytes())
	}
	r.OnGreeting(r.now, who("bob"), list.Append(nil), &out)
	r.verified(out)
	r.Ready(r.now, claimOf(who("bob"), 1))
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
	r.tracker.SetValidators(r.now, []core.PeerID{peerN(2), peerN(5), who("absent")})
	clear(asked)
	for range 50 {
		ask()
	}
	if asked[peerN(2)]+asked[peerN(5)] != 50 || asked[peerN(2)] == 0 || asked[peerN(5)] == 0 {
		t.Errorf("asked %v, want only the two connected validators, both", asked)
	}
}

func TestWhatIsAcceptedAndWhatIsAnOffence(t *testing.T) {
	list := func(id uint64, envelopes ...[]byte) []byte { return PeerList{ID: id, Envelopes: envelopes}.Append(nil) }
	good := claimOf(who("new"), 1).Bytes()
	forged := bytes.Clone(claimOf(who("forged"), 1).Bytes())
	forged[len(forged)-1] ^= 1
	forged2 := bytes.Clone(claimOf(who("forged too"), 1).Bytes())
	forged2[len(forged2)-1] ^= 1
	bob, carol := who("bob"), who("carol")
	for _, tc := range []struct {
		name    string
		from    core.PeerID
		payload []byte
		faults  []core.Offence
		verify  int // claims to verify
		learned int
	}{
		{"the answer", bob, list(1, good), nil, 1, 1},
		{"an empty answer", bob, list(1), nil, 0, 0},
		{"an answer to another question", bob, list(2, good), []core.Offence{OffenceUnsolicited}, 0, 0},
		{"an answer of somebody who was not asked", carol, list(1, good), []core.Offence{OffenceUnsolicited}, 0, 0},
		{"an answer of somebody who is no member", who("mallory"), list(1, good), nil, 0, 0},
		{"16 claims", bob, list(1, slices.Repeat([][]byte{good}, 16)...), []core.Offence{OffenceOversized}, 0, 0},
		{"a claim of 1,025 bytes", bob, list(1, make([]byte, 1025)), []core.Offence{OffenceOversized}, 0, 0},
		{"noise", bob, []byte{0xff}, []core.Offence{OffenceBadAnswer}, 0, 0},
		{"two claims that do not parse, beside a good one", bob, list(1, []byte{1}, good, []byte{2}), []core.Offence{OffenceBadClaim}, 1, 1},
		{"two forged claims beside a good one", bob, list(1, forged, good, forged2), []core.Offence{OffenceBadClaim}, 3, 1},
		{"the same claim twice", bob, list(1, good, good), nil, 2, 1},
		{"a known claim", bob, list(1, claimOf(carol, 1).Bytes()), nil, 0, 0},
		{"a known claim before one that does not parse", bob, list(1, claimOf(carol, 1).Bytes(), []byte{1}), []core.Offence{OffenceBadClaim}, 0, 0},
		{"our own claim", bob, list(1, claimOf(self, 9).Bytes()), nil, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			r.Ready(r.now, claimOf(bob, 1))
			r.tracker.SetValidators(r.now, []core.PeerID{bob})
			r.asked()
			r.Ready(r.now, claimOf(carol, 1))
			var out []core.Action
			r.OnPeerList(r.now, tc.from, tc.payload, &out)
			verify, learned := 0, 0
			out = r.verified(out)
			for _, a := range out {
				switch a := a.(type) {
				case Verify:
					verify = len(a.Envelopes)
				case Learned:
					learned++
				}
			}
			if got := faults(out); !slices.Equal(got, tc.faults) || verify != tc.verify || learned != tc.learned {
				t.Errorf("faults %v, %d claims to verify, %d learned; want %v, %d, %d", got, verify, learned, tc.faults, tc.verify, tc.learned)
			}
		})
	}
}

func TestQuestionsAreAnsweredAfterTheClockWasSetBack(t *testing.T) {
	r := newRig(t)
	bob := who("bob")
	r.Ready(r.now, claimOf(bob, 1))
	r.now = r.now.Add(-time.Hour)
	question := GetPeerList{ID: 1, Query: r.tracker.Query()}.Append(nil)
	var out []core.Action
	for range 3000 { // twice what may be saved up
		r.now = r.now.Add(time.Second / 10)
		r.OnGetPeerList(r.now, bob, question, &out)
	}
	if fs := faults(out); len(fs) > 0 {
		t.Errorf("an honest peer's questions: %d faults", len(fs))
	}
}

// A node that was stopped gives up questions whose answers wait in its queue.
func TestAnAnswerThatComesAfterTheNextQuestionIsNoOffence(t *testing.T) {
	r := newRig(t)
	bob := who("bob")
	r.Ready(r.now, claimOf(bob, 1))
	_, first := r.asked()
	_, second := r.asked()
	if out := r.answered(bob, first.ID, claimOf(who("new"), 1)); len(out) != 0 || r.Stats().Late != 1 {
		t.Errorf("the late answer: %v", out)
	}
	if out := r.answered(bob, second.ID, claimOf(who("new"), 1)); len(faults(out)) != 0 || r.Stats().Learned != 1 {
		t.Errorf("the answer in time: %v", out)
	}
	if fs := faults(r.answered(bob, first.ID)); !slices.Equal(fs, []core.Offence{OffenceUnsolicited}) {
		t.Errorf("an answer too many: %v", fs)
	}
}

func TestTwoClaimsOfOneTimeAreTheirSignersFault(t *testing.T) {
	liar := who("liar")
	one := claimOf(liar, 1)
	two, err := claim.Seal(claim.Claim{Network: "test", Peer: liar, Time: one.Time, Expiry: one.Expiry.Add(-time.Minute)}, keys[liar])
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	r.Ready(r.now, claimOf(who("bob"), 1))
	for _, s := range []claim.Signed{one, two} {
		p, q := r.asked()
		for _, a := range r.answered(p, q.ID, s) {
			if f, ok := a.(core.Penalize); ok && (f.Peer != liar || f.Offence != OffenceEquivocation) {
				t.Errorf("blamed: %v", f)
			}
		}
	}
	if r.Stats().Faults != 1 {
		t.Errorf("%d faults, want 1", r.Stats().Faults)
	}
}

func TestAClaimPushedByItsOwnerReplacesTheHandshakes(t *testing.T) {
	r := newRig(t)
	bob := who("bob")
	var out []core.Action
	if err := r.Renewed(r.now, claimOf(bob, 2), &out); !errors.Is(err, claim.Unwanted) {
		t.Errorf("pushed before its handshake: %v", err)
	}
	r.Ready(r.now, claimOf(bob, 1))
	if err := r.Renewed(r.now, claimOf(bob, 2), &out); err != nil {
		t.Error(err)
	}
	if list := greeting(t, r); len(list.Envelopes) != 1 || !bytes.Equal(list.Envelopes[0], claimOf(bob, 2).Bytes()) {
		t.Errorf("told %d claims, want the newer one", len(list.Envelopes))
	}
	if err := r.Renewed(r.now, claimOf(bob, 1), &out); !errors.Is(err, claim.Stale) || len(out) != 0 {
		t.Errorf("an older claim: %v, %v", err, out)
	}
}

// greeting is the PeerList that a newcomer who knows nobody gets.
func greeting(t *testing.T, r *rig) PeerList {
	t.Helper()
	payload, err := r.Greet(r.now, who("newcomer"), openTracker().Query().Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	list, err := ParsePeerList(payload)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestABadFilterIsNotGreeted(t *testing.T) {
	if _, err := newRig(t).Greet(start, who("newcomer"), nil); !errors.Is(err, bloom.ErrHashes) {
		t.Errorf("got %v", err)
	}
}

func TestASecondAnswerIsUnsolicited(t *testing.T) {
	r := newRig(t)
	r.Ready(r.now, claimOf(who("bob"), 1))
	p, q := r.asked()
	r.answered(p, q.ID)
	if got := faults(r.answered(p, q.ID)); len(got) != 1 || got[0] != OffenceUnsolicited {
		t.Errorf("faults %v", got)
	}
}

func TestALateAnswerIsNoOffence(t *testing.T) {
	r := newRig(t)
	r.Ready(r.now, claimOf(who("bob"), 1))
	r.Ready(r.now, claimOf(who("carol"), 1))
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

func TestQuestionsAreAnsweredAndBadOnesPunished(t *testing.T) {
	r := newRig(t)
	for i := range 4 {
		r.Ready(r.now, claimOf(peerN(i), 1))
	}
	var out []core.Action
	r.OnGetPeerList(r.now, peerN(0), GetPeerList{ID: 77, Query: openTracker().Query()}.Append(nil), &out)
	s, ok := out[0].(core.Send)
	list, err := ParsePeerList(s.Payload)
	if !ok || s.Peer != peerN(0) || s.Type != TypePeerList || err != nil || list.ID != 77 || len(list.Envelopes) != 3 {
		t.Errorf("answered %v: %v, %v", s, list, err)
	}
	out = nil
	r.OnGetPeerList(r.now, peerN(0), []byte{1}, &out)
	if got := faults(out); len(got) != 1 || got[0] != OffenceBadQuery {
		t.Errorf("faults %v", got)
	}
	out = nil
	r.OnGetPeerList(r.now, who("mallory"), GetPeerList{Query: openTracker().Query()}.Append(nil), &out)
	if len(out) != 0 {
		t.Errorf("somebody who is no member was answered: %v", out)
	}
}

func TestAnAskerCannotBuyMoreThanItsBudgetOfWork(t *testing.T) {
	r := newRig(t)
	for i := range 1000 {
		r.Ready(r.now, claimOf(peerN(i), 1))
	}
	payload := GetPeerList{ID: 1, Query: r.tracker.Query()}.Append(nil)
	flood := func() (answered int) {
		for range 100_000 {
			var out []core.Action
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
	var out []core.Action
	r.OnGetPeerList(r.now, peerN(1), payload, &out)
	if len(faults(out)) > 0 {
		t.Error("another asker pays for it")
	}
}

func TestTheFilterIsRebuiltEveryMinute(t *testing.T) {
	r := newRig(t)
	salt := r.tracker.Query().Salt
	r.advance()
	if d := r.now.Sub(start); d != time.Minute || r.tracker.Query().Salt == salt {
		t.Errorf("after %v: new salt %v", d, r.tracker.Query().Salt != salt)
	}
}

func TestWhoIsGoneIsNotAskedAndNotWaitedFor(t *testing.T) {
	r := newRig(t)
	r.Ready(r.now, claimOf(who("bob"), 1))
	r.asked()
	r.Ready(r.now, claimOf(who("carol"), 1))
	r.Gone(r.now, who("bob"))
	gone := r.now
	if p, _ := r.asked(); p != who("carol") || r.now != gone {
		t.Errorf("asked %s after %v", p, r.now.Sub(gone))
	}
	r.Gone(r.now, who("carol"))
	for range 3 {
		if _, _, ok := question(r.advance()); ok {
			t.Error("nobody is there to be asked")
		}
	}
}

// Who knows only a node that knows fifty learns everybody in four questions that
// follow each other at once.
func TestJoiningTakesNoTicks(t *testing.T) {
	server, joiner := newRig(t), newRig(t)
	for i := range 50 {
		server.Ready(server.now, claimOf(peerN(i), 1))
	}
	server.Ready(server.now, claimOf(who("joiner"), 1))
	joiner.Ready(joiner.now, claimOf(who("server"), 1))
	p, q := joiner.asked()
	joined, questions := joiner.now, 0
	for more := true; more; questions++ {
		var out []core.Action
		server.OnGetPeerList(server.now, who("joiner"), q.Append(nil), &out)
		answer := out[0].(core.Send)
		out = nil
		joiner.OnPeerList(joiner.now, p, answer.Payload, &out)
		_, q, more = question(joiner.verified(out))
	}
	if s := joiner.Stats(); s.Learned != 50 || joiner.now != joined || questions != 4 {
		t.Errorf("learned %d of 50 by %d questions in %v", s.Learned, questions, joiner.now.Sub(joined))
	}
}

func mentions(err error, field string) bool {
	return strings.Contains(err.Error(), field) && (strings.Contains(err.Error(), "set ") || strings.Contains(err.Error(), "lower "))
}
