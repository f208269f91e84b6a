package gossipsub

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/core"
)

// court judges the objects of one node as it is told to, and keeps what it saw.
type court struct {
	p      *PubSub
	seen   chan Incoming
	missed chan Incoming
}

func newCourt(t testing.TB, topic string, judge func(context.Context, Incoming) Verdict) *court {
	t.Helper()
	c := &court{p: newNode(t), seen: make(chan Incoming, 16), missed: make(chan Incoming, 4096)}
	err := c.p.JoinObjects(topic, Objects{
		Judge:  func(ctx context.Context, m Incoming) Verdict { c.seen <- m; return judge(ctx, m) },
		Missed: func(m Incoming) { c.missed <- m },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func always(v Verdict) func(context.Context, Incoming) Verdict {
	return func(context.Context, Incoming) Verdict { return v }
}

// line is three nodes of which the ends know only the one in the middle.
func line(t testing.TB, topic string, middle func(context.Context, Incoming) Verdict) (a, b, c *court) {
	t.Helper()
	a, b, c = newCourt(t, topic, always(Accept)), newCourt(t, topic, middle), newCourt(t, topic, always(Accept))
	connect(t, a.p.host, b.p.host)
	connect(t, b.p.host, c.p.host)
	for _, n := range []*court{a, b, c} {
		eventually(t, "the mesh is up", func() bool { return n.p.trace.meshReady(topic) })
	}
	return a, b, c
}

func (c *court) wants(t testing.TB, data string, from peer.ID) {
	t.Helper()
	select {
	case m := <-c.seen:
		if string(m.Data) != data || m.From != from || m.ID != sha256.Sum256([]byte(data)) || m.Topic != "blocks" {
			t.Fatalf("judged %q from %s under %x, want %q from %s", m.Data, m.From, m.ID, data, from)
		}
	case <-soon(t).Done():
		t.Fatalf("%q was never judged", data)
	}
}

func (c *court) publish(t testing.TB, data string) {
	t.Helper()
	if err := c.p.PublishObject(soon(t), "blocks", []byte(data)); err != nil {
		t.Fatal(err)
	}
}

func TestAnObjectThatIsAcceptedGoesOn(t *testing.T) {
	a, b, c := line(t, "blocks", always(Accept))
	a.publish(t, "block")
	b.wants(t, "block", a.p.host.ID())
	c.wants(t, "block", b.p.host.ID())
	c.publish(t, "block") // the same object of another author is nothing new
	c.publish(t, "next")
	b.wants(t, "next", c.p.host.ID())
	a.wants(t, "next", b.p.host.ID())
}

func TestAnObjectThatWasIgnoredGoesOnWhenItIsPublishedHere(t *testing.T) {
	a, b, c := line(t, "blocks", always(Ignore))
	a.publish(t, "block")
	b.wants(t, "block", a.p.host.ID())
	b.publish(t, "block")
	c.wants(t, "block", b.p.host.ID())
}

func TestAnObjectThatIsRejectedEnds(t *testing.T) {
	a, b, c := line(t, "blocks", func(_ context.Context, m Incoming) Verdict {
		if string(m.Data) == "bad" {
			return Reject
		}
		return Accept
	})
	a.publish(t, "bad")
	b.wants(t, "bad", a.p.host.ID())
	a.publish(t, "good")
	b.wants(t, "good", a.p.host.ID())
	c.wants(t, "good", b.p.host.ID())
}

// Nothing is lost without a word while the judge is slow.
func TestWhatIsDroppedUnjudgedIsToldOf(t *testing.T) {
	const n = maxJudged + 50
	topic, held := "blocks", make(chan struct{})
	a := newCourt(t, topic, always(Accept))
	b := newCourt(t, topic, always(Accept))
	judged := make(chan Incoming, n)
	if err := b.p.LeaveObjects(topic); err != nil {
		t.Fatal(err)
	}
	err := b.p.JoinObjects(topic, Objects{
		Judge:  func(_ context.Context, m Incoming) Verdict { judged <- m; <-held; return Accept },
		Missed: func(m Incoming) { b.missed <- m },
	})
	if err != nil {
		t.Fatal(err)
	}
	connect(t, a.p.host, b.p.host)
	eventually(t, "the mesh is up", func() bool { return a.p.trace.meshReady(topic) })
	defer close(held)
	want := make(map[[sha256.Size]byte]bool, n)
	for ctx, i := soon(t), 0; i < n || len(want) > 0; {
		if i < n && len(want) < minQueue { // no more than the queue between the two holds
			data := fmt.Sprint("object ", i)
			want[sha256.Sum256([]byte(data))] = true
			a.publish(t, data)
			i++
			continue
		}
		select {
		case m := <-judged:
			delete(want, m.ID)
		case m := <-b.missed:
			if m.From != a.p.host.ID() || m.Topic != topic || m.Data != nil {
				t.Fatalf("missed %+v", m)
			}
			delete(want, m.ID)
		case <-ctx.Done():
			t.Fatalf("nobody heard of %d objects", len(want))
		}
	}
	if len(judged) > maxJudged {
		t.Errorf("%d were judged at a time", len(judged))
	}
}

func TestObjectTopicsAndRawTopicsAreKeptApart(t *testing.T) {
	c := newCourt(t, "blocks", always(Accept))
	if _, err := c.p.Subscribe("blocks"); !errors.Is(err, ErrObjects) {
		t.Errorf("Subscribe on an object topic = %v", err)
	}
	if err := c.p.Join("blocks"); !errors.Is(err, ErrObjects) {
		t.Errorf("Join on an object topic = %v", err)
	}
	if err := c.p.Publish(soon(t), "blocks", nil); !errors.Is(err, ErrObjects) {
		t.Errorf("Publish on an object topic = %v", err)
	}
	if err := c.p.Leave("blocks"); !errors.Is(err, ErrNotJoined) {
		t.Errorf("Leave of an object topic = %v", err)
	}
	if err := c.p.JoinObjects("blocks", Objects{}); !errors.Is(err, ErrJoined) {
		t.Errorf("JoinObjects again = %v", err)
	}
	if err := c.p.Join("raw"); err != nil {
		t.Fatal(err)
	}
	if err := c.p.JoinObjects("raw", Objects{}); !errors.Is(err, ErrJoined) {
		t.Errorf("JoinObjects on a raw topic = %v", err)
	}
	if err := c.p.PublishObject(soon(t), "raw", nil); !errors.Is(err, ErrNotJoined) {
		t.Errorf("PublishObject on a raw topic = %v", err)
	}
	if err := c.p.LeaveObjects("blocks"); err != nil {
		t.Errorf("LeaveObjects = %v", err)
	}
	subscribe(t, c.p, "blocks") // it may be raw now
}

// A message of an object topic names nobody, and is signed by nobody: its object is.
// Where the topic is a raw one it is not taken, and nobody is blamed.
func TestObjectsAreNamelessAndUnsignedAndRawMessagesAreNot(t *testing.T) {
	objects := newCourt(t, "blocks", always(Accept))
	raw, told := newReporting(t)
	s := subscribe(t, raw, "blocks")
	connect(t, objects.p.host, raw.host)
	eventually(t, "the mesh is up", func() bool { return objects.p.trace.meshReady("blocks") })
	objects.publish(t, "object")
	eventually(t, "it is refused", func() bool { return raw.Stats().Rejected[pubsub.RejectMissingSignature] == 1 })
	wantNothing(t, s)
	if err := raw.Publish(soon(t), "blocks", []byte("raw")); err != nil {
		t.Fatal(err)
	}
	objects.wants(t, "raw", raw.host.ID()) // it is signed, and the judge decides
	if n := told.offences(objects.p.host.ID(), core.OffenceGossipUnsigned); n != 0 {
		t.Errorf("blamed %d times", n)
	}
}
