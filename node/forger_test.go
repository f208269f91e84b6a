package node_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	libp2pprotocol "github.com/libp2p/go-libp2p/core/protocol"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weftnet/weft/node"
	"github.com/weftnet/weft/protocols/broadcast"
	"github.com/weftnet/weft/protocols/catchup"
	"github.com/weftnet/weft/protocols/fetch"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
	"github.com/weftnet/weft/protocols/reputation"
)

// forger is a member that speaks the protocols of objects by hand.
type forger struct {
	*rawPeer
	n       *node.Node
	streams map[string]network.Stream // that it opened, by protocol
	asked   atomic.Int64              // requests that it was sent
}

// newForger joins n as a carrier of the topic votes. It gives the answer to each
// request that comes; nil: not found.
func newForger(t testing.TB, n *node.Node, answer func(fetch.Message) fetch.Message) *forger {
	t.Helper()
	if answer == nil {
		answer = func(fetch.Message) fetch.Message { return fetch.Message{Status: fetch.StatusNotFound} }
	}
	f := &forger{rawPeer: newRawPeer(t), n: n, streams: map[string]network.Stream{}}
	f.host.SetStreamHandler(fetch.Protocol, func(s network.Stream) { f.serve(s, answer) })
	f.join(n)
	f.says(catchup.Protocol, catchup.TypeTopics, catchup.Topics{Names: []string{"votes"}}.Append(nil))
	return f
}

// serve answers requests, on a stream of its own, until the node is gone.
func (f *forger) serve(in network.Stream, answer func(fetch.Message) fetch.Message) {
	var out network.Stream
	eachMessage(in, fetch.MaxPayload, func(kind frame.Type, payload []byte) {
		asked, err := fetch.Parse(kind, payload)
		if err != nil || kind != fetch.TypeRequest {
			return
		}
		f.asked.Add(1)
		if out == nil {
			if out, err = f.host.NewStream(f.t.Context(), f.n.ID(), fetch.Protocol); err != nil {
				return
			}
		}
		m := answer(asked)
		m.Request, m.ID = asked.Request, asked.ID
		_, _ = out.Write(f.message(fetch.TypeAnswer, m.Append(fetch.TypeAnswer, nil)))
	})
}

// says sends a message, all of a protocol on one stream.
func (f *forger) says(protocol string, kind frame.Type, payload []byte) {
	f.t.Helper()
	if f.streams[protocol] == nil {
		f.streams[protocol] = f.open(f.n, protocol)
	}
	f.write(f.streams[protocol], f.message(kind, payload))
}

func (f *forger) broadcasts(encoded []byte) {
	f.t.Helper()
	f.says(broadcast.Protocol, broadcast.TypeObject, encoded)
}

// gives answers requests for these objects, and for no others.
func gives(encoded ...[]byte) func(fetch.Message) fetch.Message {
	byID := map[object.ID][]byte{}
	for _, b := range encoded {
		byID[object.IDOf(b)] = b
	}
	return func(m fetch.Message) fetch.Message {
		if b := byID[m.ID]; b != nil {
			return fetch.Message{Status: fetch.StatusFound, Object: b}
		}
		return fetch.Message{Status: fetch.StatusNotFound}
	}
}

// vote is an object of the topic votes.
func vote(t testing.TB, payload string, deps ...object.ID) []byte {
	t.Helper()
	return voteOf(t, nil, payload, deps...)
}

func voteOf(t testing.TB, key ed25519.PrivateKey, payload string, deps ...object.ID) []byte {
	t.Helper()
	b, err := object.Object{
		Network: node.DefaultConfig().Network, Topic: "votes", Time: time.Now(), Payload: []byte(payload), Deps: deps,
	}.Seal(key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// forgedVote names an author who did not sign it.
func forgedVote(t testing.TB, payload string) []byte {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := voteOf(t, key, payload)
	b[len(b)-1] ^= 1
	return b
}

// blameless says that a peer is a member and never did wrong, as far as n knows.
func blameless(t testing.TB, n *node.Node, who *rawPeer) {
	t.Helper()
	all, err := n.Members(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(m node.MemberView) bool { return m.ID == who.host.ID() && m.Member })
	if i < 0 {
		t.Fatal("the honest peer is no member any more")
	}
	for _, term := range all[i].Terms {
		if term.Kind == reputation.Compliance || term.Kind == reputation.Validity {
			t.Errorf("an honest peer is blamed: %v %s", term.Kind, term.Text)
		}
	}
}

// state awaits what becomes of an object at n.
func awaitState(t testing.TB, n *node.Node, id object.ID, want string) {
	t.Helper()
	eventually(t, "the object to be "+want, func() bool {
		s, err := n.StatObject(soon(t), id)
		return err == nil && s.State.String() == want
	})
}

// hears keeps what comes on streams of a protocol.
func (f *forger) hears(protocol string) {
	f.host.SetStreamHandler(libp2pprotocol.ID(protocol), func(s network.Stream) { f.read(protocol, s) })
}

// counts reads the metrics of a node.
type counts struct{ from *prometheus.Registry }

func newCounts() counts { return counts{prometheus.NewRegistry()} }

func (c counts) registry(cfg *node.Config) { cfg.Registry = c.from }

// read is the value of a series: its name, and the values of its labels.
func (c counts) read(t testing.TB, series string) float64 {
	t.Helper()
	families, err := c.from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			if name == series {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("no series %q", series)
	return 0
}
