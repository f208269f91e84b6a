package libp2phost

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// The protocols of the tests; the first is the handshake.
const (
	greetProtocol = "/weft/test-greet/1.0.0"
	talkProtocol  = "/weft/test-talk/1.0.0"
)

// inbox records what a host delivers.
type inbox struct {
	mu      sync.Mutex
	all     []core.Received
	changed chan struct{}
	keep    bool // done is not called
	dones   []func(time.Duration)
}

func newInbox() *inbox { return &inbox{changed: make(chan struct{})} }

func (in *inbox) deliver(m core.Received, done func(time.Duration)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.all = append(in.all, m)
	close(in.changed)
	in.changed = make(chan struct{})
	if in.keep {
		in.dones = append(in.dones, done)
		return
	}
	done(0)
}

func (in *inbox) len() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.all)
}

// await returns the first n messages.
func (in *inbox) await(t testing.TB, n int) []core.Received {
	t.Helper()
	timeout := time.After(patience)
	for {
		in.mu.Lock()
		all, changed := in.all, in.changed
		in.mu.Unlock()
		if len(all) >= n {
			return all[:n]
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("%d of %d messages came", len(all), n)
		}
	}
}

// speaker is a host that speaks the test protocols.
type speaker struct {
	*testHost
	inbox *inbox
}

func newSpeaker(t testing.TB, change ...func(*Config)) *speaker {
	t.Helper()
	in := newInbox()
	speak := func(c *Config) {
		c.Messages = []MessageProtocol{
			{ID: greetProtocol, MaxPayload: 64 << 10, AnyClock: true},
			{ID: talkProtocol, MaxPayload: frame.MaxPayload},
		}
		c.Deliver = in.deliver
	}
	return &speaker{newTestHost(t, append([]func(*Config){speak}, change...)...), in}
}

func say(to peer.ID, text string) core.Send {
	return core.Send{Peer: to, Protocol: talkProtocol, Type: 7, Payload: []byte(text)}
}

func TestMessagesGoBothWays(t *testing.T) {
	for _, transport := range []string{"tcp", "quic-v1"} {
		t.Run(transport, func(t *testing.T) {
			a, b := newSpeaker(t), newSpeaker(t)
			mustConnect(t, a.testHost, b.on(transport))
			await(t, b.events, any1[core.Connected])
			a.Send(say(b.ID(), "one"))
			a.Send(say(b.ID(), "two"))
			b.Send(core.Send{Peer: a.ID(), Protocol: greetProtocol, Type: 1, Payload: []byte("hi"), Vital: true})
			got := b.inbox.await(t, 2)
			want := core.Received{Peer: a.ID(), Protocol: talkProtocol, Type: 7, Payload: []byte("one")}
			if got[0].Peer != want.Peer || got[0].Protocol != want.Protocol || got[0].Type != want.Type ||
				!bytes.Equal(got[0].Payload, want.Payload) || string(got[1].Payload) != "two" {
				t.Errorf("got %+v", got)
			}
			if hi := a.inbox.await(t, 1)[0]; hi.Peer != b.ID() || hi.Protocol != greetProtocol || string(hi.Payload) != "hi" {
				t.Errorf("got %+v", hi)
			}
			if s := a.Stats().Messages; s.Sent != 2 || s.SentBytes != 2*(frame.LengthSize+frame.HeaderSize+3) || s.Received != 1 || s.QueuedBytes != 0 {
				t.Errorf("counted %+v", s)
			}
		})
	}
}

func TestALargeMessageComesWhole(t *testing.T) {
	for _, transport := range []string{"tcp", "quic-v1"} {
		t.Run(transport, func(t *testing.T) {
			fast := func(c *Config) { c.Read.BytesPerSec = 0 }
			a, b := newSpeaker(t), newSpeaker(t, fast)
			mustConnect(t, a.testHost, b.on(transport))
			large := bytes.Repeat([]byte("0123456789abcdef"), 5<<16)
			a.Send(core.Send{Peer: b.ID(), Protocol: talkProtocol, Payload: large})
			a.Send(say(b.ID(), "behind"))
			got := b.inbox.await(t, 2)
			if !bytes.Equal(got[0].Payload, large) || string(got[1].Payload) != "behind" {
				t.Errorf("%d bytes, then %q", len(got[0].Payload), got[1].Payload)
			}
			eventually(t, "nothing is held", func() bool { return b.Stats().Messages.HeldBytes == 0 })
		})
	}
}

func TestMessageSettingsAreCheckedWhenThereAreProtocols(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"Messages":       func(c *Config) { c.Messages = append(c.Messages, c.Messages[0]) },
		"MaxPayload":     func(c *Config) { c.Messages[0].MaxPayload = frame.MaxPayload + 1 },
		"Idle":           func(c *Config) { c.Messages[0].Idle = -1 },
		"Deliver":        func(c *Config) { c.Deliver = nil },
		"MaxSkew":        func(c *Config) { c.MaxSkew = 0 },
		"Read":           func(c *Config) { c.Read.InProcess = 0 },
		"OutboxMessages": func(c *Config) { c.OutboxMessages = 0 },
		"OutboxBytes":    func(c *Config) { c.OutboxBytes = 0 },
		"FrameTimeout":   func(c *Config) { c.FrameTimeout = 0 },
		"WriteTimeout":   func(c *Config) { c.WriteTimeout = 0 },
		"StreamIdle":     func(c *Config) { c.StreamIdle = 0 },
	} {
		cfg := DefaultConfig()
		cfg.Key = testKey(t)
		cfg.Messages = []MessageProtocol{{ID: greetProtocol}}
		cfg.Deliver = newInbox().deliver
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		change(&cfg)
		if err := cfg.Validate(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if cfg.Messages = nil; cfg.Validate() != nil {
			t.Errorf("%s is checked without protocols", name)
		}
	}
}
