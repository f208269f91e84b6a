package broadcast

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

var start = time.Unix(1_750_000_000, 0)

// carriers makes the predicate of a set of peers, for the topic "votes".
func carriers(peers ...core.PeerID) Carries {
	return func(p core.PeerID, topic string) bool { return topic == "votes" && slices.Contains(peers, p) }
}

func to(out []core.Action) (peers []core.PeerID) {
	for _, a := range out {
		peers = append(peers, a.(core.Send).Peer)
	}
	return peers
}

func TestItGoesToWhoCarriesTheTopicOnce(t *testing.T) {
	m := New(DefaultConfig(), carriers("bob", "carol", "gone", "stranger"))
	for _, p := range []core.PeerID{"bob", "dave", "gone", "carol", "bob"} {
		m.PeerUp(p)
	}
	m.PeerDown("gone")
	m.PeerDown("never here")
	vote := []byte("a vote")
	var out []core.Action
	n, err := m.Broadcast(start, "votes", vote, &out)
	if got := to(out); n != 2 || err != nil || !slices.Equal(got, []core.PeerID{"bob", "carol"}) {
		t.Errorf("%d, %v, to %q", n, err, got)
	}
	for _, a := range out {
		if s := a.(core.Send); s.Protocol != Protocol || s.Type != TypeObject || !bytes.Equal(s.Payload, vote) || s.Vital {
			t.Errorf("%+v", s)
		}
	}
	if n, err := m.Broadcast(start, "other", vote, &out); n != 0 || err != nil || len(out) != 2 {
		t.Errorf("a topic that nobody carries: %d, %v, %d", n, err, len(out))
	}
	if s := m.Stats(); s != (Stats{Broadcasts: 2, Sent: 2, Peers: 3}) {
		t.Errorf("%+v", s)
	}
}

func TestOurOwnAreBounded(t *testing.T) {
	cfg := DefaultConfig()
	m := New(cfg, carriers("bob"))
	m.PeerUp("bob")
	var out []core.Action
	for range 2 * cfg.Burst {
		m.Broadcast(start, "votes", []byte("x"), &out)
	}
	if _, err := m.Broadcast(start, "votes", []byte("x"), &out); !errors.Is(err, ErrTooOften) || len(out) != cfg.Burst {
		t.Errorf("%v after %d messages", err, len(out))
	}
	if n, err := m.Broadcast(start.Add(time.Second), "votes", []byte("x"), &out); n != 1 || err != nil {
		t.Errorf("a second later: %d, %v", n, err)
	}
	for _, bad := range [][]byte{nil, make([]byte, MaxPayload+1)} {
		if _, err := m.Broadcast(start.Add(time.Minute), "votes", bad, &out); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
}

func TestWhatMembersSendIsHandedOverUpToABound(t *testing.T) {
	cfg := DefaultConfig()
	m := New(cfg, carriers())
	m.PeerUp("mallory")
	m.PeerUp("bob")
	heard, blamed := 0, 0
	receive := func(from core.PeerID, kind frame.Type, payload string) (core.Offence, bool) {
		var out []core.Action
		m.Receive(start, from, kind, []byte(payload), &out)
		for _, a := range out {
			switch a := a.(type) {
			case Heard:
				heard++
				return "", a.From == from && string(a.Object) == payload
			case core.Penalize:
				blamed++
				return a.Offence, a.Peer == from
			}
		}
		return "", false
	}
	for range cfg.TakeBurst {
		if o, ok := receive("mallory", TypeObject, "spam"); o != "" || !ok {
			t.Fatal(o, ok)
		}
	}
	if o, ok := receive("mallory", TypeObject, "spam"); o != OffenceTooOften || !ok {
		t.Errorf("one more: %q, %v", o, ok)
	}
	if o, ok := receive("mallory", 2, "spam"); o != OffenceMalformed || !ok {
		t.Errorf("another type: %q, %v", o, ok)
	}
	if o, ok := receive("mallory", TypeObject, ""); o != OffenceMalformed || !ok {
		t.Errorf("nothing: %q, %v", o, ok)
	}
	if o, ok := receive("bob", TypeObject, "vote"); o != "" || !ok {
		t.Errorf("another member: %q, %v", o, ok)
	}
	if _, ok := receive("stranger", TypeObject, "vote"); ok {
		t.Error("somebody who is no member is heard")
	}
	if s := m.Stats(); s != (Stats{Heard: uint64(cfg.TakeBurst) + 1, TooOften: 1, Faults: 2, Peers: 2}) || heard != cfg.TakeBurst+1 || blamed != 3 {
		t.Errorf("%+v, %d heard, %d blamed", s, heard, blamed)
	}
}

// Whatever an honest node broadcasts, and however its messages are delayed and bunched
// within a few seconds, it is never over the bound of a receiver.
func TestHonestSendersAreNeverOverTheBound(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		alice, bob := New(DefaultConfig(), carriers("bob")), New(DefaultConfig(), carriers())
		alice.PeerUp("bob")
		bob.PeerUp("alice")
		now, arrived := start, start
		for range rapid.IntRange(1, 40).Draw(rt, "bursts") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(rt, "pause, ms")) * time.Millisecond)
			var out []core.Action
			for range rapid.IntRange(1, 600).Draw(rt, "objects") {
				alice.Broadcast(now, "votes", []byte("x"), &out)
			}
			if late := now.Add(time.Duration(rapid.IntRange(0, 5_000).Draw(rt, "delay, ms")) * time.Millisecond); late.After(arrived) {
				arrived = late
			}
			for range len(out) {
				var said []core.Action
				bob.Receive(arrived, "alice", TypeObject, []byte("x"), &said)
				if _, ok := said[0].(Heard); !ok {
					rt.Fatalf("%+v", said[0])
				}
			}
		}
	})
}

func TestConfig(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"none a second":       func(c *Config) { c.PerSecond = 0 },
		"none at once":        func(c *Config) { c.Burst = 0 },
		"takes fewer":         func(c *Config) { c.TakePerSecond = c.PerSecond - 1 },
		"takes fewer at once": func(c *Config) { c.TakeBurst = c.Burst - 1 },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestMessageBounds(t *testing.T) {
	for name, tc := range map[string]struct {
		kind  frame.Type
		bytes int
		ok    bool
	}{
		"one byte":      {TypeObject, 1, true},
		"the largest":   {TypeObject, MaxPayload, true},
		"one byte more": {TypeObject, MaxPayload + 1, false},
		"nothing":       {TypeObject, 0, false},
		"type 0":        {0, 1, false},
		"type 2":        {2, 1, false},
	} {
		if err := Check(tc.kind, make([]byte, tc.bytes)); (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzReceive sends a member's messages: each is handed over whole, or is an offence.
func FuzzReceive(f *testing.F) {
	v := readVectors(f)
	for _, m := range v.Messages {
		f.Add(uint8(m.Type), []byte(m.Payload))
	}
	for _, r := range v.Refused {
		f.Add(uint8(r.Type), []byte(r.Payload))
	}
	f.Fuzz(func(t *testing.T, kind uint8, payload []byte) {
		m := New(DefaultConfig(), carriers())
		m.PeerUp("bob")
		var out []core.Action
		m.Receive(start, "bob", frame.Type(kind), payload, &out)
		if len(out) != 1 {
			t.Fatalf("%d actions", len(out))
		}
		h, ok := out[0].(Heard)
		if good := kind == uint8(TypeObject) && len(payload) > 0 && len(payload) <= MaxPayload; ok != good || ok && !bytes.Equal(h.Object, payload) {
			t.Fatalf("type %d, %d bytes: %T", kind, len(payload), out[0])
		}
	})
}
