package gossipsub

import (
	"context"
	"testing"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
)

// strictPeer is go-libp2p-pubsub as it comes, which signs and wants signatures, in a topic.
type strictPeer struct {
	host.Host
	topic *pubsub.Topic
	sub   *pubsub.Subscription
	heard *trace // what it refused
}

func newStrictPeer(t testing.TB, topic string) strictPeer {
	t.Helper()
	heard := newTrace()
	h, ps := newPlain(t, pubsub.WithMessageSignaturePolicy(pubsub.StrictSign), pubsub.WithRawTracer(heard))
	top, err := ps.Join(topic)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := top.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	return strictPeer{h, top, sub, heard}
}

func (s strictPeer) want(t testing.TB, data string) {
	t.Helper()
	m, err := s.sub.Next(soon(t))
	if err != nil || string(m.Data) != data {
		t.Fatalf("the strict peer got %v, %v, want %q", m, err, data)
	}
}

// A node that carries objects exchanges raw messages with a strict peer, both ways.
func TestAStrictPeerOnARawTopicExchangesBothWays(t *testing.T) {
	c := newCourt(t, "blocks", always(Accept))
	s := subscribe(t, c.p, "raw")
	strict := newStrictPeer(t, "raw")
	connect(t, c.p.host, strict.Host)
	eventually(t, "the mesh is up", func() bool { return c.p.trace.meshReady("raw") })
	publish(t, c.p, "raw", "from ours")
	strict.want(t, "from ours")
	wantMessage(t, s, "from ours")
	if err := strict.topic.Publish(soon(t), []byte("from theirs")); err != nil {
		t.Fatal(err)
	}
	if m := wantMessage(t, s, "from theirs"); m.From != strict.ID() {
		t.Errorf("its author is %s", m.From)
	}
}

// unsignedForms are messages on a raw topic without a good signature of their author.
func unsignedForms(t *testing.T, a *attacker, other *PubSub) map[string]*pb.Message {
	topic, id := "raw", []byte(a.ID())
	foreign := signed(t, other, topic, "another's signature")
	foreign.From = id
	return map[string]*pb.Message{
		"nameless":            {Topic: &topic, Data: []byte("nameless")},
		"named":               {From: id, Seqno: []byte("00000001"), Topic: &topic, Data: []byte("named")},
		"empty signature":     {From: id, Seqno: []byte("00000002"), Topic: &topic, Data: []byte("empty"), Signature: []byte{}},
		"zero signature":      {From: id, Seqno: []byte("00000003"), Topic: &topic, Data: []byte("zero"), Signature: make([]byte, 64)},
		"nameless and signed": {Topic: &topic, Data: []byte("nameless, signed"), Signature: make([]byte, 64)},
		"in the name of ours": {From: []byte(a.victim.host.ID()), Seqno: []byte("00000004"), Topic: &topic, Data: []byte("ours")},
		"another's signature": foreign,
	}
}

// What nobody signed is refused on a raw topic, also by a node that carries objects,
// and goes no further. What follows does.
func TestAnUnsignedMessageOnARawTopicEndsHere(t *testing.T) {
	c := newCourt(t, "blocks", always(Accept))
	s := subscribe(t, c.p, "raw")
	behind := newNode(t)
	far := subscribe(t, behind, "raw")
	strict := newStrictPeer(t, "raw")
	connect(t, behind.host, c.p.host)
	connect(t, strict.Host, c.p.host)
	eventually(t, "the mesh is up", func() bool { return c.p.trace.meshSize("raw") == 2 })
	a := attack(t, c.p)
	for name, m := range unsignedForms(t, a, behind) {
		before := refusals(c.p)
		a.send(&pb.RPC{Publish: []*pb.Message{m}})
		eventually(t, name+" is refused", func() bool { return refusals(c.p) == before+1 })
	}
	topic := "raw"
	good := &pb.Message{From: []byte(a.ID()), Seqno: []byte("00000009"), Topic: &topic, Data: []byte("signed")}
	sign(t, a.Peerstore().PrivKey(a.ID()), good)
	a.send(&pb.RPC{Publish: []*pb.Message{good}})
	wantMessage(t, s, "signed")
	wantMessage(t, far, "signed")
	strict.want(t, "signed")
	if n := refusals(behind) + sum(strict.heard.read().Rejected); n != 0 {
		t.Errorf("%d refused messages were passed on", n)
	}
}

func refusals(p *PubSub) uint64 { return sum(p.Stats().Rejected) }

func sum(by map[string]uint64) (n uint64) {
	for _, v := range by {
		n += v
	}
	return n
}

// A strict peer that subscribes to an object topic gets nothing from it, and stays
// connected: it refuses each object for want of a signature.
func TestAStrictPeerOnAnObjectTopicRefusesWhatComes(t *testing.T) {
	c := newCourt(t, "blocks", func(context.Context, Incoming) Verdict { return Ignore })
	strict := newStrictPeer(t, "blocks")
	connect(t, c.p.host, strict.Host)
	eventually(t, "the mesh is up", func() bool { return c.p.trace.meshReady("blocks") })
	c.publish(t, "object")
	eventually(t, "it refuses the object", func() bool {
		return strict.heard.read().Rejected[pubsub.RejectMissingSignature] == 1
	})
	if err := strict.topic.Publish(soon(t), []byte("no object")); err != nil {
		t.Fatal(err)
	}
	c.wants(t, "no object", strict.ID()) // the judge decides, as about anything
}
