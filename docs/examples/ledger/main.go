// Ledger is a tiny replicated ledger, to be read and copied: three nodes in one
// process, transactions, and blocks that depend on them.
//
//	go run ./docs/examples/ledger
//
// What weft does: it brings every object to every node, checks authors' signatures,
// and asks about a block only when the block before it and all its transactions are
// here. What is left for the ledger: rules (state.go), and folding valid blocks into
// balances (ledger.go).
//
// Anybody may propose a block, and the longest chain counts. That is no consensus: let
// the authors of blocks be validators, and blocks carry their votes, to get one.
package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/weftnet/weft/node"
)

// keyOf makes a key of a name. Real keys are secret.
func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func accountOf(name string) Account { return AccountOf(keyOf(name).Public().(ed25519.PublicKey)) }

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run has Alice pay Bob at the first replica, and Bob pay Carol at the second once the
// first block is there.
func run(ctx context.Context, out io.Writer) error {
	var replicas []*Ledger
	var join []string
	for range 3 {
		l, err := Start(ctx, config(join), map[Account]Balance{accountOf("alice"): {Coins: 100}})
		if err != nil {
			return err
		}
		defer l.Close()
		replicas, join = append(replicas, l), []string{l.node.Addrs()[0].String()}
	}
	for i, pay := range []struct {
		from, to string
		amount   uint64
	}{{"alice", "bob", 30}, {"bob", "carol", 10}} {
		at := replicas[i]
		tx, err := at.Pay(ctx, keyOf(pay.from), Transfer{To: accountOf(pay.to), Amount: pay.amount, Number: 1})
		if err != nil {
			return err
		}
		if _, err := at.Propose(ctx, tx); err != nil {
			return err
		}
		for _, l := range replicas {
			if _, err := l.Read(ctx); err != nil {
				return err
			}
		}
	}
	for i, l := range replicas {
		_, s := l.Head()
		fmt.Fprintf(out, "replica %d, block %d: alice %d, bob %d, carol %d\n", i+1, s.Height,
			s.Accounts[accountOf("alice")].Coins, s.Accounts[accountOf("bob")].Coins, s.Accounts[accountOf("carol")].Coins)
	}
	return nil
}

// config is a node that speaks to this machine only, and writes nothing.
func config(join []string) node.Config {
	cfg := node.DefaultConfig()
	cfg.Network = "ledger"
	cfg.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	cfg.Bootstrap = join
	return cfg
}
