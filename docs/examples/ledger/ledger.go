package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"sync"

	"github.com/weftnet/weft/node"
)

// The topics. A transaction is a signed Transfer. A block is nothing but what it
// depends on: the block before it, unless it is a first one, and then the transactions
// that it applies, in order.
const (
	transactions = "transactions"
	blocks       = "blocks"
)

// Ledger is one replica.
type Ledger struct {
	node *node.Node
	log  *node.ObjectSubscription

	mu     sync.Mutex // the node asks on several goroutines
	states map[node.ObjectID]State
	head   node.ObjectID // of the chain that counts; zero: before all blocks
}

// Start runs a replica that begins with some balances, the same everywhere.
func Start(ctx context.Context, cfg node.Config, first map[Account]Balance) (*Ledger, error) {
	l := &Ledger{states: map[node.ObjectID]State{{}: {Accounts: first}}}
	cfg.ObjectTopics = []node.ObjectTopic{
		{Name: transactions, Decide: l.decideTransaction},
		{Name: blocks, Decide: l.decideBlock},
	}
	var err error
	if l.node, err = node.New(cfg); err != nil {
		return nil, err
	}
	if err := l.node.Start(ctx); err != nil {
		return nil, err
	}
	if l.log, err = l.node.SubscribeObjectsAfter(ctx, blocks, 0); err != nil {
		return nil, errors.Join(err, l.node.Close())
	}
	return l, nil
}

// Close ends the replica.
func (l *Ledger) Close() error { return l.node.Close() }

// Pay puts a transaction. It counts as soon as a block applies it.
func (l *Ledger) Pay(ctx context.Context, from ed25519.PrivateKey, t Transfer) (node.ObjectID, error) {
	payload, err := json.Marshal(t)
	if err != nil {
		return node.ObjectID{}, err
	}
	return l.node.PutObject(ctx, transactions, node.Draft{Payload: payload, Author: from})
}

// Propose puts a block that follows the head and applies transactions.
func (l *Ledger) Propose(ctx context.Context, apply ...node.ObjectID) (node.ObjectID, error) {
	head, _ := l.Head()
	deps := apply
	if head != (node.ObjectID{}) {
		deps = append([]node.ObjectID{head}, apply...)
	}
	return l.node.PutObject(ctx, blocks, node.Draft{Deps: deps})
}

// Head is the last block of the chain that counts, and the state after it.
func (l *Ledger) Head() (node.ObjectID, State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head, l.states[l.head]
}

// Read waits for the next valid block and folds it in: the longest chain counts, and of
// equally long ones that whose last block has the smallest ID. The order in which
// blocks come differs between replicas, and does not matter.
func (l *Ledger) Read(ctx context.Context) (node.ObjectID, error) {
	d, err := l.log.Next(ctx)
	if err != nil {
		return node.ObjectID{}, err
	}
	s, err := l.after(ctx, d.Object)
	if err != nil {
		return node.ObjectID{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	height := l.states[l.head].Height
	if s.Height > height || s.Height == height && bytes.Compare(d.ID[:], l.head[:]) < 0 {
		l.head = d.ID
	}
	return d.ID, nil
}

func (l *Ledger) decideTransaction(_ context.Context, o node.Object) (node.ObjectVerdict, string) {
	_, _, err := parse(o)
	return verdict(err)
}

func (l *Ledger) decideBlock(ctx context.Context, o node.Object) (node.ObjectVerdict, string) {
	_, err := l.after(ctx, o)
	return verdict(err)
}

// verdict rejects only what is invalid for everybody: that bans the sender. Our own
// trouble is nobody's fault, and the object comes again.
func verdict(err error) (node.ObjectVerdict, string) {
	switch {
	case err == nil:
		return node.AcceptObject, ""
	case errors.Is(err, errInvalid):
		return node.RejectObject, err.Error()
	}
	return node.IgnoreObject, err.Error()
}

// after is the state after a block. All that the block depends on is held and valid
// when the node asks, so nothing here waits for the network.
func (l *Ledger) after(ctx context.Context, block node.Object) (State, error) {
	if s, known := l.known(block.ID); known {
		return s, nil
	}
	first, _ := l.known(node.ObjectID{})
	s := first.clone()
	for i, id := range block.Deps {
		dep, err := l.node.GetObject(ctx, id)
		if err != nil {
			return s, err
		}
		switch {
		case dep.Topic == transactions:
			err = s.apply(dep)
		case dep.Topic == blocks && i == 0:
			var before State
			before, err = l.after(ctx, dep)
			s = before.clone()
		default:
			err = invalid("a block follows one block at most, named first, and applies transactions; dependency %d is of %q", i, dep.Topic)
		}
		if err != nil {
			return s, err
		}
	}
	s.Height++
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states[block.ID] = s // for ever; a larger ledger would keep the last few
	return s, nil
}

func (l *Ledger) known(block node.ObjectID) (State, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.states[block]
	return s, ok
}
