package main

import (
	"crypto/ed25519"
	"errors"

	"github.com/weftnet/weft/adapters/libp2phost"
	"github.com/weftnet/weft/adapters/validators"
	"github.com/weftnet/weft/node"
)

// readFiles reads the files that settings name, so that one that cannot be used is
// laid to its setting before anything is opened.
func (a *app) readFiles(cfg *node.Config) (err error) {
	if _, err := a.readList(validators.Members); err != nil {
		return err
	}
	if _, err := a.readList(validators.Validators); err != nil {
		return err
	}
	cfg.ConsensusKey, err = a.consensusKey()
	return err
}

// readList reads the file of members or of validators; without one the set is
// empty.
func (a *app) readList(form validators.Form) (validators.Set, error) {
	path := a.values.Text(form.String())
	if path == "" {
		return validators.Set{}, nil
	}
	set, err := form.Load(path)
	if err != nil {
		return set, a.values.Error(form.String(), explained(err))
	}
	return set, nil
}

// explained adds what to do about a list that cannot be read; what one says wrong,
// the error tells itself.
func explained(err error) string {
	if errors.Is(err, validators.ErrInvalid) {
		return err.Error()
	}
	return err.Error() + "; check the path and its permissions"
}

// consensusKey reads the key of a consensus identity; nil when none is set.
func (a *app) consensusKey() (ed25519.PrivateKey, error) {
	path := a.values.Text("consensus_key")
	if path == "" {
		return nil, nil
	}
	key, err := libp2phost.LoadConsensusKey(path)
	if err != nil {
		return nil, a.values.Error("consensus_key", err.Error())
	}
	return key, nil
}

func publicKey(private ed25519.PrivateKey) validators.Key {
	return validators.Key(private.Public().(ed25519.PublicKey))
}
