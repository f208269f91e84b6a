//go:build interop

package main_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// gossiper is a foreign gossipsub peer on interopTopic that knows only the node under test.
type gossiper interface {
	ID() string
	Publish(text string)
	// Next waits for the next message of somebody else.
	Next(context.Context) (heard, error)
}

// heard is a message as a foreign peer received it.
type heard struct {
	Text   string
	Author string   // who signed it
	Via    string   // the neighbour that passed it on
	Knows  []string // every peer the receiver is connected to
}

// testGossip shows gossipsub between the node and one foreign peer, both ways,
// and then through the node between two that know only it.
func testGossip(t *testing.T, software string, join func(*testing.T, *weftNode) gossiper) {
	node := startWeft(t)
	alice := join(t, node)
	testWeftPublishes(t, software, node, alice)
	testWeftSubscribes(t, software, node, alice)
	testWeftRelays(t, software, node, alice, join(t, node))
}

func testWeftPublishes(t *testing.T, software string, node *weftNode, reader gossiper) {
	t.Helper()
	node.run(t, "publish", interopTopic, "woven by weft")
	got := <-listenFor(t, "woven by weft", reader)
	if got.Text != "woven by weft" || got.Author != node.id.String() {
		t.Fatalf("%s received %+v, want what weft published", software, got)
	}
	shown(t, "%s receives what `weft publish` sends, signed by the node", software)
}

func testWeftSubscribes(t *testing.T, software string, node *weftNode, writer gossiper) {
	t.Helper()
	out := publishUntil(t, writer, "to weft", subscribeOne(t, node))
	if !strings.HasPrefix(out, "to weft ") {
		t.Fatalf("weft subscribe printed %q", out)
	}
	shown(t, "`weft subscribe` prints what %s publishes", software)
}

// subscribeOne yields what `weft subscribe` prints for the next message.
func subscribeOne(t *testing.T, node *weftNode) <-chan string {
	printed := make(chan string, 1)
	go func() {
		out, err := node.try(t, "subscribe", interopTopic, "--count", "1")
		if err != nil {
			t.Error(err)
		}
		printed <- out
	}()
	return printed
}

func testWeftRelays(t *testing.T, software string, node *weftNode, alice, bob gossiper) {
	t.Helper()
	got := publishUntil(t, alice, "from alice", listenFor(t, "from alice", bob))
	if got.Author != alice.ID() || got.Via != node.id.String() {
		t.Fatalf("bob received %+v, want alice %s as author, passed on by weft %s", got, alice.ID(), node.id)
	}
	if !slices.Equal(got.Knows, []string{node.id.String()}) {
		t.Fatalf("bob is connected to %v, want the weft node only", got.Knows)
	}
	shown(t, "a message of one %s peer reaches another that is connected to the weft node only", software)
}

// listenFor yields the first message that begins with prefix.
func listenFor(t *testing.T, prefix string, reader gossiper) <-chan heard {
	first := make(chan heard, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), stepTimeout)
		defer cancel()
		for {
			got, err := reader.Next(ctx)
			if err != nil {
				t.Error(err)
			}
			if err != nil || strings.HasPrefix(got.Text, prefix) {
				first <- got
				return
			}
		}
	}()
	return first
}

// publishUntil publishes numbered messages until one has had its effect:
// nothing tells a publisher when a far subscriber is attached, and gossipsub
// passes messages on along the mesh only, which a heartbeat builds.
func publishUntil[T any](t *testing.T, writer gossiper, text string, effect <-chan T) T {
	t.Helper()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for n := 0; ; n++ {
		writer.Publish(fmt.Sprintf("%s %d", text, n))
		select {
		case v := <-effect:
			return v
		case <-tick.C:
		}
	}
}
