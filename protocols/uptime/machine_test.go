package uptime

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

var start = time.Unix(1_800_000_000, 0)

// rig is a machine on a clock that the test moves, among peers of which each
// answers pings until it is dead.
type rig struct {
	*Machine
	t     fataler
	now   time.Time
	dead  map[core.PeerID]bool // sends nothing
	rude  map[core.PeerID]bool // sends other things, and no pong
	delay time.Duration        // of a pong
	pongs []pong
	pings map[core.PeerID][]time.Time
	gone  map[core.PeerID]time.Time // silent since
	fault []core.Offence
}

type pong struct {
	at   time.Time
	from core.PeerID
	id   uint64
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// newRig has a machine that pings at once, newPatientRig one as it is by default.
func newRig(t fataler, seed uint64, peers ...core.PeerID) *rig {
	cfg := DefaultConfig()
	cfg.First = 0
	return rigOf(t, cfg, seed, peers...)
}

func newPatientRig(t fataler, seed uint64, peers ...core.PeerID) *rig {
	return rigOf(t, DefaultConfig(), seed, peers...)
}

func rigOf(t fataler, cfg Config, seed uint64, peers ...core.PeerID) *rig {
	r := &rig{
		Machine: New(cfg, rand.New(rand.NewPCG(seed, 1))), t: t, now: start,
		dead: map[core.PeerID]bool{}, rude: map[core.PeerID]bool{}, pings: map[core.PeerID][]time.Time{}, gone: map[core.PeerID]time.Time{},
		delay: 20 * time.Millisecond,
	}
	for _, p := range peers {
		r.join(p)
	}
	return r
}

// join takes in a member, and does what is due at once.
func (r *rig) join(p core.PeerID) {
	r.Joined(r.now, p)
	r.step()
}

func (r *rig) do(input func(*[]core.Action)) {
	var out []core.Action
	input(&out)
	for _, a := range out {
		switch a := a.(type) {
		case core.Send:
			r.sent(a)
		case Silent:
			r.gone[a.Peer] = r.now
		case core.Penalize:
			r.fault = append(r.fault, a.Offence)
		}
	}
}

func (r *rig) sent(s core.Send) {
	if s.Type != TypePing {
		return
	}
	ping, err := ParsePing(s.Payload)
	if err != nil {
		r.t.Fatalf("our own ping: %v", err)
	}
	r.pings[s.Peer] = append(r.pings[s.Peer], r.now)
	switch {
	case r.dead[s.Peer]:
	case r.rude[s.Peer]:
		r.pongs = append(r.pongs, pong{at: r.now.Add(5 * time.Second), from: s.Peer})
	default:
		r.pongs = append(r.pongs, pong{r.now.Add(r.delay), s.Peer, ping.ID})
	}
}

// run moves the clock to until, with ticks at their deadlines and pongs as they
// come.
func (r *rig) run(until time.Time) {
	r.t.Helper()
	for steps := 0; ; steps++ {
		if steps > 100_000 {
			r.t.Fatalf("it never rests: deadline %v, now %v", r.Deadline(), r.now)
		}
		slices.SortStableFunc(r.pongs, func(a, b pong) int { return a.at.Compare(b.at) })
		next := r.Deadline()
		if len(r.pongs) > 0 {
			next = core.Earliest(next, r.pongs[0].at)
		}
		if next.IsZero() || next.After(until) {
			r.now = until
			return
		}
		if next.After(r.now) {
			r.now = next
		}
		r.step()
	}
}

// step does all that is due now: messages first, as they have been waiting.
func (r *rig) step() {
	for len(r.pongs) > 0 && !r.pongs[0].at.After(r.now) {
		p := r.pongs[0]
		r.pongs = r.pongs[1:]
		if p.id == 0 {
			r.Heard(r.now, p.from)
			continue
		}
		r.do(func(out *[]core.Action) { r.Receive(r.now, p.from, TypePong, Pong{p.id}.Append(nil), out) })
	}
	if d := r.Deadline(); !d.IsZero() && !d.After(r.now) {
		r.do(func(out *[]core.Action) { r.Tick(r.now, out) })
	}
}

func (r *rig) after(d time.Duration) { r.t.Helper(); r.run(r.now.Add(d)) }

func TestAMemberIsPingedEveryThirtySeconds(t *testing.T) {
	r := newPatientRig(t, 1, "bob")
	r.after(10 * time.Minute)
	pings := r.pings["bob"]
	if len(pings) < 18 || len(pings) > 23 {
		t.Errorf("%d pings in ten minutes", len(pings))
	}
	for i := range pings[1:] {
		if d := pings[i+1].Sub(pings[i]); d < 27*time.Second || d > 33*time.Second {
			t.Errorf("%v between two pings", d)
		}
	}
	if v := r.Members(r.now)[0]; v.RTT != r.delay || v.Smooth != r.delay || v.Uptime != All || v.Missed != 0 {
		t.Errorf("view: %+v", v)
	}
}

func TestTheFirstPingsSpread(t *testing.T) {
	peers := make([]core.PeerID, 100)
	for i := range peers {
		peers[i] = core.PeerID(fmt.Sprint(i))
	}
	r := newPatientRig(t, 1, peers...)
	r.after(30 * time.Second)
	early := 0
	for _, p := range peers {
		if len(r.pings[p]) == 0 || r.pings[p][0].Sub(start) < 10*time.Second {
			t.Fatalf("%s is pinged at %v, want its first after 10 to 30 s", p, r.pings[p])
		}
		if r.pings[p][0].Sub(start) < 20*time.Second {
			early++
		}
	}
	if early < 30 || early > 70 {
		t.Errorf("%d of 100 are pinged in the first half of the time", early)
	}
}

func TestAPingTellsThePerceivedUptimeAndAPongAnswersIt(t *testing.T) {
	r := newRig(t, 1)
	r.SetValidators(r.now, map[core.PeerID]uint64{"bob": 5})
	r.after(100 * time.Second)
	var out []core.Action
	r.Joined(r.now, "bob")
	r.Tick(r.now, &out)
	if ping, err := ParsePing(out[0].(core.Send).Payload); err != nil || ping.Uptime != 0 {
		t.Errorf("first ping: %v, %v", ping, err)
	}
	out = nil
	r.Receive(r.now, "bob", TypePing, Ping{ID: 77, Uptime: 9500}.Append(nil), &out)
	s := out[0].(core.Send)
	if p, err := ParsePong(s.Payload); s.Type != TypePong || s.Peer != "bob" || err != nil || p.ID != 77 {
		t.Errorf("answered %v with %v", s, p)
	}
	if got, ok := r.Observed(); !ok || got != 9500 {
		t.Errorf("observed %v", got)
	}
}

// However a peer dies, it is noticed within 50 seconds of its last sign of life,
// and nobody else is.
func TestASilentPeerIsNoticedWithinFiftySeconds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newPatientRig(t, rapid.Uint64().Draw(t, "seed"), "alive", "dying")
		r.delay = time.Duration(rapid.IntRange(1, 9000).Draw(t, "delay")) * time.Millisecond
		r.after(time.Duration(rapid.IntRange(0, 120_000).Draw(t, "death")) * time.Millisecond)
		if rapid.Bool().Draw(t, "last word") {
			r.Heard(r.now, "dying")
		}
		r.dead["dying"] = true
		r.pongs = slices.DeleteFunc(r.pongs, func(p pong) bool { return p.from == "dying" })
		died := r.now
		r.after(2 * time.Minute)
		if d := r.gone["dying"].Sub(died); d < 0 || d > 50*time.Second {
			t.Fatalf("noticed after %v", d)
		}
		if len(r.gone) > 1 {
			t.Fatalf("given up: %v", r.gone)
		}
	})
}

// Our own pause fails nobody: messages wait in the sockets, and are read together
// when we go on; the tick may even come before them.
func TestOurOwnPauseFailsNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRig(t, rapid.Uint64().Draw(t, "seed"), "a", "b", "c")
		r.delay = time.Duration(rapid.IntRange(1, 4000).Draw(t, "delay")) * time.Millisecond
		for range rapid.IntRange(1, 5).Draw(t, "pauses") {
			r.after(time.Duration(rapid.IntRange(0, 60_000).Draw(t, "until")) * time.Millisecond)
			pause := time.Duration(rapid.IntRange(1, 120_000).Draw(t, "pause")) * time.Millisecond
			r.now = r.now.Add(pause)
			for i := range r.pongs { // who answered while we were away is read only now, or a little later
				if r.pongs[i].at.Before(r.now) {
					r.pongs[i].at = r.now.Add(time.Duration(rapid.IntRange(0, 500).Draw(t, "read")) * time.Millisecond)
				}
			}
			r.step()
		}
		r.after(time.Minute)
		if len(r.gone) > 0 || r.Stats().Missed > 0 {
			t.Fatalf("given up: %v, %d missed", r.gone, r.Stats().Missed)
		}
	})
}

func TestAPauseOfFiveSecondsIsNoticedAndExcused(t *testing.T) {
	r := newRig(t, 1, "bob")
	r.dead["bob"] = true // so that its ping stays open
	r.pongs = nil
	r.after(7 * time.Second)
	r.now = r.now.Add(5 * time.Second)
	r.step()
	if r.Stats().Pauses != 1 || len(r.gone) > 0 {
		t.Fatalf("%d pauses, given up: %v", r.Stats().Pauses, r.gone)
	}
	r.after(time.Minute)
	if d := r.gone["bob"].Sub(start); d < 13*time.Second || d > 15*time.Second {
		t.Errorf("given up after %v, want 10 s and most of the pause", d)
	}
}

// A process that is always starved still notices in the end.
func TestStarvationDoesNotHideTheDead(t *testing.T) {
	r := newRig(t, 1, "bob")
	r.dead["bob"], r.pongs = true, nil
	for range 20 {
		r.now = r.now.Add(3 * time.Second)
		r.step()
	}
	if _, ok := r.gone["bob"]; !ok {
		t.Error("ticks that are always late excuse for ever")
	}
}

func TestAPeerThatTalksAndNeverAnswersIsGivenUpAtTheThirdPing(t *testing.T) {
	r := newRig(t, 1)
	r.rude["bob"] = true
	r.join("bob")
	r.after(3 * time.Minute)
	if n := len(r.pings["bob"]); n != 3 || r.gone["bob"].IsZero() {
		t.Errorf("%d pings, given up: %v", n, r.gone)
	}
}

func TestAPongThatComesLateStillCounts(t *testing.T) {
	r := newRig(t, 1)
	r.delay = 12 * time.Second
	r.rude["bob"] = true
	r.join("bob")
	ping := r.peers["bob"].ping
	r.after(12 * time.Second)
	r.do(func(out *[]core.Action) { r.Receive(r.now, "bob", TypePong, Pong{ping}.Append(nil), out) })
	if v := r.Members(r.now)[0]; v.Missed != 0 || v.RTT != 12*time.Second || len(r.fault) > 0 {
		t.Errorf("view: %+v, faults %v", v, r.fault)
	}
}

// A peer whose pongs come after the next ping, or after two of them, is slow and
// honest.
func TestPongsThatComeAfterTheNextPingAreNoOffence(t *testing.T) {
	for _, delay := range []time.Duration{35 * time.Second, 65 * time.Second} {
		r := newRig(t, 1)
		r.delay = delay
		r.join("bob")
		for range 600 {
			r.Heard(r.now, "bob") // it sends other things
			r.run(r.now.Add(time.Second))
		}
		if n := len(r.pings["bob"]); len(r.fault) > 0 || len(r.gone) > 0 || n < 19 {
			t.Errorf("pongs after %v: faults %v, given up %v, %d pings", delay, r.fault, r.gone, n)
		}
	}
}

func TestPingsAreTakenAfterTheClockWasSetBack(t *testing.T) {
	r := newRig(t, 1, "bob")
	r.now = r.now.Add(-time.Hour)
	for range 100 {
		r.now = r.now.Add(30 * time.Second)
		r.do(func(out *[]core.Action) { r.Receive(r.now, "bob", TypePing, Ping{ID: 1}.Append(nil), out) })
	}
	if len(r.fault) > 0 {
		t.Errorf("an honest peer's pings: %d faults", len(r.fault))
	}
}

func TestWhatIsAnOffence(t *testing.T) {
	for _, tc := range []struct {
		name    string
		kind    frame.Type
		payload func(r *rig) []byte
		times   int
		want    []core.Offence
	}{
		{"a pong to no ping", TypePong, func(r *rig) []byte { return Pong{r.peers["bob"].ping + 1}.Append(nil) }, 1, []core.Offence{OffenceUnsolicited}},
		{"a pong", TypePong, func(r *rig) []byte { return Pong{r.peers["bob"].ping}.Append(nil) }, 1, nil},
		{"a second pong", TypePong, func(r *rig) []byte { return Pong{r.peers["bob"].ping}.Append(nil) }, 2, []core.Offence{OffenceUnsolicited}},
		{"noise", TypePing, func(*rig) []byte { return []byte{0xff} }, 1, []core.Offence{OffenceMalformed}},
		{"an unknown type", 9, func(*rig) []byte { return nil }, 1, []core.Offence{OffenceMalformed}},
		{"ten pings at once, held up by a pause", TypePing, func(*rig) []byte { return Ping{ID: 1}.Append(nil) }, 10, nil},
		{"eleven", TypePing, func(*rig) []byte { return Ping{ID: 1}.Append(nil) }, 11, []core.Offence{OffenceTooOften}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, 1, "bob")
			for range tc.times {
				r.do(func(out *[]core.Action) { r.Receive(r.now, "bob", tc.kind, tc.payload(r), out) })
			}
			if !slices.Equal(r.fault, tc.want) {
				t.Errorf("faults %v, want %v", r.fault, tc.want)
			}
		})
	}
	r := newRig(t, 1)
	r.do(func(out *[]core.Action) { r.Receive(r.now, "stranger", TypePing, nil, out) })
	if r.fault != nil {
		t.Error("a message of somebody who is no member is judged")
	}
}

func TestThePingBudgetFillsUpAgain(t *testing.T) {
	r := newRig(t, 1, "bob")
	r.now = r.now.Add(time.Minute)
	for range 100 {
		r.do(func(out *[]core.Action) { r.Receive(r.now, "bob", TypePing, Ping{ID: 1}.Append(nil), out) })
		r.now = r.now.Add(pingEvery)
	}
	if r.fault != nil {
		t.Errorf("one ping a second is punished: %v", r.fault)
	}
}

func TestWhoLeftIsNotPingedAndItsReportIsGone(t *testing.T) {
	r := newRig(t, 1, "bob", "carol")
	r.do(func(out *[]core.Action) { r.Receive(r.now, "bob", TypePing, Ping{ID: 1, Uptime: 100}.Append(nil), out) })
	r.Left(r.now, "bob")
	if _, ok := r.Observed(); ok || r.open != 1 {
		t.Errorf("%d pings open", r.open)
	}
	r.after(time.Minute)
	if len(r.pings["bob"]) != 1 || len(r.gone) > 0 {
		t.Errorf("pinged %d times, given up: %v", len(r.pings["bob"]), r.gone)
	}
	if u, ok := r.Uptime(r.now, "bob"); !ok || u != 0 {
		t.Errorf("uptime %v, %v: it was there for no time", u, ok)
	}
	r.Left(r.now, "carol")
	r.after(time.Minute)
	if !r.Deadline().IsZero() {
		t.Errorf("nobody is left, and a tick is due in %v", r.Deadline().Sub(r.now))
	}
}

func TestWhatOthersSayIsTheWeightedMedian(t *testing.T) {
	for _, tc := range []struct {
		name    string
		weights map[core.PeerID]uint64
		reports map[core.PeerID]Percent
		want    Percent
		ok      bool
	}{
		{"nobody", nil, nil, 0, false},
		{"one", nil, map[core.PeerID]Percent{"a": 9000}, 9000, true},
		{"the middle of three", nil, map[core.PeerID]Percent{"a": 0, "b": 9000, "c": 10_000}, 9000, true},
		{"the lower of two", nil, map[core.PeerID]Percent{"a": 8000, "b": 9000}, 8000, true},
		{"two liars among five", nil, map[core.PeerID]Percent{"a": 0, "b": 0, "c": 9000, "d": 9100, "e": 9200}, 9000, true},
		{"only validators count", map[core.PeerID]uint64{"c": 1}, map[core.PeerID]Percent{"a": 0, "b": 0, "c": 9000}, 9000, true},
		{"a light validator does not decide", map[core.PeerID]uint64{"a": 1, "b": 1, "c": 3}, map[core.PeerID]Percent{"a": 0, "b": 0, "c": 9000}, 9000, true},
		{"weight zero counts as one", map[core.PeerID]uint64{"a": 0}, map[core.PeerID]Percent{"a": 9000}, 9000, true},
		{"weights as large as they get", map[core.PeerID]uint64{"a": 1 << 63, "b": 1 << 63, "c": 1 << 63}, map[core.PeerID]Percent{"a": 1, "b": 2, "c": 3}, 2, true},
		{"validators that say nothing", map[core.PeerID]uint64{"z": 1}, map[core.PeerID]Percent{"a": 9000}, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, 1, "a", "b", "c", "d", "e")
			r.SetValidators(r.now, tc.weights)
			for p, says := range tc.reports {
				r.do(func(out *[]core.Action) { r.Receive(r.now, p, TypePing, Ping{Uptime: says}.Append(nil), out) })
			}
			if got, ok := r.Observed(); got != tc.want || ok != tc.ok {
				t.Errorf("got %v, %v; want %v, %v", got, ok, tc.want, tc.ok)
			}
		})
	}
}

func TestConfigErrorsNameTheField(t *testing.T) {
	for field, spoil := range map[string]func(*Config){
		"First":     func(c *Config) { c.First = c.Every + 1 },
		"Within":    func(c *Config) { c.Within = c.Every },
		"MaxMissed": func(c *Config) { c.MaxMissed = 0 },
		"Pause":     func(c *Config) { c.Pause = c.Within },
		"Remember":  func(c *Config) { c.Remember = -1 },
	} {
		c := DefaultConfig()
		spoil(&c)
		if err := c.Validate(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), field) || !strings.Contains(err.Error(), "set ") {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

// One tick with a thousand members of which a few are due.
func BenchmarkTick1000(b *testing.B) {
	r := newRig(nil, 1)
	for i := range 1000 {
		r.join(core.PeerID(fmt.Sprint(i)))
	}
	out := make([]core.Action, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		out = out[:0]
		r.now = r.now.Add(time.Second)
		for _, p := range r.order {
			p.heard, p.missed, p.pingAt = r.now, 0, core.Earliest(p.pingAt, r.now.Add(30*time.Second))
		}
		r.Tick(r.now, &out)
	}
}

func BenchmarkPing(b *testing.B) {
	r := newRig(nil, 1, "bob")
	payload := Ping{ID: 1, Uptime: 9999}.Append(nil)
	out := make([]core.Action, 0, 4)
	b.ReportAllocs()
	for b.Loop() {
		out = out[:0]
		r.now = r.now.Add(time.Second)
		r.Receive(r.now, "bob", TypePing, payload, &out)
	}
}
