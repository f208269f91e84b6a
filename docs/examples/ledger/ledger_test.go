package main

import (
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/node"
)

// Three replicas end with the same balances.
func Example() {
	if err := run(context.Background(), os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// replica 1, block 2: alice 70, bob 20, carol 10
	// replica 2, block 2: alice 70, bob 20, carol 10
	// replica 3, block 2: alice 70, bob 20, carol 10
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, join ...*Ledger) *Ledger {
	t.Helper()
	var addrs []string
	for _, l := range join {
		addrs = append(addrs, l.node.Addrs()[0].String())
	}
	first := map[Account]Balance{accountOf("alice"): {Coins: 100}, accountOf("bob"): {Coins: 100}}
	l, err := Start(soon(t), config(addrs), first)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func (l *Ledger) mustPay(t *testing.T, from, to string, amount, number uint64) node.ObjectID {
	t.Helper()
	id, err := l.Pay(soon(t), keyOf(from), Transfer{To: accountOf(to), Amount: amount, Number: number})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (l *Ledger) mustPropose(t *testing.T, apply ...node.ObjectID) {
	t.Helper()
	if _, err := l.Propose(soon(t), apply...); err != nil {
		t.Fatal(err)
	}
}

func (l *Ledger) mustRead(t *testing.T, count int) {
	t.Helper()
	for range count {
		if _, err := l.Read(soon(t)); err != nil {
			t.Fatal("waiting for a block:", err)
		}
	}
}

// Two replicas that propose at the same time fork the chain. All choose the same
// branch, and the next block makes it the longest.
func TestReplicasChooseTheSameBranch(t *testing.T) {
	a := start(t)
	b := start(t, a)
	c := start(t, a, b)
	a.mustPropose(t, a.mustPay(t, "alice", "carol", 10, 1))
	b.mustPropose(t, b.mustPay(t, "bob", "carol", 20, 1))
	for _, l := range []*Ledger{a, b, c} {
		l.mustRead(t, 2)
	}
	c.mustPropose(t, c.mustPay(t, "carol", "dave", 5, 1))
	head, want := node.ObjectID{}, State{}
	for i, l := range []*Ledger{c, a, b} {
		l.mustRead(t, 1)
		id, s := l.Head()
		if i == 0 {
			head, want = id, s
		}
		if id != head || !reflect.DeepEqual(s, want) || s.Height != 2 || s.Accounts[accountOf("dave")].Coins != 5 {
			t.Errorf("replica %d is at %s: %+v; another at %s: %+v", i, id, s, head, want)
		}
	}
}

func TestABlockThatBreaksTheRulesIsRefused(t *testing.T) {
	l := start(t)
	one := l.mustPay(t, "alice", "bob", 10, 1)
	l.mustPropose(t, one)
	l.mustRead(t, 1)
	fork, err := l.node.PutObject(soon(t), blocks, node.Draft{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		apply []node.ObjectID
		why   string
	}{
		"overspends":       {[]node.ObjectID{l.mustPay(t, "alice", "bob", 91, 2)}, "pays 91 and has 90"},
		"applies it twice": {[]node.ObjectID{one}, "makes its transfer 1 where 2 is next"},
		"leaves one out":   {[]node.ObjectID{l.mustPay(t, "alice", "bob", 1, 3)}, "makes its transfer 3 where 2 is next"},
		"joins two chains": {[]node.ObjectID{fork}, "follows one block at most"},
	} {
		_, err := l.Propose(soon(t), c.apply...)
		if !errors.Is(err, node.ErrInvalidObject) || !strings.Contains(err.Error(), c.why) {
			t.Errorf("a block that %s: %v, want %q", name, err, c.why)
		}
	}
}

// Mallory runs a node without rules, and has it send a block that overspends.
func TestWhoSendsABadBlockIsBanned(t *testing.T) {
	a := start(t)
	b := start(t, a)
	c := start(t, a, b)
	cfg := config([]string{a.node.Addrs()[0].String(), b.node.Addrs()[0].String(), c.node.Addrs()[0].String()})
	cfg.ObjectTopics = []node.ObjectTopic{{Name: transactions}, {Name: blocks}}
	n, err := node.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(soon(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	mallory := &Ledger{node: n, states: map[node.ObjectID]State{}}
	replicas := []*Ledger{a, b, c}
	awaitMesh(t, n, len(replicas))

	bad, err := mallory.Propose(soon(t), mallory.mustPay(t, "mallory", "carol", 1_000_000, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range replicas {
		await(t, l.node, "peer.banned", n.ID())
		if s, err := l.node.StatObject(soon(t), bad); err != nil || s.State.String() != "invalid" {
			t.Errorf("the bad block is %v, %v", s.State, err)
		}
		if _, s := l.Head(); s.Height != 0 {
			t.Errorf("it counts: %+v", s)
		}
	}
}

// awaitMesh waits until a node's blocks go to so many peers at once.
func awaitMesh(t *testing.T, n *node.Node, peers int) {
	t.Helper()
	inMesh := func(i node.Topic) bool { return i.Name == blocks && i.Mesh == peers }
	for ctx := soon(t); !slices.ContainsFunc(n.Topics(), inMesh); {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("the mesh is not complete:", n.Topics())
		}
	}
}

// await waits for an event about a peer, whether it happened or will.
func await(t *testing.T, n *node.Node, kind string, about peer.ID) {
	t.Helper()
	events := n.EventsAfter(0)
	defer events.Close()
	for {
		e, err := events.Next(soon(t))
		if err != nil {
			t.Fatalf("waiting for %s: %v", kind, err)
		}
		if e.Kind == kind && e.Peer == about {
			return
		}
	}
}
