package libp2phost

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// reluctantPeer speaks the test protocols, but reads only when it is told to.
type reluctantPeer struct {
	host.Host
	streams chan network.Stream
}

func newReluctantPeer(t testing.TB, opts ...libp2p.Option) *reluctantPeer {
	t.Helper()
	p := &reluctantPeer{plainHost(t, opts...), make(chan network.Stream, 16)}
	for _, id := range []string{greetProtocol, talkProtocol} {
		p.SetStreamHandler(protocol.ID(id), func(s network.Stream) { p.streams <- s })
	}
	return p
}

func (p *reluctantPeer) info() peer.AddrInfo { return peer.AddrInfo{ID: p.ID(), Addrs: p.Addrs()} }

// stream is the next one that was opened to the peer.
func (p *reluctantPeer) stream(t testing.TB) network.Stream {
	t.Helper()
	select {
	case s := <-p.streams:
		return s
	case <-time.After(patience):
		t.Fatal("no stream was opened")
		return nil
	}
}

// readAll reads n messages.
func readAll(t testing.TB, s network.Stream, n int) (list []core.Received) {
	t.Helper()
	_ = s.SetReadDeadline(time.Now().Add(patience))
	d := frame.NewDecoder(frame.MaxPayload)
	for len(list) < n {
		k, err := s.Read(d.Space(1 << 20))
		if err != nil {
			t.Fatalf("after %d of %d messages: %v", len(list), n, err)
		}
		done, err := d.Advance(k)
		if err != nil {
			t.Fatal(err)
		}
		if done {
			h, payload, err := d.Take()
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, core.Received{Type: h.Type, Payload: payload})
		}
	}
	return list
}

func vital(to peer.ID, kind frame.Type, text string) core.Send {
	return core.Send{Peer: to, Protocol: talkProtocol, Type: kind, Payload: []byte(text), Vital: true}
}

func TestAPeerThatDoesNotReadCostsItsOutboxAndNoMore(t *testing.T) {
	a, p := newSpeaker(t), newReluctantPeer(t)
	mustConnect(t, a.testHost, p.info())
	large := strings.Repeat("x", 60<<10)
	sent := 0
	for ; a.Stats().Messages.Dropped["full"] == 0; sent++ {
		if sent > 1000 {
			t.Fatal("nothing is ever dropped")
		}
		a.Send(say(p.ID(), large))
	}
	for _, text := range []string{"old", "new"} {
		a.Send(vital(p.ID(), 1, text+" ping"))
		a.Send(vital(p.ID(), 2, text+" pong"))
	}
	stats := a.Stats().Messages
	if stats.QueuedBytes > a.cfg.OutboxBytes || stats.Dropped["replaced"] != 2 {
		t.Errorf("%+v", stats)
	}
	a.Send(core.Send{Peer: p.ID(), Protocol: greetProtocol, Payload: []byte("not behind the other"), Vital: true})
	first, second := p.stream(t), p.stream(t)
	if first.Protocol() != talkProtocol {
		first, second = second, first
	}
	readAll(t, second, 1)

	var order []string
	for _, m := range readAll(t, first, sent-1+2) {
		if m.Type != 7 {
			order = append(order, string(m.Payload))
		} else if len(order) > 0 && len(order) < 2 {
			t.Error("vital messages do not go first")
		}
	}
	if len(order) != 2 || order[0] != "new ping" || order[1] != "new pong" {
		t.Errorf("the vital messages that came: %q", order)
	}
	eventually(t, "nothing is queued", func() bool { return a.Stats().Messages.QueuedBytes == 0 })
}

func TestAMessageCountIsALimitToo(t *testing.T) {
	a, p := newSpeaker(t), newReluctantPeer(t)
	mustConnect(t, a.testHost, p.info())
	for range 2000 { // 2 MB: more than a stream takes unread
		a.Send(say(p.ID(), strings.Repeat("x", 1000)))
	}
	l := a.messages.link(p.ID())
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queued.messages > a.cfg.OutboxMessages {
		t.Errorf("%d messages are queued", l.queued.messages)
	}
}

func TestAStalledStreamIsGivenUpAndALaterMessageGetsANewOne(t *testing.T) {
	t.Parallel() // it waits for time to pass
	for _, transport := range bothTransports {
		t.Run(transport, func(t *testing.T) {
			a := newSpeaker(t, func(c *Config) { c.WriteTimeout = time.Second })
			p := newReluctantPeer(t, libp2p.ListenAddrs(loopbackQUIC), libp2p.Transport(libp2pquic.NewTransport))
			mustConnect(t, a.testHost, withTransport(p.info(), transport))
			for range 30 { // more than a stream takes unread
				a.Send(say(p.ID(), strings.Repeat("x", 60<<10)))
			}
			eventually(t, "the stream has stalled", func() bool { return a.Stats().Messages.Dropped["stalled"] > 0 })
			stalled := p.stream(t)
			eventually(t, "the lane rests", func() bool { return resting(a, p.ID(), 1) })
			a.Send(say(p.ID(), "news"))
			if got := readAll(t, p.stream(t), 1)[0]; string(got.Payload) != "news" {
				t.Errorf("got %d bytes", len(got.Payload))
			}
			if _, err := io.Copy(io.Discard, stalled); !errors.Is(err, network.ErrReset) {
				t.Errorf("the stalled stream ended with %v", err)
			}
		})
	}
}

// resting says that a lane has nothing to send and no goroutine.
func resting(a *speaker, p peer.ID, index int) bool {
	l := a.messages.link(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.lanes[index].running && l.lanes[index].box.empty()
}

func TestAnIdleStreamIsClosedAndTheNextMessageOpensAnother(t *testing.T) {
	onBothTransports(t, func(t *testing.T, transport string) {
		a, b := newSpeaker(t, func(c *Config) { c.StreamIdle = 100 * time.Millisecond }), newSpeaker(t)
		mustConnect(t, a.testHost, b.on(transport))
		await(t, b.events, any1[core.Connected])
		for i := range 3 {
			a.Send(say(b.ID(), "hello"))
			b.inbox.await(t, i+1)
			eventually(t, "no stream is left on either side", func() bool {
				return weftStreams(a, b.ID()) == 0 && weftStreams(b, a.ID()) == 0
			})
		}
		if n := b.Stats().Messages.Malformed; n["silent"]+n["streams"] != 0 {
			t.Errorf("counted %v", n)
		}
	})
}

func weftStreams(h *speaker, p peer.ID) (n int) {
	for _, c := range h.Base().Network().ConnsToPeer(p) {
		for _, s := range c.GetStreams() {
			if s.Protocol() == talkProtocol || s.Protocol() == greetProtocol {
				n++
			}
		}
	}
	return n
}

func TestMessagesGoOnOverTheRemainingConnectionAndAfterAReconnect(t *testing.T) {
	a, b := newSpeaker(t, symmetric), newSpeaker(t, symmetric) // so that there are two connections
	for _, s := range []*speaker{a, b} {
		s.messages.cfg.Symmetry = false
	}
	mustConnect(t, a.testHost, b.info())
	await(t, b.events, any1[core.Connected])
	mustConnect(t, b.testHost, a.info())
	a.Send(say(b.ID(), "one"))
	b.inbox.await(t, 1)
	l := a.messages.link(b.ID())
	eventually(t, "there are two connections", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return len(l.conns) == 2 })

	l.mu.Lock()
	used := l.lanes[1].stream.Conn()
	l.mu.Unlock()
	if err := used.Close(); err != nil {
		t.Fatal(err)
	}
	a.Send(say(b.ID(), "two"))
	if got := b.inbox.await(t, 2)[1]; string(got.Payload) != "two" {
		t.Errorf("got %q", got.Payload)
	}

	if err := a.Disconnect(b.ID()); err != nil {
		t.Fatal(err)
	}
	await(t, a.events, any1[core.Disconnected])
	await(t, b.events, any1[core.Disconnected])
	a.Send(say(b.ID(), "nobody is there"))
	if n := a.Stats().Messages.Dropped["gone"]; n != 1 {
		t.Errorf("%d dropped", n)
	}
	mustConnect(t, a.testHost, b.info())
	a.Send(say(b.ID(), "three"))
	if got := b.inbox.await(t, 3)[2]; string(got.Payload) != "three" {
		t.Errorf("got %q", got.Payload)
	}
}

// With symmetry a message waits until there is a connection of our own.
func TestWithSymmetryMessagesWaitForOurOwnConnection(t *testing.T) {
	a, b := newSpeaker(t, symmetric), newSpeaker(t, symmetric)
	mustConnect(t, b.testHost, a.info())
	await(t, a.events, any1[core.Connected])
	a.Send(say(b.ID(), "one"))
	a.Send(vital(b.ID(), 1, "two"))
	b.Send(say(a.ID(), "hello"))
	a.inbox.await(t, 1)
	if n := b.inbox.len(); n != 0 {
		t.Fatalf("%d messages came on the other's connection", n)
	}
	mustConnect(t, a.testHost, b.info())
	b.inbox.await(t, 2)
	if all, _ := b.events.snapshot(); offences(all) != 0 {
		t.Errorf("blamed: %+v", all)
	}
}

// A rejection is followed by the end of the connection a moment later.
func TestAMessageSentAMomentBeforeADisconnectArrives(t *testing.T) {
	onBothTransports(t, func(t *testing.T, transport string) {
		for range 5 {
			a, b := newSpeaker(t), newSpeaker(t)
			mustConnect(t, a.testHost, b.on(transport))
			await(t, b.events, any1[core.Connected])
			a.Send(vital(b.ID(), 9, "rejected"))
			eventually(t, "it is on its way", func() bool { return a.Stats().Messages.Sent == 1 && weftStreams(b, a.ID()) == 1 })
			time.Sleep(100 * time.Millisecond) // the moment
			if err := a.Disconnect(b.ID()); err != nil {
				t.Fatal(err)
			}
			await(t, b.events, any1[core.Disconnected])
			b.inbox.await(t, 1)
		}
	})
}

func TestManyPeersTalkToEachOtherAtOnce(t *testing.T) {
	const hosts, messages = 6, 100
	all := make([]*speaker, hosts)
	for i := range all {
		all[i] = newSpeaker(t)
	}
	for i, a := range all {
		for _, b := range all[:i] {
			mustConnect(t, a.testHost, b.info())
			await(t, b.events, func(ev core.Connected) bool { return ev.Peer == a.ID() })
		}
	}
	var senders sync.WaitGroup
	for _, a := range all {
		senders.Go(func() { // as its loop does
			for i := range messages {
				for _, b := range all {
					if a != b {
						a.Send(core.Send{Peer: b.ID(), Protocol: talkProtocol, Payload: []byte{byte(i)}})
					}
				}
			}
		})
	}
	senders.Wait()
	for _, b := range all {
		next := make(map[peer.ID]byte)
		for _, m := range b.inbox.await(t, (hosts-1)*messages) {
			if !bytes.Equal(m.Payload, []byte{next[m.Peer]}) {
				t.Fatalf("%d came instead of %d", m.Payload, next[m.Peer])
			}
			next[m.Peer]++
		}
	}
}

// However connections come and go, a message comes at most once, and in the end
// messages get through.
func TestMessagesComeAtMostOnceWhileConnectionsComeAndGo(t *testing.T) {
	onBothTransports(t, func(t *testing.T, transport string) {
		a, b := newSpeaker(t), newSpeaker(t)
		sent := 0
		say := func(n int) {
			for range n {
				a.Send(core.Send{Peer: b.ID(), Protocol: talkProtocol, Payload: binary.BigEndian.AppendUint32(nil, uint32(sent))})
				sent++
			}
		}
		for round := range 20 {
			mustConnect(t, a.testHost, b.on(transport))
			say(50)
			closer, other := a, b
			if round%2 == 0 {
				closer, other = b, a
				eventually(t, "it knows the connection", func() bool { return b.Connected(a.ID()) })
			}
			if err := closer.Disconnect(other.ID()); err != nil {
				t.Fatal(err)
			}
			say(5)
			for _, s := range []*speaker{a, b} {
				eventually(t, "the end is noticed", func() bool { return s.NumPeers() == 0 })
			}
		}
		mustConnect(t, a.testHost, b.on(transport))
		eventually(t, "the link is there", func() bool { return a.messages.link(b.ID()) != nil })
		say(1)
		seen := make(map[uint32]bool)
		last := func() bool {
			b.inbox.mu.Lock()
			defer b.inbox.mu.Unlock()
			for _, m := range b.inbox.all[len(seen):] {
				n := binary.BigEndian.Uint32(m.Payload)
				if seen[n] {
					t.Fatalf("message %d came twice", n)
				}
				seen[n] = true
			}
			return seen[uint32(sent-1)]
		}
		eventually(t, "the last message comes", last)
	})
}

func TestPlainPeersAreToldOnce(t *testing.T) {
	for name, send := range map[string]bool{"by their refusal": true, "by identify": false} {
		t.Run(name, func(t *testing.T) {
			onBothTransports(t, func(t *testing.T, transport string) {
				a, p := newSpeaker(t), plainHost(t, libp2p.ListenAddrs(loopbackQUIC), libp2p.Transport(libp2pquic.NewTransport))
				mustConnect(t, a.testHost, withTransport(peer.AddrInfo{ID: p.ID(), Addrs: p.Addrs()}, transport))
				if send {
					a.Send(core.Send{Peer: p.ID(), Protocol: greetProtocol, Payload: []byte("hi"), Vital: true})
				}
				await(t, a.events, func(ev core.Plain) bool { return ev.Peer == p.ID() })
				eventually(t, "identify has run", func() bool { ps, _ := a.Base().Peerstore().GetProtocols(p.ID()); return len(ps) > 0 })
				a.Send(say(p.ID(), "more"))
				eventually(t, "what is sent is dropped", func() bool { return a.Stats().Messages.Dropped["refused"] > 0 })
				eventually(t, "the lanes rest", func() bool { return resting(a, p.ID(), 0) && resting(a, p.ID(), 1) })
				all, _ := a.events.snapshot()
				if n := plains(all); n != 1 {
					t.Errorf("told %d times", n)
				}
			})
		})
	}
}

func plains(all []core.Event) (n int) {
	for _, ev := range all {
		if _, ok := ev.(core.Plain); ok {
			n++
		}
	}
	return n
}

func TestOnlyTheFirstProtocolMakesAPeerPlain(t *testing.T) {
	p := plainHost(t)
	got := make(chan network.Stream, 1)
	p.SetStreamHandler(greetProtocol, func(s network.Stream) { got <- s })
	a := newSpeaker(t)
	mustConnect(t, a.testHost, peer.AddrInfo{ID: p.ID(), Addrs: p.Addrs()})
	a.Send(say(p.ID(), "it does not speak this"))
	eventually(t, "it is refused", func() bool { return a.messages.link(p.ID()).refuses(1) })
	a.Send(say(p.ID(), "dropped"))
	if n := a.Stats().Messages.Dropped["refused"]; n == 0 {
		t.Errorf("dropped %v", a.Stats().Messages.Dropped)
	}
	a.Send(core.Send{Peer: p.ID(), Protocol: greetProtocol, Payload: []byte("hi")})
	<-got
	if all, _ := a.events.snapshot(); plains(all) != 0 {
		t.Error("told as plain")
	}
}

func (l *link) refuses(index int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lanes[index].refused
}

func TestWeftPeersAreNotTakenForPlain(t *testing.T) {
	onBothTransports(t, func(t *testing.T, transport string) {
		a, b := newSpeaker(t), newSpeaker(t)
		mustConnect(t, a.testHost, b.on(transport))
		for _, pair := range [][2]*speaker{{a, b}, {b, a}} {
			eventually(t, "identify has run", func() bool {
				ps, _ := pair[0].Base().Peerstore().GetProtocols(pair[1].ID())
				return len(ps) > 0
			})
		}
		a.Send(say(b.ID(), "hello"))
		b.inbox.await(t, 1)
		for _, s := range []*speaker{a, b} {
			if all, _ := s.events.snapshot(); plains(all) != 0 {
				t.Error("told as plain")
			}
		}
	})
}

// A host that has just started tells the protocols that it had before its handlers
// were set.
func TestAWeftPeerThatIsIdentifiedWithoutItsProtocolsIsNotTakenForPlain(t *testing.T) {
	a, b := newSpeaker(t), newSpeaker(t)
	mustConnect(t, a.testHost, b.info())
	await(t, a.events, any1[core.Connected])
	a.messages.identified(event.EvtPeerIdentificationCompleted{Peer: b.ID()})
	time.Sleep(suspectFor + 100*time.Millisecond) // what must not happen has no event
	if all, _ := a.events.snapshot(); plains(all) != 0 {
		t.Error("told as plain")
	}
}

// Identify may be faster than the news that the connection is up.
func TestAPlainPeerMayBeIdentifiedBeforeItsLinkIsThere(t *testing.T) {
	a := newSpeaker(t)
	c := &linkConn{peer: plainHost(t).ID()}
	a.messages.identified(event.EvtPeerIdentificationCompleted{Peer: c.peer, Conn: c})
	a.messages.open(c.peer)
	a.messages.up(c)
	l := a.messages.link(c.peer)
	eventually(t, "it is taken for plain", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.plain })
	if len(a.messages.early) != 0 {
		t.Error("the connection is still remembered")
	}
	a.messages.shut(c.peer)
	c.closed = true
	a.messages.identified(event.EvtPeerIdentificationCompleted{Peer: c.peer, Conn: c})
	if len(a.messages.early) != 0 {
		t.Error("a connection that is gone is remembered")
	}
}

type linkConn struct {
	network.Conn
	peer   peer.ID
	closed bool
}

func (c *linkConn) RemotePeer() peer.ID { return c.peer }
func (c *linkConn) IsClosed() bool      { return c.closed }
