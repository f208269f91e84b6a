package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftnet/weft/node"
)

// carrying joins an object topic.
func carrying(name string, change ...func(*node.ObjectTopic)) func(*node.Config) {
	t := node.ObjectTopic{Name: name}
	for _, f := range change {
		f(&t)
	}
	return func(cfg *node.Config) { cfg.ObjectTopics = append(cfg.ObjectTopics, t) }
}

func class(name string) func(*node.ObjectTopic) { return func(t *node.ObjectTopic) { t.Class = name } }

func put(t testing.TB, n *node.Node, topic, payload string, deps ...node.ObjectID) node.ObjectID {
	t.Helper()
	id, err := n.PutObject(soon(t), topic, node.Draft{Payload: []byte(payload), Deps: deps})
	if err != nil {
		t.Fatalf("put %.20q: %v", payload, err)
	}
	return id
}

// reads subscribes to all that a node ever had of a topic.
func reads(t testing.TB, n *node.Node, topic string, after uint64) *node.ObjectSubscription {
	t.Helper()
	s, err := n.SubscribeObjectsAfter(soon(t), topic, after)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func delivered(t testing.TB, s *node.ObjectSubscription) node.Delivery {
	t.Helper()
	d, err := s.Next(soon(t))
	if err != nil {
		t.Fatal("waiting for an object:", err)
	}
	return d
}

// awaitCarriers waits until n knows so many members that carry a topic.
func awaitCarriers(t testing.TB, n *node.Node, topic string, members int) {
	t.Helper()
	eventually(t, "members that carry "+topic, func() bool {
		all, err := n.ObjectTopics(soon(t))
		return err == nil && slices.ContainsFunc(all, func(s node.ObjectTopicState) bool { return s.Name == topic && s.Carriers >= members })
	})
}

var classes = []string{"gossip", "infect", "broadcast"}

func TestAnObjectThatIsPutIsDeliveredEverywhere(t *testing.T) {
	for _, c := range classes {
		t.Run(c, func(t *testing.T) {
			t.Parallel()
			topic := carrying("blocks", class(c))
			a := start(t, topic)
			b := start(t, topic, joining(a))
			awaitCarriers(t, a, "blocks", 1)
			first := put(t, a, "blocks", "genesis")
			second := put(t, a, "blocks", string(bytes.Repeat([]byte("x"), 100_000)), first)
			for _, n := range []*node.Node{a, b} {
				s := reads(t, n, "blocks", 0)
				for i, want := range []node.ObjectID{first, second} {
					d := delivered(t, s)
					if d.ID != want || d.Seq != uint64(i+1) || d.AuthorPeer() != a.ID() || d.Missed != 0 {
						t.Errorf("delivered %s as number %d by %s, want %s", d.ID, d.Seq, d.AuthorPeer(), want)
					}
				}
			}
		})
	}
}

// A node that joins late gets all that the others keep, dependencies first.
func TestALateJoinerCatchesUp(t *testing.T) {
	for _, c := range classes {
		t.Run(c, func(t *testing.T) {
			t.Parallel()
			topic := carrying("blocks", class(c))
			a := start(t, topic)
			const n = 300
			var chain []node.ObjectID
			for i := range n {
				chain = append(chain, put(t, a, "blocks", fmt.Sprint("block ", i), chain[max(0, i-1):i]...))
			}
			late := reads(t, start(t, topic, joining(a)), "blocks", 0)
			for i, want := range chain {
				if d := delivered(t, late); d.ID != want {
					t.Fatalf("delivery %d is %s, want %s", i, d.ID, want)
				}
			}
		})
	}
}

func TestAnObjectThatOnlyAnotherNodeHasIsFound(t *testing.T) {
	a := start(t, carrying("blocks"))
	b := start(t, joining(a)) // carries nothing
	awaitPeer(t, b, a.ID())
	id := put(t, a, "blocks", "here")
	o, err := b.GetObject(soon(t), id)
	if err != nil || string(o.Payload) != "here" || o.ID != id || o.Topic != "blocks" {
		t.Fatalf("got %+v, %v", o, err)
	}
	absent := node.ObjectID{1}
	if _, err := b.GetObject(soon(t), absent); !errors.Is(err, node.ErrNoObject) {
		t.Errorf("an object that nobody has: %v", err)
	}
}

func TestAPutIsRefusedWithAReason(t *testing.T) {
	n := start(t, carrying("blocks"), carrying("sealed", func(o *node.ObjectTopic) { o.Authors = "validators" }))
	for name, c := range map[string]struct {
		topic string
		draft node.Draft
		want  error
	}{
		"no such topic":      {"other", node.Draft{}, node.ErrNoTopic},
		"missing dependency": {"blocks", node.Draft{Deps: []node.ObjectID{{1}}}, node.ErrMissing},
		"no validator":       {"sealed", node.Draft{}, node.ErrAuthor},
		"too large":          {"blocks", node.Draft{Payload: make([]byte, 1<<20)}, node.ErrTooLarge},
		"too many":           {"blocks", node.Draft{Deps: make([]node.ObjectID, 1025)}, node.ErrArgument},
	} {
		if _, err := n.PutObject(soon(t), c.topic, c.draft); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// What is pruned is not delivered, although the store may have it for a while.
func TestASubscriptionBeginsWithTheFirstThatIsKept(t *testing.T) {
	n := start(t, carrying("blocks", func(o *node.ObjectTopic) { o.KeepObjects = 3 }))
	for i := range 5 {
		put(t, n, "blocks", fmt.Sprint("block ", i))
	}
	s := reads(t, n, "blocks", 1)
	for i, want := range []struct{ seq, missed uint64 }{{3, 1}, {4, 0}, {5, 0}} {
		if d := delivered(t, s); d.Seq != want.seq || d.Missed != want.missed {
			t.Errorf("delivery %d is number %d after %d that are missed, want %+v", i, d.Seq, d.Missed, want)
		}
	}
}

// Who comes when everybody has pruned the beginning is told from where to go on.
func TestAStrandedNodeGoesOnFromTheAnchorThatItIsTold(t *testing.T) {
	topic := carrying("blocks", func(o *node.ObjectTopic) { o.KeepBytes = 4 << 10 }) // so little that bytes do not stay for long
	a := start(t, topic)
	var chain []node.ObjectID
	for i := range 50 {
		chain = append(chain, put(t, a, "blocks", fmt.Sprintf("%1000d", i), chain[max(0, i-1):i]...))
	}
	eventually(t, "the bytes of the first are gone", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := a.GetObject(ctx, chain[0])
		return err != nil
	})
	b := start(t, topic, joining(a))
	told := b.Events()
	defer told.Close()
	text := awaitEvent(t, told, "object.stranded", "").Text
	anchor, err := node.ParseObjectID(text[strings.LastIndexByte(text, ' ')+1:])
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if err := b.AnchorObject(soon(t), "blocks", anchor); err != nil {
		t.Fatal(err)
	}
	log := reads(t, b, "blocks", 0)
	for d := delivered(t, log); d.ID != chain[len(chain)-1]; d = delivered(t, log) {
	}
}
