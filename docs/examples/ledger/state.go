package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/weftnet/weft/node"
)

// errInvalid is wrapped by every error that all replicas find in the same object, now
// and for ever. Whoever sent it did wrong.
var errInvalid = errors.New("invalid")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errInvalid}, args...)...)
}

// Account is the public key of who may pay from it, in hex.
type Account string

// AccountOf is the account of a key.
func AccountOf(key ed25519.PublicKey) Account { return Account(hex.EncodeToString(key)) }

// Transfer is the payload of a transaction. Who pays is the author of the object: the
// node has checked the signature.
type Transfer struct {
	To     Account `json:"to"`
	Amount uint64  `json:"amount"`
	Number uint64  `json:"number"` // 1, 2, 3 … of each account, so that none is applied twice
}

// parse reads a transaction and tells who pays.
func parse(o node.Object) (from Account, t Transfer, err error) {
	if o.Author == nil {
		return "", t, invalid("nobody signed the transfer")
	}
	if err := json.Unmarshal(o.Payload, &t); err != nil {
		return "", t, invalid("not a transfer: %v", err)
	}
	if to, err := hex.DecodeString(string(t.To)); err != nil || len(to) != ed25519.PublicKeySize {
		return "", t, invalid("it pays to %q, which is no account", t.To)
	}
	return AccountOf(o.Author), t, nil
}

// Balance is what an account has, and how many transfers it has made.
type Balance struct{ Coins, Paid uint64 }

// State is what a chain of blocks makes of the first balances. It depends on nothing
// else, so that all replicas compute the same.
type State struct {
	Height   int
	Accounts map[Account]Balance
}

func (s State) clone() State {
	return State{s.Height, maps.Clone(s.Accounts)}
}

// apply carries out the transfer of a transaction.
func (s State) apply(o node.Object) error {
	from, t, err := parse(o)
	if err != nil {
		return err
	}
	payer := s.Accounts[from]
	switch {
	case t.Number != payer.Paid+1:
		return invalid("%.8s… makes its transfer %d where %d is next", from, t.Number, payer.Paid+1)
	case t.Amount > payer.Coins:
		return invalid("%.8s… pays %d and has %d", from, t.Amount, payer.Coins)
	}
	s.Accounts[from] = Balance{payer.Coins - t.Amount, t.Number}
	payee := s.Accounts[t.To]
	payee.Coins += t.Amount
	s.Accounts[t.To] = payee
	return nil
}
