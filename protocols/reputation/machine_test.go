package reputation

import (
	"errors"
	"fmt"
	"maps"
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
				ban, banned := m.Penalize(begin, "p", o, "detail")
				if !banned {
					continue
				}
				if got == 0 {
					got = i + 1
				}
				if want := string(o) + ": detail"; ban.Reason != want || !ban.Until.Equal(begin.Add(time.Hour)) || ban.Times != 1 {
					t.Errorf("ban %+v, want an hour for %q", ban, want)
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
	// Ten serious ones, spread over ten minutes, are no flood.
	slow := New(DefaultConfig())
	for i := range 10 {
		if _, banned := slow.Penalize(begin.Add(time.Duration(i)*time.Minute), "p", oneSerious, ""); banned {
			t.Fatalf("banned by offence %d, a minute after the last one", i+1)
		}
	}
}

func TestBansGetLongerAndAreForgiven(t *testing.T) {
	m, now := New(DefaultConfig()), begin
	last := func() time.Duration {
		begun := now
		for {
			if b, banned := m.Penalize(now, "p", oneGrave, ""); banned {
				now = b.Until
				return b.Until.Sub(begun)
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

func TestAnOwnersBanAndItsEnd(t *testing.T) {
	m := New(DefaultConfig())
	b := m.Ban(begin, "p", 5*time.Minute, "why not")
	if !b.Until.Equal(begin.Add(5*time.Minute)) || b.Reason != "why not" || !m.IsBanned(begin, "p") {
		t.Errorf("ban %+v", b)
	}
	if _, banned := m.Penalize(begin, "p", oneGrave, ""); banned || m.Stats().Offences[oneGrave] != 1 {
		t.Error("an offence within a ban bans anew, or is not counted")
	}
	if m.IsBanned(begin.Add(5*time.Minute), "p") {
		t.Error("banned when its time is over")
	}
	if !m.Unban(begin, "p") || m.IsBanned(begin, "p") || m.Unban(begin, "p") {
		t.Error("unban lifts a ban, once")
	}
	if b := m.Ban(begin, "p", 0, ""); b.Times != 1 {
		t.Errorf("a lifted ban counts: %d times", b.Times)
	}
}

func TestBansOfAnEarlierRunAreTakenIn(t *testing.T) {
	m := New(DefaultConfig())
	m.Restore(Ban{Peer: "b", Until: begin.Add(2 * time.Hour), Times: 3})
	m.Restore(Ban{Peer: "a", Until: begin.Add(time.Hour), Times: 1})
	m.Restore(Ban{Peer: "past", Until: begin.Add(-time.Hour), Times: 2})
	all := m.Bans(begin)
	if len(all) != 2 || all[0].Peer != "a" || all[1].Peer != "b" {
		t.Errorf("bans %v, want a, then b", all)
	}
	if b := m.Ban(begin, "past", 0, ""); b.Times != 3 {
		t.Errorf("an ended ban is not remembered: %d times", b.Times)
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxPeers = 10
	m := New(cfg)
	m.Penalize(begin, "worst", oneGrave, "")
	m.Ban(begin, "longest", time.Hour, "")
	for i := range 1000 {
		p := core.PeerID(fmt.Sprint(i))
		m.Penalize(begin, p, oneMinor, "")
		m.Ban(begin, "banned"+p, time.Minute, "")
	}
	if s := m.Stats(); s.Scored != 10 || s.Banned != 10 {
		t.Errorf("%d scores and %d bans are kept, want 10", s.Scored, s.Banned)
	}
	if m.Score(begin, "worst") != 70 || !m.IsBanned(begin, "longest") {
		t.Error("the worst score or the longest ban was forgotten")
	}
}

func TestConfigNamesWhatCannotWork(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"heal":    func(c *Config) { c.Heal = 0 },
		"first":   func(c *Config) { c.FirstBan = 0 },
		"longest": func(c *Config) { c.LongestBan = time.Minute },
		"forgive": func(c *Config) { c.Forgive = -1 },
		"peers":   func(c *Config) { c.MaxPeers = 0 },
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
	for o, w := range weights {
		if protocol, fault, ok := strings.Cut(string(o), "."); !ok || protocol == "" || fault == "" || w < minor || w > fatal {
			t.Errorf("%s weighs %v", o, w)
		}
	}
}

func TestWhateverHappensScoresAndBansKeepTheirBounds(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		cfg := DefaultConfig()
		cfg.MaxPeers = 4
		m, now := New(cfg), begin
		offences := slices.Sorted(maps.Keys(weights))
		onlyMinor := map[core.PeerID]bool{}
		for range rapid.IntRange(1, 200).Draw(r, "steps") {
			p := core.PeerID(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(r, "peer"))
			if _, known := onlyMinor[p]; !known {
				onlyMinor[p] = true
			}
			before := m.Score(now, p)
			switch rapid.IntRange(0, 9).Draw(r, "step") {
			case 0:
				now = now.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(100*time.Hour)).Draw(r, "time")))
			case 1:
				m.Unban(now, p)
			case 2:
				b := m.Ban(now, p, time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(r, "for")), "")
				if b.Times < 1 {
					r.Fatalf("ban %+v", b)
				}
			default:
				o := rapid.SampledFrom(offences).Draw(r, "offence")
				onlyMinor[p] = onlyMinor[p] && weights[o] == minor
				banned := m.IsBanned(now, p)
				ban, fell := m.Penalize(now, p, o, "")
				switch {
				case fell && onlyMinor[p]:
					r.Fatalf("%s is banned for minor offences alone: %+v", p, ban)
				case fell && (banned || ban.Until.Sub(now) < cfg.FirstBan || ban.Until.Sub(now) > cfg.LongestBan):
					r.Fatalf("ban %+v at %v, banned before: %v", ban, now, banned)
				case !fell && m.Score(now, p) > before:
					r.Fatalf("an offence raised the score of %s from %v", p, before)
				}
			}
			if s := m.Score(now, p); s <= banAt || s > start {
				r.Fatalf("%s has a score of %v and is not banned for it", p, s)
			}
			if s := m.Stats(); s.Scored > cfg.MaxPeers || s.Banned > cfg.MaxPeers {
				r.Fatalf("%d scores and %d bans are kept, at most %d", s.Scored, s.Banned, cfg.MaxPeers)
			}
			for _, b := range m.Bans(now) {
				if !m.IsBanned(now, b.Peer) {
					r.Fatalf("%+v is listed and not in force", b)
				}
			}
		}
	})
}
