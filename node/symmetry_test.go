package node_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/weftnet/weft/node"
	"github.com/weftnet/weft/protocols/handshake"
)

func symmetric(c *node.Config) { c.Symmetry = "required" }

func listening(addr string) func(*node.Config) {
	return func(c *node.Config) { c.Listen = []string{addr} }
}

// bothWays waits until a pair is complete and connected in both directions, and
// says how long that took from the first connection.
func bothWays(t testing.TB, us, them *node.Node) time.Duration {
	t.Helper()
	eventually(t, "connections in both directions", func() bool {
		all, err := us.Members(soon(t))
		return err == nil && len(all) == 1 && all[0].ID == them.ID() && all[0].Member && all[0].Inbound && all[0].Outbound
	})
	up := awaitEvent(t, us.EventsAfter(0), "peer.connected", them.ID())
	done := awaitEvent(t, us.EventsAfter(0), "peer.member", them.ID())
	return done.Time.Sub(up.Time)
}

// gossips checks that messages flow both ways between nodes.
func gossips(t testing.TB, topic string, a, b *node.Node) {
	t.Helper()
	for _, side := range []struct{ from, to *node.Node }{{a, b}, {b, a}} {
		sub, err := side.to.Subscribe(topic)
		if err != nil {
			t.Fatal(err)
		}
		awaitMesh(t, side.from, topic, 1)
		text := "from " + side.from.ID().String()
		if err := side.from.Publish(soon(t), topic, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := next(t, sub); string(got.Data) != text {
			t.Errorf("got %q, want %q", got.Data, text)
		}
		sub.Close()
	}
}

func TestAnHonestPairIsSymmetricLongBeforeT(t *testing.T) {
	for name, addr := range map[string]string{
		"tcp": "/ip4/127.0.0.1/tcp/0", "quic": "/ip4/127.0.0.1/udp/0/quic-v1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t, symmetric, listening(addr), withTopic("t"))
			b := start(t, symmetric, listening(addr), withTopic("t"), joining(a))
			for _, side := range []struct{ us, them *node.Node }{{a, b}, {b, a}} {
				took := bothWays(t, side.us, side.them)
				t.Logf("complete after %v", took)
				if limit := node.DefaultConfig().SymmetryWithin / 2; took > limit {
					t.Errorf("complete after %v, want less than %v", took, limit)
				}
			}
			gossips(t, "t", a, b)
			for _, c := range append(a.Peers(), b.Peers()...) {
				if c.Conns != 2 || c.InboundConns != 1 || c.OutboundConns != 1 || !strings.HasPrefix(c.Transport, name) {
					t.Errorf("connections: %+v", c)
				}
			}
		})
	}
}

// closedPort is a loopback port at which nobody listens while the test runs.
func closedPort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}

// T is its default here: it is what the specification says.
func TestAPeerWhoseClaimedPortIsClosedIsDroppedAtTAndKeptOut(t *testing.T) {
	t.Parallel()
	a := start(t, symmetric)
	liar := start(t, symmetric, joining(a), func(c *node.Config) {
		c.Announce = []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", closedPort(t))}
	})
	up := awaitEvent(t, a.EventsAfter(0), "peer.connected", liar.ID())
	dropped := awaitEvent(t, a.EventsAfter(0), "peer.disconnected", liar.ID()) // by whichever is first
	within := node.DefaultConfig().SymmetryWithin
	if took := dropped.Time.Sub(up.Time); took < within*9/10 || took > within*11/10 {
		t.Errorf("dropped after %v, want %v", took, within)
	}
	gone(t, a, liar.ID())
	gone(t, liar, a.ID())
	if r := refusal(t, a, liar.ID()); r.Reason != "asymmetric" || !r.ByUs {
		t.Errorf("refused for %+v, want asymmetric", r)
	}
	if r := refusal(t, liar, a.ID()); r.Reason != "asymmetric" {
		t.Errorf("it shows %+v, want asymmetric", r)
	}
	if member(t, a, liar.ID()) {
		t.Error("it became a member")
	}
	_ = liar.Connect(soon(t), a.Addrs()[0].String()) // it may see a connection for a moment
	gone(t, liar, a.ID())
	if err := a.Connect(soon(t), liar.Addrs()[0].String()); err == nil || !strings.Contains(err.Error(), "blocked") {
		t.Errorf("dialling it during its cool-down = %v", err)
	}
}

func TestAMessageOnTheOthersConnectionIsAnOffenceAndNotProcessed(t *testing.T) {
	n, r := start(t, symmetric), newRawPeer(t)
	r.connect(n)
	s := r.open(n, handshake.Protocol)
	r.write(s, r.message(handshake.TypeHandshake, r.hello().Append(nil)))
	r.await(handshake.Protocol, handshake.TypeAccept) // it came on the node's own connection
	theirs := connOf(t, r, n, network.DirInbound)
	wrong, err := theirs.NewStream(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := wrong.SetProtocol(protocol.ID(handshake.Protocol)); err != nil {
		t.Fatal(err)
	}
	hello := "\x13/multistream/1.0.0\n" + string(rune(len(handshake.Protocol)+1)) + handshake.Protocol + "\n"
	r.write(wrong, append([]byte(hello), r.message(handshake.TypeAccept, nil)...))
	awaitOffence(t, n, r.host.ID(), "frame.direction")
	if member(t, n, r.host.ID()) {
		t.Error("the acceptance on the wrong connection was taken")
	}
	r.write(s, r.message(handshake.TypeAccept, nil))
	awaitPeer(t, n, r.host.ID())
	for _, c := range r.host.Network().ConnsToPeer(n.ID()) {
		for _, s := range c.GetStreams() {
			if strings.HasPrefix(string(s.Protocol()), "/weft/") && s.Stat().Direction == network.DirInbound && c != theirs {
				t.Errorf("the node sent %s on a connection that is not its own", s.Protocol())
			}
		}
	}
}

func connOf(t testing.TB, r *rawPeer, n *node.Node, dir network.Direction) (found network.Conn) {
	t.Helper()
	eventually(t, "a connection of the node's own", func() bool {
		for _, c := range r.host.Network().ConnsToPeer(n.ID()) {
			if c.Stat().Direction == dir {
				found = c
			}
		}
		return found != nil
	})
	return found
}

func TestGossipFlowsAfterSimultaneousDials(t *testing.T) { collisions(t, 5) }

// collisions lets both ends dial at the same moment, again and again: whichever
// connections are left carry gossip both ways.
func collisions(t *testing.T, times int) {
	for name, how := range map[string]func(*node.Config){
		"one connection is enough": func(*node.Config) {}, "symmetric": symmetric,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			collided := 0
			for range times {
				a, b := start(t, how, withTopic("t")), start(t, how, withTopic("t"))
				collide(t, a, b)
				if a.Peers()[0].Conns > 1 {
					collided++
				}
				gossips(t, "t", a, b)
				if err := errors.Join(a.Close(), b.Close()); err != nil {
					t.Error(err)
				}
			}
			if collided == 0 {
				t.Error("no two dials met")
			}
			t.Logf("%d of %d pairs had two connections", collided, times)
		})
	}
}

// collide makes both dial at once. One of the dials may be refused as one too many.
func collide(t testing.TB, a, b *node.Node) {
	t.Helper()
	var dials sync.WaitGroup
	ready := make(chan struct{})
	for _, x := range []struct{ from, to *node.Node }{{a, b}, {b, a}} {
		ctx, at := soon(t), x.to.Addrs()[0].String()
		dials.Go(func() {
			<-ready
			_ = x.from.Connect(ctx, at)
		})
	}
	close(ready)
	dials.Wait()
	awaitPeer(t, a, b.ID())
	awaitPeer(t, b, a.ID())
}
