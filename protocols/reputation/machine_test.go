package reputation

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weftnet/weft/protocols/core"
)

var begin = time.Unix(1_800_000_000, 0)

// One offence of each weight.
const (
	oneMinor   = core.OffenceSlow
	oneSerious = core.OffenceFrame
	oneGrave   = core.OffenceSender
)

func TestWhatBansAndWhatDoesNot(t *testing.T) {
	for name, tt := range map[string]struct {
		offences []core.Offence // in a row
		want     int            // the one that bans, from 1; 0: none
	}{
		"grave":                    {slices.Repeat([]core.Offence{oneGrave}, 5), 3},
		"fatal":                    {[]core.Offence{"object.invalid"}, 1},
		"serious":                  {slices.Repeat([]core.Offence{oneSerious}, 20), 9},
		"minor alone never":        {slices.Repeat([]core.Offence{oneMinor}, 10_000), 0},
		"unknown counts as minor":  {slices.Repeat([]core.Offence{"nobody.knows"}, 10_000), 0},
		"minor makes the rest bad": {append(slices.Repeat([]core.Offence{oneMinor}, 100), oneSerious, oneSerious), 102},
		"minor after serious":      {append(slices.Repeat([]core.Offence{oneSerious}, 8), slices.Repeat([]core.Offence{oneMinor}, 100)...), 0},
	} {
		t.Run(name, func(t *testing.T) {
			m, got := New(DefaultConfig()), 0
			for i, o := range tt.offences {
				bans := m.Penalize(begin, "p", o, "detail")
				if len(bans) == 0 {
					continue
				}
				ban := bans[0]
				if got == 0 {
					got = i + 1
				}
				if want := string(o) + ": detail"; ban.Reason != want || !ban.Until.Equal(begin.Add(time.Hour)) || ban.Times != 1 || ban.ByHand || len(bans) != 1 {
					t.Errorf("bans %+v, want an hour for %q", bans, want)
				}
				if i+1 != got {
					t.Errorf("banned again by offence %d", i+1)
				}
			}
			if got != tt.want || m.IsBanned(begin, "p") != (tt.want > 0) {
				t.Errorf("offence %d banned, want %d", got, tt.want)
			}
			if s := m.Stats(); s.Bans != uint64(min(1, tt.want)) {
				t.Errorf("%d bans are counted", s.Bans)
			}
		})
	}
}

func TestScoresHeal(t *testing.T) {
	m := New(DefaultConfig())
	m.Penalize(begin, "p", oneGrave, "")
	for _, tt := range []struct {
		after time.Duration
		want  float64
	}{
		{0, 70}, {6 * time.Second, 71}, {time.Minute, 80}, {3 * time.Minute, 100}, {time.Hour, 100}, {-time.Hour, 70},
	} {
		if got := m.Score(begin.Add(tt.after), "p"); got != tt.want {
			t.Errorf("after %v the score is %v, want %v", tt.after, got, tt.want)
		}
	}
	if got := m.Score(begin, "stranger"); got != 100 {
		t.Errorf("a stranger has %v", got)
	}
	// Real offences are never at the same instant.
	quick := New(DefaultConfig())
	for i := range 3 {
		if banned := quick.Penalize(begin.Add(time.Duration(i)*time.Second), "p", oneGrave, "") != nil; banned != (i == 2) {
			t.Errorf("banned by forgery %d of three within two seconds: %v", i+1, banned)
		}
	}
	// Ten serious ones, spread over ten minutes, are no flood.
	slow := New(DefaultConfig())
	for i := range 10 {
		if slow.Penalize(begin.Add(time.Duration(i)*time.Minute), "p", oneSerious, "") != nil {
			t.Fatalf("banned by offence %d, a minute after the last one", i+1)
		}
	}
}

func TestBansGetLongerAndAreForgiven(t *testing.T) {
	m, now := New(DefaultConfig()), begin
	last := func() time.Duration {
		begun := now
		for {
			if bans := m.Penalize(now, "p", oneGrave, ""); bans != nil {
				now = bans[0].Until
				return now.Sub(begun)
			}
		}
	}
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 168, 168} {
		if got := last(); got != want*time.Hour {
			t.Errorf("ban %d lasts %v, want %v", i+1, got, want*time.Hour)
		}
		if got := m.Score(now, "p"); got != start {
			t.Errorf("after ban %d the score is %v, want %v", i+1, got, start)
		}
	}
	now = now.Add(DefaultConfig().Forgive)
	if got := last(); got != time.Hour {
		t.Errorf("a month later the ban lasts %v, want an hour", got)
	}
}

func TestABanByHandAndItsEnd(t *testing.T) {
	m := New(DefaultConfig())
	b, err := m.Ban(begin, "p", 5*time.Minute, "why not")
	if err != nil || !b.Until.Equal(begin.Add(5*time.Minute)) || b.Reason != "why not" || !b.ByHand || !m.IsBanned(begin, "p") {
		t.Errorf("ban %+v, %v", b, err)
	}
	if m.Penalize(begin, "p", oneGrave, "") != nil || m.Stats().Offences[oneGrave] != 1 {
		t.Error("an offence within a ban bans anew, or is not counted")
	}
	if m.IsBanned(begin.Add(5*time.Minute), "p") {
		t.Error("banned when its time is over")
	}
	if !m.Unban(begin, "p") || m.IsBanned(begin, "p") || m.Unban(begin, "p") {
		t.Error("unban lifts a ban, once")
	}
	if b, _ := m.Ban(begin, "p", 0, ""); b.Times != 1 {
		t.Errorf("a lifted ban counts: %d times", b.Times)
	}
}

func TestBansOfAnEarlierRunAreTakenIn(t *testing.T) {
	m := New(DefaultConfig())
	m.Restore(begin, Ban{Peer: "b", Until: begin.Add(2 * time.Hour), Times: 3})
	m.Restore(begin, Ban{Peer: "a", Until: begin.Add(time.Hour), Times: 1})
	m.Restore(begin, Ban{Group: "g", Until: begin.Add(3 * time.Hour), Times: 1})
	m.Restore(begin, Ban{Peer: "past", Until: begin.Add(-time.Hour), Times: 2})
	m.Restore(begin, Ban{Until: begin.Add(time.Hour)})
	all := m.Bans(begin)
	if len(all) != 3 || all[0].Peer != "a" || all[1].Peer != "b" || all[2].Group != "g" || !m.IsGroupBanned(begin, "g") {
		t.Errorf("bans %v, want a, b, then g", all)
	}
	if b, _ := m.Ban(begin, "past", 0, ""); b.Times != 3 {
		t.Errorf("an ended ban is not remembered: %d times", b.Times)
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxPeers = 10
	m := New(cfg)
	m.Penalize(begin, "worst", oneGrave, "")
	ban(m, "longest", begin)
	m.Restore(begin, Ban{Peer: "longest", Until: begin.Add(2 * time.Hour)})
	for i := range 1000 {
		p := core.PeerID(fmt.Sprint(i))
		m.Connected(p, core.Group(fmt.Sprint(i)))
		ban(m, "banned"+p, begin)
		m.Penalize(begin, p, oneMinor, "")
		m.Disconnected(p)
	}
	if s := m.Stats(); s.Scored != 10 || s.Banned != 10 || len(m.present) != 0 || len(m.gone.group) != 1000 {
		t.Errorf("%d scores and %d bans are kept, want 10; %d present, %d gone", s.Scored, s.Banned, len(m.present), len(m.gone.group))
	}
	if m.Score(begin, "worst") != 70 || !m.IsBanned(begin, "longest") {
		t.Error("the worst score or the longest ban was forgotten")
	}
	for i := range 2 * goneKept {
		m.gone.add(core.PeerID(fmt.Sprint(i)), "g")
	}
	if len(m.gone.group) != goneKept || len(m.gone.order) != goneKept {
		t.Errorf("%d that left are remembered, want %d", len(m.gone.group), goneKept)
	}
}

// ban has a peer banned for an offence.
func ban(m *Machine, p core.PeerID, now time.Time) []Ban {
	return m.Penalize(now, p, "object.invalid", "")
}

func TestABanByHandOutlivesAFloodOfOthers(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxPeers, cfg.MaxGroups = 10, 10
	m := New(cfg)
	for i := range 5 {
		if _, err := m.Ban(begin, core.PeerID(fmt.Sprint("hand", i)), time.Minute, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := m.BanGroup(begin, core.Group(fmt.Sprint("hand", i)), time.Minute, ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Ban(begin, "one more", time.Hour, ""); !errors.Is(err, ErrFull) {
		t.Errorf("one more by hand: %v, want %v", err, ErrFull)
	}
	if _, err := m.Ban(begin, "hand3", time.Hour, "longer"); err != nil {
		t.Errorf("a longer ban of the same peer: %v", err)
	}
	for i := range 1000 {
		p := core.PeerID(fmt.Sprint(i))
		m.Connected(p, core.Group(fmt.Sprint(i/3)))
		ban(m, p, begin)
		m.Disconnected(p)
	}
	for i := range 5 {
		if !m.IsBanned(begin, core.PeerID(fmt.Sprint("hand", i))) || !m.IsGroupBanned(begin, core.Group(fmt.Sprint("hand", i))) {
			t.Errorf("the ban by hand %d was displaced", i)
		}
	}
	if s := m.Stats(); s.Banned != 10 || s.BannedGroups != 10 {
		t.Errorf("%d bans of peers and %d of groups are kept, want 10", s.Banned, s.BannedGroups)
	}
	later := begin.Add(2 * time.Hour) // those by hand are over
	if _, err := m.Ban(later, "one more", time.Hour, ""); err != nil {
		t.Error(err)
	}
}

func TestAGroupIsBannedForThreeOffendersUnlessSomebodyThereBehaves(t *testing.T) {
	cfg := DefaultConfig()
	at := func(p core.PeerID, g core.Group, m *Machine) {
		m.Connected(p, g)
		m.Settled(p)
	}
	three := func(m *Machine, g core.Group) (last []Ban) {
		for _, p := range []core.PeerID{"a", "b", "c"} {
			m.Connected(p, g)
			last = ban(m, p, begin)
			m.Disconnected(p)
		}
		return last
	}
	t.Run("three", func(t *testing.T) {
		m := New(cfg)
		at("far", "other", m)
		bans := three(m, "g")
		if len(bans) != 2 || bans[1].Group != "g" || bans[1].Peer != "" || bans[1].Until != begin.Add(time.Hour) || !m.IsGroupBanned(begin, "g") {
			t.Errorf("bans %+v, want that of the group too", bans)
		}
		if m.IsBanned(begin, "far") || m.IsGroupBanned(begin, "other") || m.IsGroupBanned(begin, "") {
			t.Error("others are banned too")
		}
		changed, lifted := m.UnbanGroup(begin, "g")
		if !lifted || len(changed) != 3 || m.IsGroupBanned(begin, "g") || !m.IsBanned(begin, "a") {
			t.Errorf("lifted %v, changed %v", lifted, changed)
		}
		m.Connected("d", "g")
		if bans := ban(m, "d", begin); len(bans) != 1 {
			t.Errorf("after the ban was lifted one more offender gives %+v", bans)
		}
	})
	t.Run("by hand and past ones do not count", func(t *testing.T) {
		m := New(cfg)
		m.Connected("a", "g")
		_, _ = m.Ban(begin, "a", 0, "")
		m.Restore(begin, Ban{Peer: "past", Group: "g", Until: begin})
		m.Connected("b", "g")
		ban(m, "b", begin)
		m.Connected("c", "g")
		if bans := ban(m, "c", begin); len(bans) != 1 {
			t.Errorf("bans %+v", bans)
		}
	})
	t.Run("no group", func(t *testing.T) {
		if m := New(cfg); len(three(m, "")) != 1 {
			t.Error("peers of no group are taken for one")
		}
	})
	t.Run("after they left", func(t *testing.T) {
		m := New(cfg)
		for _, p := range []core.PeerID{"a", "b", "c"} {
			m.Connected(p, "g")
			m.Disconnected(p)
			ban(m, p, begin)
		}
		if !m.IsGroupBanned(begin, "g") {
			t.Error("an offence that is found late does not count against the group")
		}
	})
	t.Run("restored ones count", func(t *testing.T) {
		m := New(cfg)
		m.Restore(begin, Ban{Peer: "x", Group: "g", Until: begin.Add(time.Hour), Times: 1})
		m.Restore(begin, Ban{Peer: "y", Group: "g", Until: begin.Add(time.Hour), Times: 1})
		m.Connected("z", "g")
		if bans := ban(m, "z", begin); len(bans) != 2 {
			t.Errorf("bans %+v", bans)
		}
	})
	for name, tt := range map[string]struct {
		prepare func(*Machine)
		want    bool // the group is banned
	}{
		"behaves":      {func(m *Machine) { at("good", "g", m) }, false},
		"minor faults": {func(m *Machine) { at("good", "g", m); m.Penalize(begin, "good", oneMinor, "") }, false},
		"not settled":  {func(m *Machine) { m.Connected("new", "g") }, true},
		"offender": {func(m *Machine) {
			at("bad", "g", m)
			m.Penalize(begin, "bad", oneGrave, "")
			m.Penalize(begin, "bad", oneGrave, "")
		}, true},
		"left":          {func(m *Machine) { at("good", "g", m); m.Disconnected("good") }, true},
		"another group": {func(m *Machine) { at("good", "h", m) }, true},
	} {
		t.Run("somebody there: "+name, func(t *testing.T) {
			m := New(cfg)
			tt.prepare(m)
			three(m, "g")
			if m.IsGroupBanned(begin, "g") != tt.want || m.Stats().Shielded != uint64(1-len(m.groups.list)) {
				t.Errorf("banned: %v, stats %+v", !tt.want, m.Stats())
			}
		})
	}
}

func TestBansOfGroupsGetLonger(t *testing.T) {
	m, now := New(DefaultConfig()), begin
	for i, want := range []time.Duration{1, 2, 4} {
		for j := range 3 {
			p := core.PeerID(fmt.Sprint(i, j))
			m.Connected(p, "g")
			for _, b := range ban(m, p, now) {
				if b.Peer == "" && (b.Until.Sub(now) != want*time.Hour || b.Times != i+1) {
					t.Errorf("ban %d of the group: %+v, want %v h", i+1, b, want)
				}
			}
			m.Disconnected(p)
		}
		if !m.IsGroupBanned(now, "g") {
			t.Fatalf("round %d: not banned", i)
		}
		now = now.Add(want * time.Hour)
	}
}

func TestWhatAPeerEarnsAndLosesByItsDeliveries(t *testing.T) {
	m, now := New(DefaultConfig()), begin
	m.Connected("p", "")
	m.Deliver(now, core.Delivery{Peer: "stranger", First: 100})
	m.Earned(now, "stranger")
	if m.Stats().Scored != 0 {
		t.Error("one who is not connected earns something")
	}
	m.Deliver(now, core.Delivery{Peer: "p", First: 1000, Late: 2, Delay: time.Second})
	if got := m.Score(now, "p"); got != 105 {
		t.Errorf("1,000 first deliveries in a minute lead to %v, want 105", got)
	}
	for range 100 {
		m.Earned(now, "p")
	}
	if got := m.Score(now, "p"); got != 110 {
		t.Errorf("100 objects in a minute lead to %v, want 110", got)
	}
	if got := m.Score(now.Add(10*time.Minute), "p"); math.Abs(got-105) > 1e-9 {
		t.Errorf("half is left after 10 min: %v, want 105", got)
	}
	for range 24 * 60 {
		now = now.Add(time.Minute)
		m.Deliver(now, core.Delivery{Peer: "p", First: 1000})
		m.Earned(now, "p")
	}
	if got := m.Score(now, "p"); got > 200 || got < 150 {
		t.Errorf("a day of good deeds leads to %v", got)
	}

	m.Connected("slow", "")
	for range 1000 {
		now = now.Add(5 * time.Second)
		m.Deliver(now, core.Delivery{Peer: "slow", Late: 10, Delay: 50 * time.Second})
	}
	if got := m.Score(now, "slow"); got != 80 || m.IsBanned(now, "slow") {
		t.Errorf("the slowest peer has %v, want 80", got)
	}
	if got, _ := m.Opinion(now, "slow"); got != 0 {
		t.Errorf("gossip is told %v of a slow peer", got)
	}
}

// Who is slow is banned no sooner, and who did well no later, than anybody else.
func TestOnlyOffencesBan(t *testing.T) {
	for name, prepare := range map[string]func(*Machine){
		"nothing": func(*Machine) {},
		"slow": func(m *Machine) {
			for range 100 {
				m.Deliver(begin, core.Delivery{Peer: "p", Late: 1, Delay: time.Minute})
			}
		},
		"good": func(m *Machine) {
			for i := range 100 {
				m.Deliver(begin.Add(time.Duration(i-100)*time.Minute), core.Delivery{Peer: "p", First: 100})
			}
		},
	} {
		m, n := New(DefaultConfig()), 1
		m.Connected("p", "")
		for prepare(m); m.Penalize(begin, "p", oneSerious, "") == nil; n++ {
		}
		if n != 9 {
			t.Errorf("%s: banned by serious offence %d, want 9", name, n)
		}
	}
}

func TestEveryPointIsExplained(t *testing.T) {
	m := New(DefaultConfig())
	m.Connected("p", "")
	if m.Terms(begin, "p") != nil {
		t.Error("terms of one who did nothing")
	}
	m.Penalize(begin, "p", oneSerious, "")
	m.Penalize(begin, "p", oneSerious, "")
	m.Penalize(begin, "p", oneMinor, "")
	m.Penalize(begin, "p", "fetch.wrong", "")
	m.Penalize(begin, "p", "nobody.knows", "")
	m.Deliver(begin, core.Delivery{Peer: "p", First: 2, Late: 3, Delay: time.Minute})
	m.Earned(begin, "p")
	want := []Term{
		{Compliance, -30, 4, begin, "offences: 2 frame.malformed, 1 frame.slow, 1 other"},
		{Validity, -30, 1, begin, "offences: 1 fetch.wrong"},
		{Slowness, -1, 3, begin, "late copies of messages"},
		{Delivery, 2, 2, begin, "messages that it brought first"},
		{Objects, 1, 1, begin, "objects that were valid and new"},
	}
	if got := m.Terms(begin, "p"); !slices.Equal(got, want) {
		t.Errorf("terms %+v, want %+v", got, want)
	}
	if got := m.Score(begin, "p"); got != 42 {
		t.Errorf("score %v, want 42", got)
	}
	healed := m.Terms(begin.Add(3*time.Minute), "p") // 30 points: compliance first
	if healed[0].Points != 0 || healed[1].Points != -30 || healed[0].Count != 4 {
		t.Errorf("three minutes later %+v", healed)
	}
}

func TestGossipHearsOfBansAndOfValidityOnly(t *testing.T) {
	m := New(DefaultConfig())
	opinion := func(at time.Time) float64 { got, _ := m.Opinion(at, "p"); return got }
	for range 8 {
		m.Penalize(begin, "p", oneSerious, "")
	}
	if got := opinion(begin); got != 0 {
		t.Errorf("of compliance it hears %v", got)
	}
	now := begin.Add(time.Hour)
	m.Penalize(now, "p", "object.author", "")
	m.Penalize(now, "p", "object.author", "")
	if got := opinion(now); got != 0 {
		t.Errorf("of two objects of a wrong author it hears %v", got)
	}
	m.Penalize(now, "p", "fetch.wrong", "")
	got, until := m.Opinion(now, "p")
	if got != -30 || until.Sub(now) < 3*time.Minute || until.Sub(now) > 3*time.Minute+time.Second || opinion(until) != 0 {
		t.Errorf("of 50 points of validity it hears %v until %v, then %v", got, until.Sub(now), opinion(until))
	}
	ban(m, "p", now)
	if got, until := m.Opinion(now, "p"); got != core.RateBanned || until != now.Add(time.Hour) {
		t.Errorf("of a ban it hears %v until %v", got, until)
	}
	m.Unban(now, "p")
	if got := opinion(now); got != 0 {
		t.Errorf("of a lifted ban it hears %v", got)
	}
}

func TestConfigNamesWhatCannotWork(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"heal":    func(c *Config) { c.Heal = 0 },
		"first":   func(c *Config) { c.FirstBan = 0 },
		"longest": func(c *Config) { c.LongestBan = time.Minute },
		"forgive": func(c *Config) { c.Forgive = -1 },
		"peers":   func(c *Config) { c.MaxPeers = 1 },
		"groups":  func(c *Config) { c.MaxGroups = 0 },
		"rate":    func(c *Config) { c.PerMinute = math.NaN() },
		"earned":  func(c *Config) { c.MostEarned = -1 },
		"half":    func(c *Config) { c.HalfLife = 0 },
		"slow":    func(c *Config) { c.SlowBeyond = 0 },
		"floor":   func(c *Config) { c.MostSlow = 90 },
		"alone":   func(c *Config) { c.Offenders = 1 },
	} {
		cfg := DefaultConfig()
		if spoil(&cfg); !errors.Is(cfg.Validate(), ErrConfig) {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestEveryWeightIsOfAProtocolAndAFault(t *testing.T) {
	for o, v := range weights {
		if protocol, fault, ok := strings.Cut(string(o), "."); !ok || protocol == "" || fault == "" || v.weight < minor || v.weight > fatal || v.term > Validity {
			t.Errorf("%s weighs %+v", o, v)
		}
	}
}

func TestWhateverHappensScoresAndBansKeepTheirBounds(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		cfg := DefaultConfig()
		cfg.MaxPeers, cfg.MaxGroups = 4, 2
		h := &history{T: r, m: New(cfg), now: begin, only: map[core.PeerID]weight{}}
		for range rapid.IntRange(1, 200).Draw(r, "steps") {
			p := core.PeerID(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(r, "peer"))
			h.step(p)
			h.check(p)
		}
	})
}

// history is a machine to which things happen.
type history struct {
	*rapid.T
	m    *Machine
	now  time.Time
	only map[core.PeerID]weight // the worst offence of a peer
}

func (h *history) step(p core.PeerID) {
	switch rapid.IntRange(0, 14).Draw(h.T, "step") {
	case 0:
		h.now = h.now.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(100*time.Hour)).Draw(h.T, "time")))
	case 1:
		h.m.Unban(h.now, p)
		h.m.UnbanGroup(h.now, "g")
	case 2:
		if b, err := h.m.Ban(h.now, p, time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(h.T, "for")), ""); err == nil && (b.Times < 1 || !h.m.IsBanned(h.now, p)) {
			h.Fatalf("ban %+v", b)
		}
	case 3, 4:
		h.m.Connected(p, core.Group(rapid.SampledFrom([]string{"", "g", "h", "i"}).Draw(h.T, "group")))
	case 5:
		h.m.Settled(p)
	case 6:
		h.m.Disconnected(p)
	case 7, 8:
		h.m.Deliver(h.now, core.Delivery{
			Peer: p, First: rapid.Uint32().Draw(h.T, "first"), Late: rapid.Uint32Range(0, 100).Draw(h.T, "late"),
			Delay: time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(h.T, "delay")),
		})
		h.m.Earned(h.now, p)
	default:
		h.offend(p, rapid.SampledFrom(slices.Sorted(maps.Keys(weights))).Draw(h.T, "offence"))
	}
}

func (h *history) offend(p core.PeerID, o core.Offence) {
	before, banned, shield := h.m.Score(h.now, p), h.m.IsBanned(h.now, p), h.wellBehaved()
	h.only[p] = max(h.only[p], weights[o].weight)
	bans := h.m.Penalize(h.now, p, o, "")
	if len(bans) == 0 && h.m.Score(h.now, p) > before {
		h.Fatalf("an offence raised the score of %s from %v", p, before)
	}
	for i, b := range bans {
		lasts := b.Until.Sub(h.now)
		switch {
		case h.only[p] == minor:
			h.Fatalf("%s is banned for minor offences alone: %+v", p, b)
		case banned || lasts < h.m.cfg.FirstBan || lasts > h.m.cfg.LongestBan || b.ByHand:
			h.Fatalf("ban %+v at %v, banned before: %v", b, h.now, banned)
		case i == 0 && (b.Peer != p || !h.m.IsBanned(h.now, p)), i == 1 && (b.Peer != "" || b.Group == "" || b.Group != bans[0].Group), i > 1:
			h.Fatalf("bans %+v for %s", bans, p)
		case i == 1 && (len(h.m.offenders(h.now, b.Group)) < h.m.cfg.Offenders || slices.ContainsFunc(shield[b.Group], func(s core.PeerID) bool { return s != p })):
			h.Fatalf("ban %+v with %v offenders and %v there", b, h.m.offenders(h.now, b.Group), shield[b.Group])
		}
	}
}

// wellBehaved are those connected, settled and without an offence worse than minor.
func (h *history) wellBehaved() map[core.Group][]core.PeerID {
	all := map[core.Group][]core.PeerID{}
	for id, p := range h.m.present {
		if p.settled && h.only[id] == 0 && !h.m.IsBanned(h.now, id) {
			all[p.group] = append(all[p.group], id)
		}
	}
	return all
}

func (h *history) check(p core.PeerID) {
	s := h.m.Score(h.now, p)
	sum := start
	for _, term := range h.m.Terms(h.now, p) {
		sum += term.Points
	}
	if s < 0 || s > best || h.m.lost(h.now, p) >= start-banAt || math.Abs(sum-s) > 1e-6 && s > 0 && s < best {
		h.Fatalf("%s has a score of %v, its terms come to %v", p, s, sum)
	}
	if rate, until := h.m.Opinion(h.now, p); rate > 0 || rate < 0 && !until.After(h.now) {
		h.Fatalf("gossip hears %v of %s until %v at %v", rate, p, until, h.now)
	}
	if st := h.m.Stats(); st.Scored > h.m.cfg.MaxPeers || st.Banned > h.m.cfg.MaxPeers || st.BannedGroups > h.m.cfg.MaxGroups {
		h.Fatalf("%+v is more than may be kept", st)
	}
	for _, b := range h.m.Bans(h.now) {
		if b.Peer != "" && !h.m.IsBanned(h.now, b.Peer) || b.Peer == "" && !h.m.IsGroupBanned(h.now, b.Group) {
			h.Fatalf("%+v is listed and not in force", b)
		}
	}
}

// A row of the table of offences: | `offence` | term | weight | points | text |.
var offenceRow = regexp.MustCompile("(?m)^\\| `([a-z]+\\.[a-z-]+)` \\| ([a-z]+) \\| ([a-z]+) \\| ([0-9]+) \\| [^|]+ \\|$")

func TestThePageListsEveryOffence(t *testing.T) {
	page, err := os.ReadFile("../../docs/reputation.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[weight]string{minor: "minor", serious: "serious", grave: "grave", fatal: "fatal"}
	listed := map[core.Offence]string{}
	for _, row := range offenceRow.FindAllStringSubmatch(string(page), -1) {
		listed[core.Offence(row[1])] = strings.Join(row[2:], " ")
	}
	for o, v := range weights {
		if want := fmt.Sprintf("%v %s %v", v.term, names[v.weight], v.weight); listed[o] != want {
			t.Errorf("docs/reputation.md says %q of %s, want %q", listed[o], o, want)
		}
		delete(listed, o)
	}
	if len(listed) > 0 {
		t.Errorf("docs/reputation.md lists %v, which nobody commits", listed)
	}
}
