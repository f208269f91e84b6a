package node_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/adapters/libp2phost"
	"github.com/weftnet/weft/node"
	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/handshake"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/peerlist"
	"github.com/weftnet/weft/protocols/uptime"
)

// awaitOffence reads events until a peer's offence of a kind.
func awaitOffence(t testing.TB, n *node.Node, p peer.ID, offence string) node.Event {
	t.Helper()
	for events := n.EventsAfter(0); ; {
		if e := awaitEvent(t, events, "peer.offence", p); strings.HasPrefix(e.Text, offence) {
			return e
		}
	}
}

func TestAMalformedMessageBetweenTwoValidOnes(t *testing.T) {
	otherSender, err := frame.SenderOf(newPlainPeer(t).host.ID())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name, offence string
		bad           func(r *rawPeer) []byte
	}{
		{"short frame", "frame.malformed", func(*rawPeer) []byte { return []byte{0, 0, 0, 3, 1, 2, 3} }},
		{"empty frame", "frame.malformed", func(*rawPeer) []byte { return []byte{0, 0, 0, 0} }},
		{"payload", "uptime.malformed", func(r *rawPeer) []byte { return r.message(uptime.TypePing, []byte{0xff, 0xff}) }},
		{"unknown type", "uptime.malformed", func(r *rawPeer) []byte { return r.message(99, nil) }},
		{"other sender", "frame.sender", func(r *rawPeer) []byte {
			h := frame.Header{Type: uptime.TypePing, Sender: otherSender, Time: time.Now()}
			b, err := frame.Append(nil, h, uptime.Ping{ID: 66}.Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			return b
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			n, r := start(t), newRawPeer(t)
			r.join(n)
			s := r.open(n, uptime.Protocol)
			answered := func(id uint64) {
				t.Helper()
				if pong, err := uptime.ParsePong(r.await(uptime.Protocol, uptime.TypePong)); err != nil || pong.ID != id {
					t.Errorf("pong %+v, %v; want %d", pong, err, id)
				}
			}
			ping := func(id uint64) []byte { return r.message(uptime.TypePing, uptime.Ping{ID: id}.Append(nil)) }
			r.write(s, ping(1))
			answered(1) // as a later pong takes the place of one that waits
			r.write(s, append(x.bad(r), ping(2)...))
			answered(2)
			awaitOffence(t, n, r.host.ID(), x.offence)
			if !member(t, n, r.host.ID()) {
				t.Error("the peer is no member any more")
			}
		})
	}
}

// An unfinished handshake lasts 5 s. The link is known a moment before the event
// tells of it, and a loaded machine comes late.
const (
	handshakeLeast = 4500 * time.Millisecond
	handshakeMost  = 8 * time.Second
)

// babbler is a peer that does anything but complete its handshake.
type babbler struct {
	name string
	says func(r *rawPeer, n *node.Node) func() error // called again and again

	r    *rawPeer
	n    *node.Node
	say  func() error
	mute bool
}

func babblers() []*babbler {
	return []*babbler{
		{name: "silence", says: func(*rawPeer, *node.Node) func() error { return func() error { return nil } }},
		{name: "libp2p pings", says: func(r *rawPeer, n *node.Node) func() error {
			return func() error {
				return (<-ping.Ping(network.WithNoDial(soon(r.t), "only while it is connected"), r.host, n.ID())).Error
			}
		}},
		{name: "malformed handshakes", says: func(r *rawPeer, n *node.Node) func() error {
			s := r.open(n, handshake.Protocol)
			return func() error { _, err := s.Write(r.message(handshake.TypeHandshake, []byte("?"))); return err }
		}},
		{name: "early pings", says: func(r *rawPeer, n *node.Node) func() error {
			s := r.open(n, uptime.Protocol)
			return func() error {
				_, err := s.Write(r.message(uptime.TypePing, uptime.Ping{ID: 1}.Append(nil)))
				return err
			}
		}},
		{name: "a handshake byte by byte", says: func(r *rawPeer, n *node.Node) func() error {
			s, bytes := r.open(n, handshake.Protocol), r.message(handshake.TypeHandshake, r.hello().Append(nil))
			return func() error {
				_, err := s.Write(bytes[:1])
				bytes = bytes[1:]
				return err
			}
		}},
		{name: "no acceptance", says: func(r *rawPeer, n *node.Node) func() error {
			s, bytes := r.open(n, handshake.Protocol), r.message(handshake.TypeHandshake, r.hello().Append(nil))
			return func() error {
				_, err := s.Write(bytes)
				bytes = nil
				return err
			}
		}},
	}
}

func TestNothingKeepsAnUnfinishedHandshakeAlive(t *testing.T) {
	t.Parallel()
	all := babblers()
	for _, b := range all {
		b.r = newRawPeer(t)
		b.n = start(t, newMembersFile(t, b.r.host.ID()).admits)
		b.r.connect(b.n)
		b.say = b.says(b.r, b.n)
	}
	every := time.NewTicker(700 * time.Millisecond)
	defer every.Stop()
	for range handshakeMost / (700 * time.Millisecond) {
		for _, b := range all {
			b.mute = b.mute || !b.r.connected(b.n) || b.say() != nil
		}
		<-every.C
	}
	for _, b := range all {
		t.Run(b.name, b.ended)
	}
}

func (b *babbler) ended(t *testing.T) {
	up := awaitEvent(t, b.n.EventsAfter(0), "peer.connected", b.r.host.ID())
	refused := awaitEvent(t, b.n.EventsAfter(0), "peer.rejected", b.r.host.ID())
	down := awaitEvent(t, b.n.EventsAfter(0), "peer.disconnected", b.r.host.ID())
	if took := refused.Time.Sub(up.Time); took < handshakeLeast || took > handshakeMost {
		t.Errorf("refused after %v", took)
	}
	if took := down.Time.Sub(up.Time); took > handshakeMost {
		t.Errorf("disconnected after %v", took)
	}
	if got := refusal(t, b.n, b.r.host.ID()).Reason; got != "timeout" {
		t.Errorf("refused for %s, want timeout", got)
	}
}

// The rate is as high as the machine can make it: the ban comes after a few.
func TestForgedClaimsBanTheirBearerAndNoneIsBooked(t *testing.T) {
	n, r := start(t), newRawPeer(t)
	r.join(n)
	const forgeries = 10_000
	s := r.open(n, infect.ClaimsProtocol)
	ctx, cancel := context.WithCancel(t.Context())
	written := make(chan int)
	first := time.Now()
	go func() {
		sent := 0
		defer func() { written <- sent }()
		for ; sent < forgeries && ctx.Err() == nil; sent++ {
			m := infect.Message{Item: forged(t, sent)}
			if _, err := s.Write(r.message(infect.TypePush, m.Append(infect.TypePush, nil))); err != nil {
				return
			}
		}
	}()
	banned := awaitEvent(t, n.EventsAfter(0), "peer.banned", r.host.ID())
	gone(t, n, r.host.ID())
	cancel()
	t.Logf("banned %v after the first of %d forgeries: %s", banned.Time.Sub(first), <-written, banned.Text)
	if took := banned.Time.Sub(first); took > 2*time.Second {
		t.Errorf("banned after %v", took)
	}
	claims, err := n.Claims(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range claims {
		if c.Peer != n.ID() && c.Peer != r.host.ID() {
			t.Errorf("a forged claim of %s is booked", c.Peer)
		}
	}
	_ = r.tryConnect(n)
	if member(t, n, r.host.ID()) {
		t.Error("the forger is back")
	}
}

// forged is the claim of a stranger with one bit of its signature changed.
func forged(t testing.TB, i int) []byte {
	key, err := libp2phost.NewKey()
	if err != nil {
		t.Error(err)
		return nil
	}
	raw := sealed(t, key, time.Now(), "/ip4/127.0.0.1/tcp/1").Bytes()
	raw[len(raw)-1-i%32] ^= 1
	return raw
}

func sealed(t testing.TB, key crypto.PrivKey, at time.Time, addr string) claim.Signed {
	signer, err := claim.NewSigner(node.DefaultConfig().Network, key, time.Minute, time.Time{})
	if err != nil {
		t.Error(err)
		return claim.Signed{}
	}
	s, _, err := signer.Update(at, []multiaddr.Multiaddr{multiaddr.StringCast(addr)})
	if err != nil {
		t.Error(err)
	}
	return s
}

// pushed pushes a claim as one's own.
func pushed(r *rawPeer, n *node.Node, envelopes ...[]byte) {
	r.t.Helper()
	s := r.open(n, peerlist.Protocol)
	for _, e := range envelopes {
		r.write(s, r.message(peerlist.TypeOwnClaim, e))
	}
}

func TestBadOwnClaimsAreRefusedAndBlamed(t *testing.T) {
	key, err := libp2phost.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name string
		raw  func(t testing.TB, r *rawPeer) [][]byte
		says string
	}{
		{"forged", func(t testing.TB, r *rawPeer) [][]byte {
			raw := sealed(t, r.key, time.Now().Add(time.Second), "/ip4/127.0.0.1/tcp/1").Bytes()
			raw[len(raw)-1] ^= 1
			return [][]byte{raw}
		}, "discovery.bad-claim"},
		{"another's", func(t testing.TB, r *rawPeer) [][]byte {
			return [][]byte{sealed(t, key, time.Now(), "/ip4/127.0.0.1/tcp/1").Bytes()}
		}, "discovery.bad-claim"},
		{"two of one time", func(t testing.TB, r *rawPeer) [][]byte {
			at := time.Now().Add(time.Second)
			return [][]byte{
				sealed(t, r.key, at, "/ip4/127.0.0.1/tcp/1").Bytes(),
				sealed(t, r.key, at, "/ip4/127.0.0.1/tcp/2").Bytes(),
			}
		}, "peerlist.equivocation"},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			n, r := start(t), newRawPeer(t)
			r.join(n)
			pushed(r, n, x.raw(t, r)...)
			awaitOffence(t, n, r.host.ID(), x.says)
		})
	}
}

// A clock that is a little off, or an old claim that comes again, harms nobody.
func TestFutureAndReplayedClaimsAreRefusedWithoutABan(t *testing.T) {
	n, r := start(t), newRawPeer(t)
	r.join(n)
	old := r.claim(time.Now().Add(-time.Hour))
	future := sealed(t, r.key, time.Now().Add(time.Hour), "/ip4/127.0.0.1/tcp/9")
	before, err := n.Status(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	pushed(r, n, old.Bytes(), future.Bytes())
	eventually(t, "two refusals", func() bool {
		s, err := n.Status(soon(t))
		refused := func(why claim.Reason) uint64 {
			return s.Discovery.Claims.Refused[why] - before.Discovery.Claims.Refused[why]
		}
		return err == nil && refused(claim.Stale) == 1 && refused(claim.Future) == 1
	})
	claims, err := n.Claims(soon(t))
	if err != nil || len(claims) != 2 {
		t.Fatalf("claims = %+v, %v", claims, err)
	}
	for _, c := range claims {
		if c.Peer == r.host.ID() && (c.Time.Equal(old.Time) || c.Time.Equal(future.Time)) {
			t.Errorf("the claim of %v is booked", c.Time)
		}
	}
	if !member(t, n, r.host.ID()) {
		t.Error("the peer is no member any more")
	}
}
