package catchup

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

const alice, bob, carol, dave = core.PeerID("alice"), core.PeerID("bob"), core.PeerID("carol"), core.PeerID("dave")

// told are the topics in each Topics that was sent, by receiver.
func told(t *testing.T, actions []core.Action) map[core.PeerID]string {
	t.Helper()
	all := map[core.PeerID]string{}
	for _, s := range of[core.Send](actions) {
		if s.Type != TypeTopics {
			continue
		}
		m, err := ParseTopics(s.Payload)
		if err != nil || all[s.Peer] != "" {
			t.Fatalf("%s is told %v after %q, %v", s.Peer, m, all[s.Peer], err)
		}
		all[s.Peer] = "[" + strings.Join(m.Names, " ") + "]"
	}
	return all
}

func TestTopicsAreToldOnJoiningAndOnChange(t *testing.T) {
	r := newRig(t, "b", "a", "b")
	if got := told(t, r.up(alice)); got[alice] != "[a b]" {
		t.Errorf("on joining %v", got)
	}
	if got := r.do(func(out *[]core.Action) { r.PeerUp(alice, out) }); len(got) > 0 {
		t.Errorf("a second joining: %v", got)
	}
	r.up(bob)
	if got := r.set("a", "b"); len(got) > 0 {
		t.Errorf("no change: %v", got)
	}
	if got := told(t, r.set("b", "c")); got[alice] != "[b c]" || got[bob] != "[b c]" {
		t.Errorf("a change: %v", got)
	}
	if got := told(t, r.set()); got[alice] != "[]" || got[bob] != "[]" {
		t.Errorf("none any more: %v", got)
	}
	if got := r.up(carol); len(got) > 0 {
		t.Errorf("nothing to tell: %v", got)
	}
}

func TestOurTopicsAreBounded(t *testing.T) {
	many := make([]string, MaxTopics+1)
	for i := range many {
		many[i] = strings.Repeat("x", 1+i%MaxTopicBytes) + string(rune('0'+i/MaxTopicBytes))
	}
	for name, names := range map[string][]string{
		"too many": many, "none": {""}, "too long": {strings.Repeat("x", MaxTopicBytes+1)},
	} {
		r := newRig(t, "a")
		if err := r.SetTopics(start, names, new([]core.Action)); !errors.Is(err, ErrTopics) || r.Stats().Topics != 1 {
			t.Errorf("%s: %v, and there are %d", name, err, r.Stats().Topics)
		}
	}
}

func TestWhoCarriesWhat(t *testing.T) {
	r := newRig(t, "a")
	r.up(alice, "a", "b")
	r.up(bob, "b")
	if got := r.Carriers("b"); !slices.Equal(got, []core.PeerID{alice, bob}) || r.Carriers("c") != nil {
		t.Errorf("carriers of b %v, of c %v", got, r.Carriers("c"))
	}
	if !r.Carries(alice, "a") || r.Carries(bob, "a") || r.Carries(carol, "a") {
		t.Error("only alice carries a")
	}
	r.receive(alice, TypeTopics, Topics{[]string{"c"}}.Append(nil)) // replaces
	r.down(bob)
	if r.Carries(alice, "a") || !r.Carries(alice, "c") || r.Carriers("b") != nil {
		t.Error("alice carries c alone, and nobody b")
	}
	if r.receive(bob, TypeTopics, Topics{[]string{"a"}}.Append(nil)); r.Carries(bob, "a") {
		t.Error("bob is gone")
	}
	if s := r.Stats(); s.Peers != 1 || s.Alone != 1 {
		t.Errorf("%+v", s)
	}
}

// one returns the only question among actions.
func one(t testing.TB, actions []core.Action) asked {
	t.Helper()
	all := questions(t, actions)
	if len(all) != 1 {
		t.Fatalf("%d questions, want one", len(all))
	}
	return all[0]
}

func TestTheFirstThreeAreAskedForEverythingOneAfterTheOther(t *testing.T) {
	r := newRig(t, "a")
	before := map[core.PeerID]bool{}
	q := one(t, slices.Concat(r.up(alice, "a"), r.up(bob, "a"), r.up(carol, "a"), r.up(dave, "a")))
	for range 2 {
		if q.Since != 0 || q.Cursor != 0 || q.Known != nil || q.Topic != "a" || before[q.to] {
			t.Errorf("asked is %+v", q)
		}
		before[q.to] = true
		q = one(t, r.page(q.to, Recent{Request: q.Request}))
	}
	if more := questions(t, r.page(q.to, Recent{Request: q.Request})); len(more) > 0 || before[q.to] || r.Stats().Joins != 3 {
		t.Errorf("after three: %+v", more)
	}
}

// Who is slow holds nobody up for ever, and whoever does not answer is replaced.
func TestASlowFirstCarrierIsNotWaitedFor(t *testing.T) {
	r := newRig(t, "a")
	q := one(t, slices.Concat(r.up(alice, "a"), r.up(bob, "a")))
	if got := faults(r.pass(9 * time.Second)); got != nil || r.Stats().TimedOut > 0 {
		t.Errorf("after nine seconds: %v, %+v", got, r.Stats())
	}
	out := r.pass(time.Second)
	if next := one(t, out); next.to == q.to || faults(out) != nil || r.Stats().TimedOut != 1 {
		t.Errorf("after ten seconds %s is asked again, %v", next.to, faults(out))
	}
	if out := r.page(q.to, Recent{Request: q.Request}); len(out) > 0 || r.Stats().Late != 1 {
		t.Errorf("the answer comes late: %v", out)
	}

	r = newRig(t, "a") // it goes on and on, and its pages are taken slowly
	q = one(t, slices.Concat(r.up(alice, "a"), r.up(bob, "a")))
	r.page(q.to, Recent{Request: q.Request, IDs: ids(0, 5), Next: 5, More: true})
	deep := func(a asked) bool { return a.Since > 0 } // not the ordinary ones
	if got := slices.DeleteFunc(questions(t, r.pass(59*time.Second)), deep); len(got) > 0 {
		t.Errorf("asked before a minute is over: %+v", got)
	}
	if r.pass(time.Second); r.Stats().Joins != 2 {
		t.Error("nobody else is asked after a minute")
	}
}

func TestOrdinaryQuestions(t *testing.T) {
	r := newRig(t, "a")
	r.settle(alice, bob, carol)
	var last time.Time
	for range 50 {
		out := r.tick(time.Hour)
		for len(questions(t, out)) == 0 {
			out = r.tick(time.Hour)
		}
		q := one(t, out)
		r.page(q.to, Recent{Request: q.Request})
		if q.Since == 0 {
			continue // a deep one
		}
		if got := r.now.Sub(time.UnixMilli(int64(q.Since))).Truncate(time.Millisecond); got != 15*time.Minute {
			t.Fatalf("asked %v back", got)
		}
		if pause := r.now.Sub(last); !last.IsZero() && (pause < 10*time.Second || pause > 20*time.Second) {
			t.Fatalf("asked after %v", pause)
		}
		last = r.now
	}
}

// settle lets peers join that carry the topic a, and answers with nothing what is
// asked of them.
func (r *rig) settle(peers ...core.PeerID) {
	var out []core.Action
	for _, p := range peers {
		out = append(out, r.up(p, "a")...)
	}
	for len(questions(r.t, out)) > 0 {
		q := one(r.t, out)
		out = r.page(q.to, Recent{Request: q.Request})
	}
}

func TestDeepQuestionsGoAsFarBackAsObjectsAreWanted(t *testing.T) {
	for _, keep := range []time.Duration{0, time.Hour} {
		r := newRig(t, "a")
		r.settle(alice, bob, carol)
		if keep > 0 {
			r.horizon = r.now.Add(-keep)
		}
		var deep []asked
		for until := r.now.Add(21 * time.Minute); r.now.Before(until); {
			for _, q := range questions(t, r.tick(time.Minute)) {
				r.page(q.to, Recent{Request: q.Request})
				if keep == 0 && q.Since == 0 || keep > 0 && q.Since == uint64(r.horizon.UnixMilli()) {
					deep = append(deep, q)
				}
			}
		}
		if len(deep) != 4 {
			t.Errorf("%d deep questions in 21 minutes with objects kept for %v, want 4", len(deep), keep)
		}
	}
}

func TestHowFarBackIsAskedAfterATimeAlone(t *testing.T) {
	for name, tc := range map[string]struct {
		answered bool
		alone    time.Duration
		want     time.Duration // before now; 0: everything
	}{
		"a minute":                        {true, time.Minute, 15 * time.Minute},
		"an hour":                         {true, time.Hour, time.Hour + 2*time.Minute},
		"never answered":                  {false, time.Minute, 0},
		"never answered, and for an hour": {false, time.Hour, 0},
	} {
		r := newRig(t, "a")
		if tc.answered {
			r.settle(alice)
		} else {
			r.up(alice, "a")
		}
		r.down(alice)
		if !r.Deadline().IsZero() {
			t.Errorf("%s: with nobody to ask there is a deadline", name)
		}
		r.now = r.now.Add(tc.alone)
		q := one(t, r.up(bob, "a"))
		want := uint64(0)
		if tc.want > 0 {
			want = uint64(r.now.Add(-tc.want).UnixMilli())
		}
		if q.Since != want {
			t.Errorf("%s: asked %v back", name, r.now.Sub(time.UnixMilli(int64(q.Since))))
		}
	}
}

// A carrier that appears later is asked for everything by as many as are enough.
func TestANewCarrierIsWelcomed(t *testing.T) {
	welcomed := 0
	for seed := range uint64(200) {
		r := newRig(t, "a")
		r.rng = seeded(seed)
		for i := range 11 {
			r.settle(core.PeerID(rune('a' + i)))
		}
		before := r.Stats().Welcomes
		r.settle("new")
		welcomed += int(r.Stats().Welcomes - before)
		if r.down("new"); len(questions(t, r.up("new"))) > 0 {
			t.Fatal("it carries nothing, and is asked")
		}
	}
	if welcomed < 80 || welcomed > 120 { // 6 of 12 carriers
		t.Errorf("%d of 200 welcome it, want about 100", welcomed)
	}
}

// Whoever says now that it carries a topic and now that it does not is asked no more
// than others.
func TestTogglingATopicBuysNoQuestions(t *testing.T) {
	r := newRig(t, "a")
	r.settle(bob, carol, dave)
	r.settle(alice)
	asked := r.Stats().Asked
	for range 50 {
		r.receive(alice, TypeTopics, nil)
		r.receive(alice, TypeTopics, Topics{[]string{"a"}}.Append(nil))
	}
	if got := r.Stats().Asked - asked; got > 1 {
		t.Errorf("%d questions for it", got)
	}
}

// A topic that we drop or a peer drops is not asked about, and the open question is
// nobody's fault.
func TestAPullEndsWithItsTopic(t *testing.T) {
	for name, end := range map[string]func(r *rig){
		"we drop it":       func(r *rig) { r.set("z") },
		"the peer does":    func(r *rig) { r.receive(alice, TypeTopics, nil) },
		"the peer is gone": func(r *rig) { r.down(alice); r.up(alice) },
	} {
		r := newRig(t, "a")
		q := one(t, r.up(alice, "a"))
		end(r)
		if s := r.Stats(); s.Pulls != 0 || s.Broken != 1 || !r.Deadline().IsZero() {
			t.Errorf("%s: %+v", name, s)
		}
		if name == "the peer is gone" {
			continue
		}
		if out := r.page(alice, Recent{Request: q.Request, IDs: ids(0, 1)}); len(out) > 0 {
			t.Errorf("%s: its answer makes %v", name, out)
		}
	}
}

func TestATopicThatIsTakenUpLaterIsAskedAbout(t *testing.T) {
	r := newRig(t)
	r.up(alice, "a", "b")
	if q := one(t, r.set("b")); q.Topic != "b" || q.to != alice {
		t.Errorf("asked is %+v", q)
	}
}

func TestOffences(t *testing.T) {
	question := GetRecent{Request: 1, Topic: "a"}.Append(nil)
	long := Topics{[]string{strings.Repeat("x", MaxTopicBytes+1)}}.Append(nil)
	for name, tc := range map[string]struct {
		do   func(r *rig) []core.Action
		want core.Offence
	}{
		"an unknown type":      {func(r *rig) []core.Action { return r.receive(alice, 4, nil) }, OffenceMalformed},
		"malformed topics":     {func(r *rig) []core.Action { return r.receive(alice, TypeTopics, []byte{0xff}) }, OffenceMalformed},
		"a malformed question": {func(r *rig) []core.Action { return r.receive(alice, TypeGetRecent, nil) }, OffenceMalformed},
		"a malformed page":     {func(r *rig) []core.Action { return r.receive(alice, TypeRecent, nil) }, OffenceMalformed},
		"a long topic":         {func(r *rig) []core.Action { return r.receive(alice, TypeTopics, long) }, OffenceTopics},
		"no question was asked": {func(r *rig) []core.Action {
			return r.page(alice, Recent{Request: 1})
		}, OffenceUnsolicited},
		"another question was asked": {func(r *rig) []core.Action {
			q := one(t, r.up(bob, "a"))
			return r.page(bob, Recent{Request: q.Request + 1})
		}, OffenceUnsolicited},
		"an answer twice": {func(r *rig) []core.Action {
			q := one(t, r.up(bob, "a"))
			r.page(bob, Recent{Request: q.Request})
			return r.page(bob, Recent{Request: q.Request})
		}, OffenceUnsolicited},
		"a page that does not advance": {func(r *rig) []core.Action {
			q := one(t, r.up(bob, "a"))
			return r.page(bob, Recent{Request: q.Request, More: true})
		}, OffenceMalformed},
		"a flood of questions": {func(r *rig) (out []core.Action) {
			for range r.cfg.TellBurst - 1 { // one went for its topics
				out = append(out, r.receive(alice, TypeGetRecent, question)...)
			}
			if faults(out) != nil {
				t.Errorf("blamed within the limit: %v", faults(out))
			}
			return r.receive(alice, TypeGetRecent, question)
		}, OffenceTooMany},
	} {
		r := newRig(t, "a")
		r.up(alice)
		if got := faults(tc.do(r)); !slices.Equal(got, []core.Offence{tc.want}) || r.Stats().Faults != 1 {
			t.Errorf("%s: %v, want %s", name, got, tc.want)
		}
	}
}

func TestStrangersAreIgnored(t *testing.T) {
	r := newRig(t, "a")
	out := slices.Concat(r.down(alice), r.receive(alice, 9, nil), r.page(alice, Recent{Request: 1}), r.do(func(out *[]core.Action) {
		r.Continue(r.now, alice, 1, 0, out)
		r.Listed(r.now, alice, 1, nil, 0, false, out)
	}))
	if len(out) > 0 {
		t.Errorf("%v", out)
	}
}

func TestConfigNamesWhatCannotWork(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Config){
		"Window":    func(c *Config) { c.Window = 0 },
		"Margin":    func(c *Config) { c.Margin = -1 },
		"AskMin":    func(c *Config) { c.AskMin = 0 },
		"AskMax":    func(c *Config) { c.AskMax = c.AskMin - 1 },
		"First":     func(c *Config) { c.First = 0 },
		"Welcome":   func(c *Config) { c.Welcome = -1 },
		"DeepEvery": func(c *Config) { c.DeepEvery = 0 },
		"Patience":  func(c *Config) { c.Patience = 0 },
		"TellBurst": func(c *Config) { c.TellBurst = 0 },
		"AskBurst":  func(c *Config) { c.AskBurst = 0 },
		"PageSteps": func(c *Config) { c.PageSteps = 0 },
	} {
		c := DefaultConfig()
		spoil(&c)
		if err := c.Validate(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
