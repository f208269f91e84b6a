package simtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// echo is a machine that notes what happens and answers nothing.
type echo struct {
	log      []string
	received []core.Received
	due      time.Time
}

func (e *echo) Handle(now time.Time, ev core.Event, _ *[]core.Effect) {
	at := now.Sub(Start)
	switch ev := ev.(type) {
	case core.Connected:
		e.log = append(e.log, fmt.Sprintf("%v connected %s in=%v guest=%v", at, string(ev.Peer), ev.Inbound, ev.Guest))
	case core.Linked:
		e.log = append(e.log, fmt.Sprintf("%v linked %s in=%v out=%v", at, string(ev.Peer), ev.Inbound, ev.Outbound))
	case core.Disconnected:
		e.log = append(e.log, fmt.Sprintf("%v disconnected %s", at, string(ev.Peer)))
	case core.DialFailed:
		e.log = append(e.log, fmt.Sprintf("%v failed %s: %s", at, string(ev.Peer), ev.Reason))
	case core.Received:
		e.log = append(e.log, fmt.Sprintf("%v %s from %s: %s", at, ev.Protocol, string(ev.Peer), ev.Payload))
		e.received = append(e.received, ev)
	}
}

func (e *echo) Tick(time.Time, *[]core.Effect) { e.due = time.Time{} }
func (e *echo) Deadline() time.Time            { return e.due }

// lab is a network of echoes called a, b, c ...
type lab struct {
	*Sim
	t     *testing.T
	net   *Network
	nodes map[core.PeerID]*Node
}

func newLab(t *testing.T, names string, change func(*Config, *NodeConfig)) *lab {
	cfg := DefaultConfig()
	l := &lab{Sim: New(1), t: t, nodes: map[core.PeerID]*Node{}}
	change(&cfg, &NodeConfig{})
	var err error
	if l.net, err = NewNetwork(l.Sim, cfg); err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		id := core.PeerID(name)
		node := NodeConfig{Host: DefaultHostConfig(id, addrOf(i, 1))}
		node.Boot = func(*Node) (core.Machine, []core.Event) { return &echo{}, nil }
		change(&cfg, &node)
		l.nodes[id] = NewNode(l.net, node)
		l.nodes[id].Start()
	}
	return l
}

func plainLab(t *testing.T, names string) *lab {
	return newLab(t, names, func(*Config, *NodeConfig) {})
}

func (l *lab) dial(from, to core.PeerID) {
	l.nodes[from].Do(core.Dial{Peer: to, Addrs: l.nodes[to].cfg.Host.Addrs})
}

func (l *lab) send(from, to core.PeerID, protocol, text string) {
	l.nodes[from].Do(core.Send{Peer: to, Protocol: protocol, Type: frame.Type(1), Payload: []byte(text)})
}

func (l *lab) echo(id core.PeerID) *echo { return l.nodes[id].Machine.(*echo) }

// want says what happened to a node since the last time.
func (l *lab) want(id core.PeerID, log ...string) {
	l.t.Helper()
	e := l.echo(id)
	if !slices.Equal(e.log, log) {
		l.t.Fatalf("node %s saw\n  %q, want\n  %q", string(id), e.log, log)
	}
	e.log = nil
}

func TestADialTakesRoundTripsAndTheListenerDecidesLast(t *testing.T) {
	l := plainLab(t, "ab")
	l.dial("a", "b")
	l.Run(time.Second)
	l.want("a", "300ms connected b in=false guest=false", "300ms linked b in=false out=true")
	l.want("b", "350ms connected a in=true guest=false", "350ms linked a in=true out=false")
	l.send("b", "a", "p", "hello")
	l.Run(time.Second)
	l.want("a", "1.05s p from b: hello")
	if got := l.nodes["a"].Host.Traffic("p").Received; got != (Count{1, 5 + Overhead}) {
		t.Errorf("received %+v, want one message of %d bytes", got, 5+Overhead)
	}
	l.nodes["b"].Do(core.Disconnect{Peer: "a"})
	l.Run(time.Second)
	l.want("b", "2s disconnected a")
	l.want("a", "2.05s disconnected b")
}

func TestDialsThatFail(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(*lab)
		want  string
	}{
		"port closed":   {func(l *lab) { l.nodes["b"].SetOpen(false) }, "100ms failed b: connection refused"},
		"host down":     {func(l *lab) { l.nodes["b"].Crash() }, "10s failed b: i/o timeout"},
		"partition":     {func(l *lab) { l.nodes["b"].SetSide(1) }, "10s failed b: i/o timeout"},
		"blocked":       {func(l *lab) { l.nodes["a"].Do(core.Block{Peer: "b", Until: Start.Add(time.Hour)}) }, "0s failed b: blocked"},
		"another peer":  {func(l *lab) { l.nodes["b"].cfg.Host.Addrs = l.nodes["c"].cfg.Host.Addrs }, "300ms failed b: another peer answers there"},
		"nowhere":       {func(l *lab) { l.nodes["b"].cfg.Host.Addrs = []multiaddr.Multiaddr{addrOf(99, 1)} }, "10s failed b: i/o timeout"},
		"vanishes":      {func(l *lab) { l.After(time.Millisecond, l.nodes["b"].Crash) }, "10.3s failed b: i/o timeout"},
		"blocked later": {func(l *lab) { l.nodes["a"].Do(core.Block{Peer: "b", Until: Start}) }, "300ms connected b in=false guest=false"},
	} {
		t.Run(name, func(t *testing.T) {
			l := plainLab(t, "abc")
			tt.spoil(l)
			l.dial("a", "b")
			l.Run(20 * time.Second)
			if e := l.echo("a"); len(e.log) == 0 || e.log[0] != tt.want {
				t.Errorf("saw %q, want %q first", e.log, tt.want)
			}
		})
	}
}

func TestTwoDialsAtOnceAreTwoConnections(t *testing.T) {
	l := plainLab(t, "ab")
	l.dial("a", "b")
	l.dial("b", "a")
	l.Run(time.Second)
	l.want("a", "300ms connected b in=false guest=false", "300ms linked b in=false out=true", "350ms linked b in=true out=true")
	l.dial("a", "b") // connected: nothing to do
	l.Run(time.Second)
	if a, b := l.nodes["a"].Host.Connections("b"), l.nodes["b"].Host.Connections("a"); a != 2 || b != 2 {
		t.Errorf("%d and %d connections, want 2", a, b)
	}
}

func TestAFullHostTakesGuestsForAWhile(t *testing.T) {
	l := newLab(t, "abcd", func(_ *Config, n *NodeConfig) {
		n.Host.Places, n.Host.Guests = 1, 1
		n.Host.Reserved = func(p core.PeerID) bool { return p == "r" }
	})
	for _, from := range []core.PeerID{"b", "c", "d"} {
		l.dial(from, "a")
		l.Run(time.Second)
	}
	l.Run(20 * time.Second)
	l.want("a",
		"350ms connected b in=true guest=false", "350ms linked b in=true out=false",
		"1.35s connected c in=true guest=true", "1.35s linked c in=true out=false", "11.35s disconnected c")
	l.want("d", "2.3s connected a in=false guest=false", "2.3s linked a in=false out=true", "2.4s disconnected a")
}

func TestMessagesOfOneProtocolKeepTheirOrder(t *testing.T) {
	l := newLab(t, "ab", func(c *Config, _ *NodeConfig) { c.Jitter = time.Second })
	l.dial("a", "b")
	l.Run(2 * time.Second)
	for i := range 50 {
		l.send("a", "b", []string{"p", "q"}[i%2], fmt.Sprintf("%02d", i))
	}
	l.nodes["a"].Do(core.Disconnect{Peer: "b"})
	l.Run(5 * time.Second)
	var all, p []string
	for _, m := range l.echo("b").received {
		if all = append(all, string(m.Payload)); m.Protocol == "p" {
			p = append(p, string(m.Payload))
		}
	}
	if len(all) != 50 || slices.IsSorted(all) || !slices.IsSorted(p) {
		t.Errorf("got %q, want all 50 before the end of the connection, those of one protocol in order, those of both not", all)
	}
}

func TestLossAndPartitionsLoseMessages(t *testing.T) {
	l := newLab(t, "ab", func(c *Config, _ *NodeConfig) { c.Loss = 0.2 })
	l.dial("a", "b")
	l.Run(time.Second)
	for range 1000 {
		l.send("a", "b", "p", "x")
	}
	l.Run(time.Second)
	if got := len(l.echo("b").received); got < 750 || got > 850 {
		t.Errorf("%d of 1000 messages came, want about 800", got)
	}
	l.echo("b").received = nil
	l.nodes["b"].SetSide(1)
	for range 10 {
		l.send("a", "b", "p", "x")
	}
	l.Run(time.Second)
	l.nodes["b"].SetSide(0)
	if got := len(l.echo("b").received); got != 0 {
		t.Errorf("%d messages crossed the partition", got)
	}
}

func TestARestartedHostEndsTheConnectionsOfItsEarlierLife(t *testing.T) {
	l := plainLab(t, "ab")
	l.dial("a", "b")
	l.Run(time.Second)
	l.nodes["b"].Crash()
	l.send("a", "b", "p", "into the void")
	l.Run(time.Second)
	l.nodes["b"].Start()
	l.echo("a").log = nil
	l.Run(time.Second)
	l.want("a") // it cannot know
	l.send("a", "b", "p", "who are you?")
	l.Run(time.Second)
	l.want("a", "3.1s disconnected b")
	l.want("b")
}

func TestWithSymmetryMessagesTravelOnTheSendersOwnConnection(t *testing.T) {
	l := newLab(t, "ab", func(_ *Config, n *NodeConfig) { n.Host.Symmetry = true })
	l.dial("a", "b")
	l.Run(time.Second)
	l.send("b", "a", "p", "early")
	l.Run(time.Second)
	l.want("a", "300ms connected b in=false guest=false", "300ms linked b in=false out=true")
	l.dial("b", "a")
	l.Run(time.Second)
	l.want("a", "2.35s linked b in=true out=true", "2.35s p from b: early")
}

func TestClockAndRestart(t *testing.T) {
	l := plainLab(t, "a")
	n := l.nodes["a"]
	n.SetClock(time.Hour)
	l.echo("a").due = n.Now().Add(time.Second)
	n.SetClock(time.Hour) // looks at the deadline again
	l.Run(999 * time.Millisecond)
	if l.echo("a").due.IsZero() {
		t.Fatal("ticked too early")
	}
	l.Run(time.Millisecond)
	if !l.echo("a").due.IsZero() {
		t.Error("not ticked, want it by the node's own clock")
	}
	n.Crash()
	n.Command(nil) // nobody is at home
	if n.Start(); !n.Up() {
		t.Error("the node is down after Start")
	}
}

func TestMessagesWithAnotherTimeAreSkippedButInTheHandshake(t *testing.T) {
	l := plainLab(t, "ab")
	l.dial("a", "b")
	l.Run(time.Second)
	l.nodes["b"].SetClock(-time.Hour)
	l.echo("a").log = nil
	l.send("b", "a", "p", "what time is it?")
	l.send("b", "a", DefaultConfig().AnyClock, "hello")
	l.Run(time.Second)
	l.want("a", "1.05s /weft/handshake/1.0.0 from b: hello")
}

// stuck is a machine whose deadline never passes.
type stuck struct{ echo }

func (*stuck) Deadline() time.Time { return Start }

func TestAMachineWithoutProgressIsFoundOut(t *testing.T) {
	l := plainLab(t, "a")
	l.nodes["a"].Crash()
	l.nodes["a"].cfg.Boot = func(*Node) (core.Machine, []core.Event) { return &stuck{}, nil }
	defer func() {
		if recover() == nil {
			t.Error("ran on, want a panic that names the node")
		}
	}()
	l.nodes["a"].Start()
	l.Run(time.Second)
}

func TestTheQueueKeepsTimeAndOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var q queue
	for i := range 10_000 {
		if rng.IntN(3) == 0 && q.len() > 0 {
			q.pop()
		}
		q.push(item{at: time.Duration(rng.IntN(50)), seq: uint64(i)})
	}
	last := q.pop()
	for q.len() > 0 {
		next := q.pop()
		if next.before(&last) {
			t.Fatalf("%v %d after %v %d", next.at, next.seq, last.at, last.seq)
		}
		last = next
	}
}

func TestConfigNamesWhatCannotWork(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"latency": func(c *Config) { c.Latency = nil },
		"loss":    func(c *Config) { c.Loss = 1.5 },
		"trips":   func(c *Config) { c.SetupTrips = 0 },
		"timeout": func(c *Config) { c.DialTimeout = 0 },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if _, err := NewNetwork(New(1), cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
