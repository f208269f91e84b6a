package main

import (
	"errors"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/adapters/validators"
	"github.com/weftnet/weft/cmd/weft/internal/settings"
	"github.com/weftnet/weft/node"
)

// checkLists looks at the files of members, validators and the consensus key that
// are set, and whether this node is among those whom they name. id is the node's;
// empty when it has none yet.
func (a *app) checkLists(cfg node.Config, id peer.ID) (out []finding) {
	members, membersErr := a.readList(validators.Members)
	trusted, trustedErr := a.readList(validators.Validators)
	consensus, consensusErr := a.consensusKey()
	us := self{id: id, ephemeral: cfg.Ephemeral}
	if consensus != nil {
		us.key = publicKey(consensus)
	}
	if cfg.MembersFile != "" {
		out = append(out, named("members", listed(membersErr, members, us.in(members) || us.in(trusted), us.memberRemedy())))
	}
	if cfg.ValidatorsFile != "" {
		out = append(out, named("validators", listed(trustedErr, trusted, true, "")))
	}
	if a.values.Text("consensus_key") != "" {
		out = append(out, named("consensus key", us.consensus(consensusErr, trusted, cfg.ValidatorsFile != "")))
	}
	return out
}

// self is this node as lists may name it.
type self struct {
	id        peer.ID
	ephemeral bool
	key       validators.Key
}

func (s self) in(set validators.Set) bool {
	_, peer := set.Peers[s.id]
	_, key := set.Keys[s.key]
	return peer || key
}

func (s self) memberRemedy() string {
	switch {
	case s.ephemeral:
		return "leave --ephemeral out: no list can name an identity that is new at each start"
	case s.id == "":
		return "it has no identity yet: make one by `weft key new`, and add its ID"
	}
	return "add " + s.id.String() + ", here and on every other member"
}

// listed judges a file and whether it names this node.
func listed(err error, set validators.Set, named bool, remedy string) finding {
	switch {
	case err != nil:
		return failure("", "%s", problem(err))
	case set.Len() == 0:
		return warning("add somebody: it is read again when it changes", "the file names nobody")
	case !named:
		return warning(remedy, "this node is none of the %d: members with the same file refuse it", set.Len())
	}
	return fine("entries: %d", set.Len())
}

func (s self) consensus(err error, trusted validators.Set, hasFile bool) finding {
	if err != nil {
		return failure("", "%s", problem(err))
	}
	if _, is := trusted.Keys[s.key]; hasFile && !is {
		return warning("add it there, or leave --consensus-key out", "%s is not in the file of validators", s.key)
	}
	return fine("%s", s.key)
}

// problem is an error without the setting's name, which the check has.
func problem(err error) string {
	var setting *settings.Error
	if errors.As(err, &setting) {
		return setting.Problem
	}
	return err.Error()
}
