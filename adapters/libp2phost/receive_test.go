package libp2phost

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// rawPeer is a plain host that is connected to a speaker and writes what it likes.
type rawPeer struct {
	host.Host
	to peer.ID
}

func newRawPeer(t testing.TB, to *speaker, transport string) *rawPeer {
	t.Helper()
	h := plainHost(t, libp2p.Transport(libp2pquic.NewTransport))
	if err := h.Connect(testContext(t), to.on(transport)); err != nil {
		t.Fatal(err)
	}
	return &rawPeer{h, to.ID()}
}

func (p *rawPeer) open(t testing.TB, id string) network.Stream {
	t.Helper()
	s, err := p.NewStream(testContext(t), p.to, protocol.ID(id))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// frame is a message of the peer's.
func (p *rawPeer) frame(text string) []byte { return frameOf(p.ID(), time.Now(), text) }

func frameOf(from peer.ID, at time.Time, text string) []byte {
	sender, err := frame.SenderOf(from)
	if err != nil {
		panic(err)
	}
	out, err := frame.Append(nil, frame.Header{Type: 7, Sender: sender, Time: at}, []byte(text))
	if err != nil {
		panic(err)
	}
	return out
}

// announcement is the length of a message and no more.
func announcement(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

func write(t testing.TB, s network.Stream, parts ...[]byte) {
	t.Helper()
	for _, p := range parts {
		if _, err := s.Write(p); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitReset waits until the other side has reset the stream.
func awaitStreamReset(t testing.TB, s network.Stream) {
	t.Helper()
	eventually(t, "the stream is reset", func() bool {
		_, err := s.Write(announcement(1000)[:1])
		return errors.Is(err, network.ErrReset)
	})
}

func onBothTransports(t *testing.T, test func(t *testing.T, transport string)) {
	for _, transport := range bothTransports {
		t.Run(transport, func(t *testing.T) { test(t, transport) })
	}
}

func TestAMalformedMessageBetweenTwoGoodOnesIsSkipped(t *testing.T) {
	somebody := plainHost(t).ID()
	for _, tc := range []struct {
		cause   string
		offence core.Offence
		wire    func(p *rawPeer) []byte
	}{
		{"short", core.OffenceFrame, func(*rawPeer) []byte { return append(announcement(40), make([]byte, 40)...) }},
		{"short", core.OffenceFrame, func(*rawPeer) []byte { return announcement(0) }},
		{"sender", core.OffenceSender, func(*rawPeer) []byte { return frameOf(somebody, time.Now(), "from me") }},
		{"skew", "", func(p *rawPeer) []byte { return frameOf(p.ID(), time.Now().Add(-2*time.Minute), "late") }},
		{"skew", "", func(p *rawPeer) []byte { return frameOf(p.ID(), time.Now().Add(time.Hour), "early") }},
	} {
		t.Run(tc.cause, func(t *testing.T) {
			onBothTransports(t, func(t *testing.T, transport string) {
				b := newSpeaker(t)
				p := newRawPeer(t, b, transport)
				write(t, p.open(t, talkProtocol), p.frame("one"), tc.wire(p), p.frame("two"))
				got := b.inbox.await(t, 2)
				if string(got[0].Payload) != "one" || string(got[1].Payload) != "two" {
					t.Errorf("got %q", got)
				}
				if n := b.Stats().Messages.Malformed; n[tc.cause] != 1 {
					t.Errorf("counted %v", n)
				}
				if tc.offence != "" {
					await(t, b.events, func(ev core.Misbehaved) bool { return ev.Peer == p.ID() && ev.Offence == tc.offence })
				} else if all, _ := b.events.snapshot(); offences(all) != 0 {
					t.Errorf("told as an offence: %+v", all)
				}
			})
		})
	}
}

func offences(all []core.Event) (n int) {
	for _, ev := range all {
		if _, ok := ev.(core.Misbehaved); ok {
			n++
		}
	}
	return n
}

func TestAHandshakeMayHaveAnyTime(t *testing.T) {
	b := newSpeaker(t)
	p := newRawPeer(t, b, "tcp")
	write(t, p.open(t, greetProtocol), frameOf(p.ID(), time.Now().Add(time.Hour), "early"))
	if got := b.inbox.await(t, 1)[0]; string(got.Payload) != "early" {
		t.Errorf("got %+v", got)
	}
}

func TestATooLongMessageEndsItsStreamAndNoMore(t *testing.T) {
	onBothTransports(t, func(t *testing.T, transport string) {
		b := newSpeaker(t)
		p := newRawPeer(t, b, transport)
		greet, talk := p.open(t, greetProtocol), p.open(t, talkProtocol)
		write(t, greet, announcement(64<<10+frame.HeaderSize+1))
		awaitStreamReset(t, greet)
		await(t, b.events, func(ev core.Misbehaved) bool { return ev.Peer == p.ID() && ev.Offence == core.OffenceTooLong })
		write(t, talk, p.frame("still here"))
		b.inbox.await(t, 1)
		write(t, p.open(t, greetProtocol), p.frame("again"))
		b.inbox.await(t, 2)
	})
}

func TestAMessageThatDoesNotEndInTimeEndsItsStream(t *testing.T) {
	t.Parallel()                // it waits for time to pass
	const timeout = time.Second // a busy machine may take some of it to write
	onBothTransports(t, func(t *testing.T, transport string) {
		b := newSpeaker(t, func(c *Config) { c.FrameTimeout = timeout })
		p := newRawPeer(t, b, transport)
		for i, wire := range [][]byte{announcement(100)[:2], p.frame("hello")[:20]} {
			s, begun := p.open(t, talkProtocol), time.Now()
			write(t, s, wire)
			eventually(t, "it is counted", func() bool { return b.Stats().Messages.Malformed["slow"] == uint64(i+1) })
			if took := time.Since(begun); took < timeout {
				t.Errorf("%d bytes: ended after %v", len(wire), took)
			}
		}
		await(t, b.events, func(ev core.Misbehaved) bool { return ev.Peer == p.ID() && ev.Offence == core.OffenceSlow })
	})
}

// A byte now and then does not keep a message alive.
func TestATricklingMessageEndsItsStream(t *testing.T) {
	t.Parallel() // it waits for time to pass
	b := newSpeaker(t, func(c *Config) { c.FrameTimeout = time.Second })
	p := newRawPeer(t, b, "tcp")
	s := p.open(t, talkProtocol)
	write(t, s, p.frame("one"), announcement(1<<20))
	eventually(t, "the stream is reset", func() bool {
		_, err := s.Write([]byte{0})
		return errors.Is(err, network.ErrReset)
	})
	if n := b.Stats().Messages.Malformed["slow"]; n != 1 || b.inbox.len() != 1 {
		t.Errorf("%d slow messages, %d delivered", n, b.inbox.len())
	}
}

func TestASilentStreamIsClosedOnTimeWithoutBlame(t *testing.T) {
	t.Parallel()                    // it waits for time to pass
	const timeout = 2 * time.Second // most of it is slack for the second message
	onBothTransports(t, func(t *testing.T, transport string) {
		b := newSpeaker(t, func(c *Config) { c.FrameTimeout = timeout })
		p := newRawPeer(t, b, transport)
		s := p.open(t, talkProtocol)
		write(t, s, p.frame("hello"))
		time.Sleep(timeout / 4)
		begun := time.Now()
		write(t, s, p.frame("each message gives it new time"))
		eventually(t, "it is counted", func() bool { return b.Stats().Messages.Malformed["silent"] == 1 })
		if took := time.Since(begun); took < timeout || b.inbox.len() != 2 {
			t.Errorf("ended after %v and %d messages", took, b.inbox.len())
		}
		if all, _ := b.events.snapshot(); offences(all) != 0 {
			t.Errorf("told as an offence: %+v", all)
		}
	})
}

func TestAPeerHasFewStreamsOfAProtocol(t *testing.T) {
	onBothTransports(t, func(t *testing.T, transport string) {
		b := newSpeaker(t)
		p := newRawPeer(t, b, transport)
		streams := make([]network.Stream, maxInbound)
		for i := range streams {
			streams[i] = p.open(t, talkProtocol)
			write(t, streams[i], p.frame("hello"))
			b.inbox.await(t, i+1)
		}
		more := p.open(t, talkProtocol)
		awaitStreamReset(t, more)
		await(t, b.events, func(ev core.Misbehaved) bool { return ev.Peer == p.ID() && ev.Offence == core.OffenceStreams })
		write(t, streams[0], p.frame("the first one lives"))
		b.inbox.await(t, maxInbound+1)
		if err := streams[1].CloseWrite(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "there is room for another", func() bool {
			l := b.messages.link(p.ID())
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.lanes[1].inbound == maxInbound-1
		})
		write(t, p.open(t, talkProtocol), p.frame("a replacement"))
		b.inbox.await(t, maxInbound+2)
	})
}

func TestManyFaultsAreCountedButToldSparingly(t *testing.T) {
	b := newSpeaker(t)
	p := newRawPeer(t, b, "tcp")
	const n = 5000
	write(t, p.open(t, talkProtocol), bytes.Repeat(announcement(0), n), p.frame("end"))
	b.inbox.await(t, 1)
	if got := b.Stats().Messages.Malformed["short"]; got != n {
		t.Errorf("%d counted", got)
	}
	eventually(t, "all is posted", func() bool { return b.notifier.events.Len() == 0 })
	if all, _ := b.events.snapshot(); offences(all) < faultBurst || offences(all) > 20*faultBurst {
		t.Errorf("%d told", offences(all))
	}
	l := b.messages.link(p.ID())
	eventually(t, "the next one tells how many there were", func() bool {
		l.blame(fault{badShort, core.OffenceFrame, "x"})
		all, _ := b.events.snapshot()
		last, ok := all[len(all)-1].(core.Misbehaved)
		return ok && strings.Contains(last.Detail, "more faults before")
	})
}

func TestAPeerWithoutAnEd25519KeyIsRefused(t *testing.T) {
	b := newSpeaker(t)
	key, _, err := crypto.GenerateSecp256k1Key(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &rawPeer{plainHost(t, libp2p.Identity(key)), b.ID()}
	if err := p.Connect(testContext(t), b.on("tcp")); err != nil {
		t.Fatal(err)
	}
	awaitStreamReset(t, p.open(t, talkProtocol))
	if n := b.Stats().Messages.Malformed["key"]; n != 1 {
		t.Errorf("%d counted", n)
	}
}

// heapBytes is what lives on the heap.
func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestFiftyPeersThatAnnounceTheLargestMessageAndStallCostLittle(t *testing.T) {
	const peers = 50
	b := newSpeaker(t, func(c *Config) { c.MaxPeers = peers })
	streams := make([]network.Stream, peers)
	raw := make([]*rawPeer, peers)
	for i := range raw {
		raw[i] = newRawPeer(t, b, "tcp")
		streams[i] = raw[i].open(t, talkProtocol)
		write(t, streams[i], raw[i].frame("hello"))
	}
	b.inbox.await(t, peers)
	before := heapBytes()
	for i, s := range streams {
		write(t, s, announcement(frame.HeaderSize+frame.MaxPayload), raw[i].frame("a part")[:30])
	}
	reading := func() (n int) {
		for _, l := range b.messages.all() {
			if l.capacity.slots.TryAcquire(int64(b.cfg.Read.InProcess)) {
				l.capacity.slots.Release(int64(b.cfg.Read.InProcess))
			} else {
				n++
			}
		}
		return n
	}
	eventually(t, "all have begun", func() bool { return reading() == peers })
	if grown := heapBytes() - before; grown > 8<<20 {
		t.Errorf("the heap grew by %d KiB", grown>>10)
	}
	runtime.KeepAlive(streams)
}

func TestPeersThatFillThePoolDoNotStopOthers(t *testing.T) {
	const pool, peerPool = 256 << 10, 128 << 10
	b := newSpeaker(t, func(c *Config) { c.Read.Pool, c.Read.PeerPool = pool, peerPool })
	p := newRawPeer(t, b, "tcp")
	s := p.open(t, talkProtocol)
	for range 4 { // each holds a part of the pool, and the rest does not come
		p := newRawPeer(t, b, "tcp")
		write(t, p.open(t, talkProtocol), announcement(120<<10), make([]byte, 100<<10))
	}
	eventually(t, "nothing more can grow", func() bool { return b.Stats().Messages.HeldBytes > pool-pieceBytes })
	write(t, s, p.frame("small"))
	b.inbox.await(t, 1)
	if n := b.Stats().Messages.Malformed["evicted"]; n > 0 {
		t.Errorf("a small message came after %d stalled ones had been ended", n)
	}
	write(t, s, p.frame(strings.Repeat("large", 20_000)))
	b.inbox.await(t, 2)
	eventually(t, "stalled messages are ended", func() bool { return b.Stats().Messages.Malformed["evicted"] > 0 })
	if held := b.Stats().Messages.HeldBytes; held > pool+peerPool {
		t.Errorf("%d bytes are held", held)
	}
}

func TestAPeerOverItsRateDoesNotSlowOthers(t *testing.T) {
	b := newSpeaker(t, func(c *Config) { c.Read.BytesPerSec, c.Read.Burst = 16<<10, readPiece })
	hog, other := newRawPeer(t, b, "tcp"), newRawPeer(t, b, "tcp")
	const n = 200
	write(t, hog.open(t, talkProtocol), bytes.Repeat(hog.frame(strings.Repeat("x", 1000)), n))
	b.inbox.await(t, pieceBytes/2000)
	write(t, other.open(t, talkProtocol), other.frame("me too"))
	eventually(t, "the other's message came", func() bool { return b.inbox.from(other.ID()) == 1 })
	if got := b.inbox.from(hog.ID()); got >= n {
		t.Errorf("all %d messages of the hog came before", got)
	}
}

func (in *inbox) from(p peer.ID) (n int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, m := range in.all {
		if m.Peer == p {
			n++
		}
	}
	return n
}

func TestAPeerWhoseMessagesCostMuchWaitsAndOthersDoNot(t *testing.T) {
	t.Parallel() // it waits for time to pass
	var hogID atomic.Value
	hogID.Store(peer.ID(""))
	in := newInbox()
	b := newSpeaker(t, func(c *Config) {
		c.Deliver = func(m core.Received, done func(time.Duration)) {
			in.deliver(m, func(time.Duration) {})
			if m.Peer == hogID.Load() {
				done(3 * time.Second)
			} else {
				done(0)
			}
		}
	})
	hog, other := newRawPeer(t, b, "tcp"), newRawPeer(t, b, "tcp")
	hogID.Store(hog.ID())
	s := hog.open(t, talkProtocol)
	write(t, s, hog.frame("costs much"))
	in.await(t, 1)
	write(t, s, hog.frame("waits"))
	write(t, other.open(t, talkProtocol), other.frame("does not"))
	got := in.await(t, 3)
	if string(got[1].Payload) != "does not" || string(got[2].Payload) != "waits" {
		t.Errorf("came as %q, %q", got[1].Payload, got[2].Payload)
	}
}

func TestMessagesInProcessAreBoundedForEachPeer(t *testing.T) {
	b := newSpeaker(t, func(c *Config) { c.Read.InProcess = 3 })
	b.inbox.keep = true
	p, other := newRawPeer(t, b, "tcp"), newRawPeer(t, b, "tcp")
	s := p.open(t, talkProtocol)
	write(t, s, bytes.Repeat(p.frame("hello"), 10))
	b.inbox.await(t, 3)
	write(t, other.open(t, talkProtocol), other.frame("me too"))
	b.inbox.await(t, 4)
	time.Sleep(50 * time.Millisecond) // what must not happen has no event
	if n := b.inbox.len(); n != 4 {
		t.Fatalf("%d messages are in process", n)
	}
	b.inbox.mu.Lock()
	for _, done := range b.inbox.dones {
		done(0)
		done(0) // a second time is no harm
	}
	b.inbox.mu.Unlock()
	b.inbox.await(t, 7)
}

func TestTrustedPeersHaveAPoolOfTheirOwn(t *testing.T) {
	var trusted atomic.Value
	trusted.Store(peer.ID(""))
	b := newSpeaker(t, func(c *Config) {
		c.Read.Pool, c.Read.PeerPool = 128<<10, 128<<10
		c.Trusted = func(p peer.ID) bool { return p == trusted.Load() }
	})
	b.inbox.keep = true // what is delivered keeps its bytes
	p, v := newRawPeer(t, b, "tcp"), newRawPeer(t, b, "tcp")
	trusted.Store(v.ID())
	large := strings.Repeat("x", 100<<10)
	write(t, p.open(t, talkProtocol), p.frame(large), p.frame(large))
	b.inbox.await(t, 1)
	write(t, v.open(t, talkProtocol), v.frame(large))
	if got := b.inbox.await(t, 2)[1]; got.Peer != v.ID() {
		t.Errorf("the pool was exceeded by %s", got.Peer)
	}
}

func TestWithSymmetryNothingComesOnOurOwnConnections(t *testing.T) {
	b := newSpeaker(t, func(c *Config) { c.Symmetry = true })
	p := plainHost(t)
	mustConnect(t, b.testHost, peer.AddrInfo{ID: p.ID(), Addrs: p.Addrs()})
	eventually(t, "the peer knows the connection", func() bool { return len(p.Network().ConnsToPeer(b.ID())) == 1 })
	awaitStreamReset(t, (&rawPeer{p, b.ID()}).open(t, talkProtocol))
	await(t, b.events, func(ev core.Misbehaved) bool { return ev.Peer == p.ID() && ev.Offence == core.OffenceDirection })
}
