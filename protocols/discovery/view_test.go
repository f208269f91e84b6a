package discovery

import (
	"fmt"
	"testing"

	"github.com/weftnet/weft/protocols/core"
)

func TestTheLastRefusalsAreRememberedOneOfEachPeer(t *testing.T) {
	r := newRefusals()
	name := func(i int) core.PeerID { return core.PeerID(fmt.Sprint(i)) }
	for i := range maxRefusals + 2 {
		r.add(Refusal{Peer: name(i), Reason: "first"})
	}
	r.add(Refusal{Peer: name(5), Reason: "second"})
	r.forget(name(6))
	r.forget("stranger")
	all := r.all()
	if len(all) != maxRefusals-1 || len(r.of) != len(all) {
		t.Fatalf("%d are remembered under %d names, want %d", len(all), len(r.of), maxRefusals-1)
	}
	if all[0].Peer != name(2) || all[len(all)-1] != (Refusal{Peer: name(5), Reason: "second"}) {
		t.Errorf("the oldest is %+v, the newest %+v", all[0], all[len(all)-1])
	}
	if r.get(name(0)) != (Refusal{}) || r.get(name(6)) != (Refusal{}) || r.get(name(7)).Reason != "first" {
		t.Error("not the last ones are remembered")
	}
}
