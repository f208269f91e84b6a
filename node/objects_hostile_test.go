package node_test

import (
	"testing"
	"time"

	"github.com/weftnet/weft/node"
	"github.com/weftnet/weft/protocols/broadcast"
	"github.com/weftnet/weft/protocols/object"
)

// encodedObject is an object that is in order, unless it is changed.
func encodedObject(t testing.TB, network, payload string) []byte {
	t.Helper()
	b, err := object.Object{Network: network, Topic: "votes", Time: time.Now(), Payload: []byte(payload)}.Seal(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Whoever sends an object that nobody may take for valid is banned, and nobody else.
func TestWhoSendsAnInvalidObjectIsBannedAlone(t *testing.T) {
	network := node.DefaultConfig().Network
	for name, bytes := range map[string][]byte{
		"no object":            []byte("no object"),
		"something follows":    append(encodedObject(t, network, "x"), 0),
		"cut short":            encodedObject(t, network, "x")[:20],
		"of another network":   encodedObject(t, "another", "x"),
		"of another's version": append([]byte{9}, encodedObject(t, network, "x")[1:]...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := start(t, carrying("votes", class("broadcast")))
			bad, good := newRawPeer(t), newRawPeer(t)
			bad.join(n)
			good.join(n)
			send := func(r *rawPeer, b []byte) {
				r.write(r.open(n, broadcast.Protocol), r.message(broadcast.TypeObject, b))
			}
			send(bad, bytes)
			awaitEvent(t, n.EventsAfter(0), "peer.banned", bad.host.ID())
			send(good, encodedObject(t, network, "good"))
			if d := delivered(t, reads(t, n, "votes", 0)); string(d.Payload) != "good" {
				t.Errorf("delivered %q", d.Payload)
			}
			gone(t, n, bad.host.ID())
			if !member(t, n, good.host.ID()) {
				t.Error("the other is no member any more")
			}
		})
	}
}
