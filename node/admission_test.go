package node_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/weftnet/weft/adapters/admin"
	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/node"
	"github.com/weftnet/weft/protocols/handshake"
)

// refusal waits until a node shows why the handshake with a peer failed.
func refusal(t testing.TB, n *node.Node, p peer.ID) (r node.Refusal) {
	t.Helper()
	eventually(t, "a refusal", func() bool {
		all, err := n.Refusals(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(all, func(r node.Refusal) bool { return r.Peer == p })
		if at >= 0 {
			r = all[at]
		}
		return at >= 0
	})
	return r
}

// member says whether a peer is connected and complete.
func member(t testing.TB, n *node.Node, p peer.ID) bool {
	t.Helper()
	all, err := n.Members(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(all, func(m node.MemberView) bool { return m.ID == p && m.Member })
}

// gone waits until a node has no connection with a peer.
func gone(t testing.TB, n *node.Node, p peer.ID) {
	t.Helper()
	eventually(t, "the end of the connection", func() bool {
		return !slices.ContainsFunc(n.Peers(), func(c node.Peer) bool { return c.ID == p })
	})
}

// membersFile makes nodes admit whom it lists. It is replaced as editors do.
type membersFile struct {
	t    testing.TB
	path string
}

func newMembersFile(t testing.TB, members ...peer.ID) membersFile {
	f := membersFile{t, filepath.Join(t.TempDir(), "members")}
	f.write(members...)
	return f
}

func (f membersFile) write(members ...peer.ID) {
	f.t.Helper()
	text := "# members\n"
	for _, m := range members {
		text += m.String() + "\n"
	}
	replaceFile(f.t, f.path, text)
}

func replaceFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func (f membersFile) admits(c *node.Config) { c.Admission, c.MembersFile = "members", f.path }

func TestNodesOfDifferentNetworksRefuseEachOtherAndBothSayWhy(t *testing.T) {
	otherNetwork := func(c *node.Config) { c.Network = "other" }
	otherGenesis := func(c *node.Config) { c.Genesis = []byte("another block") }
	for _, x := range []struct {
		name, reason string
		other        func(*node.Config)
		both         func(*node.Config)
	}{
		{"network", "network", otherNetwork, func(*node.Config) {}},
		{"genesis", "genesis", otherGenesis, func(*node.Config) {}},
		{"network, symmetric", "network", otherNetwork, symmetric},
		{"genesis, symmetric", "genesis", otherGenesis, symmetric},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			a := start(t, withAPI, x.both)
			b := start(t, withAPI, x.both, x.other, joining(a))
			for _, side := range []struct{ us, them *node.Node }{{a, b}, {b, a}} {
				e := awaitEvent(t, side.us.EventsAfter(0), "peer.rejected", side.them.ID())
				r := refusal(t, side.us, side.them.ID())
				if r.Reason != x.reason || !strings.Contains(e.Text, x.reason) {
					t.Errorf("event %q and refusal %+v, want the reason %s", e.Text, r, x.reason)
				}
				gone(t, side.us, side.them.ID())
				shown, err := client(t, side.us).Peers(soon(t), &weftv1.PeersRequest{All: true})
				if err != nil || len(shown.Peers) != 1 {
					t.Fatalf("peers = %v, %v", shown, err)
				}
				_, err = client(t, side.us).Connect(soon(t), &weftv1.ConnectRequest{Address: side.them.Addrs()[0].String()})
				if why := admin.ExplanationOf(err); why == nil || why.Reason != "handshake.refused" || !strings.Contains(err.Error(), x.reason) {
					t.Errorf("connect = %v, want that the handshake is refused", err)
				}
				if p := shown.Peers[0]; p.State != "rejected" || p.Rejection != x.reason || p.Reason == "" {
					t.Errorf("the API shows %v, want rejected for the reason %s", p, x.reason)
				}
			}
		})
	}
}

func TestAStrangerIsRefusedWhereMembersAreNamed(t *testing.T) {
	for name, how := range map[string]func(*node.Config){"one way": func(*node.Config) {}, "symmetric": symmetric} {
		t.Run(name, func(t *testing.T) { strangerIsRefused(t, how) })
	}
}

func strangerIsRefused(t *testing.T, how func(*node.Config)) {
	friend := start(t, how)
	list := newMembersFile(t, friend.ID())
	closed := start(t, how, list.admits)
	stranger := start(t, how, joining(closed))
	for _, side := range []struct{ us, them *node.Node }{{closed, stranger}, {stranger, closed}} {
		if r := refusal(t, side.us, side.them.ID()); r.Reason != "membership" {
			t.Errorf("refused for %+v, want membership", r)
		}
		gone(t, side.us, side.them.ID())
	}
	if err := friend.Connect(soon(t), closed.Addrs()[0].String()); err != nil {
		t.Fatal(err)
	}
	awaitPeer(t, closed, friend.ID())
	awaitPeer(t, friend, closed.ID())
}

// overlayProtocols are those of pubsub and the DHT.
func overlayProtocols() []string {
	return []string{"/meshsub/1.1.0", "/meshsub/1.0.0", "/floodsub/1.0.0", "/weft/" + node.DefaultConfig().Network + "/kad/1.0.0"}
}

// kadPing is a request of the DHT that asks for nothing: FIND_NODE for a key.
var kadPing = []byte{7, 0x08, 0x04, 0x12, 0x03, 'k', 'e', 'y'}

// subscribe is a pubsub message that subscribes to the topic "t".
var subscribe = []byte{7, 0x0a, 0x05, 0x08, 0x01, 0x12, 0x01, 't'}

// knock opens streams of the overlay and writes what would be answered there.
func knock(t testing.TB, r *rawPeer, n *node.Node) (streams []network.Stream) {
	t.Helper()
	for _, id := range overlayProtocols() {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		s, err := r.host.NewStream(network.WithNoDial(ctx, "the connection must be up"), n.ID(), protocol.ID(id))
		if err != nil {
			continue // refused at once
		}
		said := subscribe
		if strings.Contains(id, "kad") {
			said = kadPing
		}
		_, _ = s.Write(said) // it may be reset already
		streams = append(streams, s)
	}
	return streams
}

// overlayKnows says whether pubsub or the DHT have a peer.
func overlayKnows(t testing.TB, n *node.Node, p peer.ID) bool {
	t.Helper()
	s, err := n.Status(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return s.DHTPeers > 0 || slices.ContainsFunc(n.Topics(), func(i node.Topic) bool { return slices.Contains(i.Peers, p) })
}

func TestNoByteOfPubSubOrDHTPassesBeforeAdmission(t *testing.T) {
	for _, x := range []struct {
		name     string
		peer     func(testing.TB) *rawPeer
		admitted bool
	}{
		{"plain", newPlainPeer, false},
		{"silent", newRawPeer, false},
		{"member", newRawPeer, true}, // shows that the others would be seen
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			r := x.peer(t)
			r.watch(overlayProtocols()...)
			list := newMembersFile(t)
			if x.admitted {
				list.write(r.host.ID())
			}
			n := start(t, list.admits, withTopic("t"))
			if x.admitted {
				r.join(n)
			} else {
				r.connect(n)
			}
			streams := knock(t, r, n)
			if x.admitted {
				eventually(t, "pubsub and the DHT", func() bool {
					return slices.Contains(r.seen(), "/meshsub/1.1.0") && overlayKnows(t, n, r.host.ID())
				})
				return
			}
			for _, s := range streams {
				if got := silent(t, s); len(got) > 0 {
					t.Errorf("%d bytes came on %s", len(got), s.Protocol())
				}
			}
			gone(t, n, r.host.ID())
			if seen := r.seen(); len(seen) > 0 {
				t.Errorf("the node opened %v before it admitted the peer", seen)
			}
			if overlayKnows(t, n, r.host.ID()) {
				t.Error("pubsub or the DHT took something from the stranger")
			}
		})
	}
}

func TestTheMembersFileIsReadAgainBothWays(t *testing.T) {
	list := newMembersFile(t)
	closed := start(t, list.admits)
	late := start(t)
	list.write(late.ID())
	eventually(t, "admission", func() bool {
		_ = late.Connect(soon(t), closed.Addrs()[0].String()) // refused until the file was read
		return member(t, closed, late.ID()) && member(t, late, closed.ID())
	})
	list.write()
	gone(t, closed, late.ID())
	if r := refusal(t, late, closed.ID()); r.Reason != "membership" || r.ByUs {
		t.Errorf("the member that was struck out shows %+v, want that it was refused for membership", r)
	}
}

// Who is named later is let in by its next dial, without help, within seconds: a
// refusal that the file no longer supports is not held against it.
func TestANewMemberIsDialledWhenTheFileNamesIt(t *testing.T) {
	list := newMembersFile(t)
	closed := start(t, list.admits)
	late := start(t, joining(closed))
	refusal(t, closed, late.ID())
	gone(t, closed, late.ID())
	list.write(late.ID())
	eventually(t, "admission", func() bool { return member(t, closed, late.ID()) })
}

func consensusKey(t testing.TB) (string, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return "ed25519:" + hex.EncodeToString(public), private
}

func TestAConsensusKeyMakesAMember(t *testing.T) {
	name, key := consensusKey(t)
	_, wrong := consensusKey(t)
	file := filepath.Join(t.TempDir(), "validators")
	replaceFile(t, file, name+" 10\n")
	closed := start(t, func(c *node.Config) { c.Admission, c.ValidatorsFile = "members", file })
	proven := start(t, joining(closed), func(c *node.Config) { c.ConsensusKey = key })
	other := start(t, joining(closed), func(c *node.Config) { c.ConsensusKey = wrong })
	awaitPeer(t, closed, proven.ID())
	if r := refusal(t, closed, other.ID()); r.Reason != "membership" {
		t.Errorf("the wrong key is refused for %+v, want membership", r)
	}
	all, err := closed.Validators(soon(t))
	if err != nil || len(all) != 1 || all[0].Peer != proven.ID() || all[0].Weight != 10 || !all[0].Connected {
		t.Errorf("validators = %+v, %v; want the peer that proved the key", all, err)
	}
	replaceFile(t, file, "# nobody\n")
	gone(t, closed, proven.ID())
}

// plainHeld is how long a plain peer may wait for its admission: well below the
// time that a weft peer has for its handshake.
const plainHeld = 3 * time.Second

func TestPlainPeersAreAdmittedAtOnceAndAtMostSixteen(t *testing.T) {
	n := start(t, withTopic("t"))
	var first *rawPeer
	for range 16 {
		r := newPlainPeer(t)
		r.watch(overlayProtocols()...)
		r.connect(n)
		up := awaitEvent(t, n.EventsAfter(0), "peer.connected", r.host.ID())
		admitted := awaitEvent(t, n.EventsAfter(0), "peer.plain", r.host.ID())
		if took := admitted.Time.Sub(up.Time); took > plainHeld {
			t.Errorf("a plain peer was admitted after %v", took)
		}
		if first == nil {
			first = r
		}
	}
	eventually(t, "pubsub with a plain peer", func() bool { return slices.Contains(first.seen(), "/meshsub/1.1.0") })
	more := newPlainPeer(t)
	more.connect(n)
	if r := refusal(t, n, more.host.ID()); r.Reason != "plain-full" {
		t.Errorf("the 17th is refused for %+v, want plain-full", r)
	}
	eventually(t, "the end of the connection", func() bool { return !more.connected(n) })
	if err := first.host.Close(); err != nil { // only to disconnect would make the node dial it
		t.Fatal(err)
	}
	gone(t, n, first.host.ID())
	eventually(t, "the place that is free again", func() bool {
		_ = more.tryConnect(n)
		s, err := n.Status(soon(t))
		return err == nil && s.Discovery.Plain == 16
	})
	if s := handshake.Protocol; slices.Contains(first.seen(), protocol.ID(s)) {
		t.Errorf("a plain peer was sent %s", s)
	}
}
