package node_test

import (
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/weftnet/weft/adapters/libp2phost"
	"github.com/weftnet/weft/node"
	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/handshake"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/peerlist"
	"github.com/weftnet/weft/protocols/uptime"
)

// rawPeer is a plain libp2p host that a test drives by hand. It does nothing of
// its own accord.
type rawPeer struct {
	t      testing.TB
	host   host.Host
	key    crypto.PrivKey
	sender frame.Sender

	mu      sync.Mutex
	inbox   []rawMessage
	opened  []protocol.ID // streams that others opened
	changed chan struct{}
}

type rawMessage struct {
	protocol string
	kind     frame.Type
	payload  []byte
}

// newPlainPeer speaks no weft protocol, and listens on loopback.
func newPlainPeer(t testing.TB) *rawPeer {
	t.Helper()
	key, err := libp2phost.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	h, err := libp2p.New(libp2p.Identity(key), libp2p.DisableRelay(), libp2p.DisableMetrics(),
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	sender, err := frame.SenderOf(h.ID())
	if err != nil {
		t.Fatal(err)
	}
	return &rawPeer{t: t, host: h, key: key, sender: sender, changed: make(chan struct{})}
}

// newRawPeer takes streams of weft's protocols and keeps what comes on them.
func newRawPeer(t testing.TB) *rawPeer {
	t.Helper()
	r := newPlainPeer(t)
	for _, p := range []string{handshake.Protocol, peerlist.Protocol, uptime.Protocol, infect.ClaimsProtocol} {
		r.host.SetStreamHandler(protocol.ID(p), func(s network.Stream) { r.read(p, s) })
	}
	return r
}

// watch takes streams of further protocols, and notes that they were opened.
func (r *rawPeer) watch(ids ...string) {
	for _, id := range ids {
		r.host.SetStreamHandler(protocol.ID(id), func(s network.Stream) {
			r.note(func() { r.opened = append(r.opened, s.Protocol()) })
			_, _ = io.Copy(io.Discard, s)
		})
	}
}

func (r *rawPeer) read(id string, s network.Stream) {
	eachMessage(s, handshake.MaxPayload, func(kind frame.Type, payload []byte) {
		r.note(func() { r.inbox = append(r.inbox, rawMessage{id, kind, slices.Clone(payload)}) })
	})
}

// eachMessage reads a stream to its end, or to the first frame that is out of order.
func eachMessage(s network.Stream, most int, take func(frame.Type, []byte)) {
	d := frame.NewDecoder(most)
	for {
		n, err := s.Read(d.Space(d.Need()))
		if err != nil {
			return
		}
		done, err := d.Advance(n)
		if err != nil {
			return
		}
		if !done {
			continue
		}
		h, payload, err := d.Take()
		if err != nil {
			return
		}
		take(h.Type, payload)
	}
}

func (r *rawPeer) note(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	close(r.changed)
	r.changed = make(chan struct{})
}

// await takes the next message of a type from the inbox.
func (r *rawPeer) await(protocol string, kind frame.Type) []byte {
	r.t.Helper()
	for ctx := soon(r.t); ; {
		r.mu.Lock()
		at := slices.IndexFunc(r.inbox, func(m rawMessage) bool { return m.protocol == protocol && m.kind == kind })
		changed := r.changed
		if at >= 0 {
			m := r.inbox[at]
			r.inbox = slices.Delete(r.inbox, at, at+1)
			r.mu.Unlock()
			return m.payload
		}
		r.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			r.t.Fatalf("no message %d of %s", kind, protocol)
		}
	}
}

func (r *rawPeer) seen() []protocol.ID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.opened)
}

func (r *rawPeer) connect(n *node.Node) {
	r.t.Helper()
	if err := r.tryConnect(n); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rawPeer) tryConnect(n *node.Node) error {
	info, err := peer.AddrInfoFromP2pAddr(n.Addrs()[0])
	if err != nil {
		return err
	}
	return r.host.Connect(soon(r.t), *info)
}

// connected says whether a connection is up, at this side.
func (r *rawPeer) connected(n *node.Node) bool {
	return r.host.Network().Connectedness(n.ID()) == network.Connected
}

// open opens a stream on the connection that the raw peer made.
func (r *rawPeer) open(n *node.Node, id string) network.Stream {
	r.t.Helper()
	s, err := r.host.NewStream(network.WithNoDial(soon(r.t), "the connection must be up"), n.ID(), protocol.ID(id))
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// message is a frame that is in order.
func (r *rawPeer) message(kind frame.Type, payload []byte) []byte {
	b, err := frame.Append(nil, frame.Header{Type: kind, Sender: r.sender, Time: time.Now()}, payload)
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

func (r *rawPeer) write(s network.Stream, bytes []byte) {
	r.t.Helper()
	if err := s.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		r.t.Fatal(err)
	}
	if _, err := s.Write(bytes); err != nil {
		r.t.Fatal(err)
	}
}

// claim is a claim of the addresses at which the raw peer listens.
func (r *rawPeer) claim(now time.Time) claim.Signed {
	r.t.Helper()
	signer, err := claim.NewSigner(node.DefaultConfig().Network, r.key, time.Minute, time.Time{})
	if err != nil {
		r.t.Fatal(err)
	}
	signed, _, err := signer.Update(now, r.host.Addrs())
	if err != nil {
		r.t.Fatal(err)
	}
	return signed
}

// hello is a handshake that is in order.
func (r *rawPeer) hello() handshake.Handshake {
	r.t.Helper()
	book := claim.DefaultConfig()
	book.Network, book.Self = node.DefaultConfig().Network, r.host.ID()
	known, err := peerlist.NewTracker(peerlist.DefaultConfig(), book, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		r.t.Fatal(err)
	}
	now := time.Now()
	return handshake.Handshake{
		Network: book.Network, Version: handshake.Version{Minor: 3}, Time: now,
		Claim: r.claim(now).Bytes(), Query: known.Query().Append(nil),
	}
}

// join connects and completes the handshake.
func (r *rawPeer) join(n *node.Node) {
	r.t.Helper()
	r.connect(n)
	s := r.open(n, handshake.Protocol)
	r.write(s, r.message(handshake.TypeHandshake, r.hello().Append(nil)))
	r.await(handshake.Protocol, handshake.TypeAccept)
	r.write(s, r.message(handshake.TypeAccept, nil))
	awaitEvent(r.t, n.EventsAfter(0), "peer.member", r.host.ID())
}

// silent reads a stream to its end and returns what came.
func silent(t testing.TB, s network.Stream) []byte {
	t.Helper()
	if err := s.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(s) // it ends by a reset
	return got
}
