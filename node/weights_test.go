package node_test

import (
	"errors"
	"math"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/node"
)

func TestSetValidatorsTakesACopyAndChecksWeights(t *testing.T) {
	n := start(t)
	alice, bob := start(t).ID(), start(t).ID()
	for name, set := range map[string]map[peer.ID]uint64{
		"nothing":   {alice: 1, bob: 0},
		"too great": {alice: math.MaxUint64, bob: 1},
	} {
		if err := n.SetValidators(node.ValidatorSet{Peers: set}); !errors.Is(err, node.ErrArgument) {
			t.Errorf("a weight that is %s: %v, want %v", name, err, node.ErrArgument)
		}
	}
	mine := map[peer.ID]uint64{alice: 7}
	if err := n.SetValidators(node.ValidatorSet{Peers: mine}); err != nil {
		t.Fatal(err)
	}
	mine[bob] = 1
	all, err := n.Validators(soon(t))
	if err != nil || len(all) != 1 || all[0].Peer != alice || all[0].Weight != 7 {
		t.Errorf("validators = %+v, %v; want alice alone", all, err)
	}
}
