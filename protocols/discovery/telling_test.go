package discovery

import (
	"strings"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/uptime"
)

func TestAFloodOfMinorOffencesIsWeighedButToldInPart(t *testing.T) {
	bob := someone(t, "bob")
	h := newHub(t, bob)
	told := func() (all []core.Penalize) { return asked[core.Penalize](h) }
	told()
	const flood = 1000
	for i := range flood {
		h.from(bob, uptime.Protocol, uptime.TypePing, ping(uint64(i)))
	}
	if n := len(told()); n == 0 || n > tellBurst {
		t.Errorf("%d of the flood are told at once, want 1 to %d", n, tellBurst)
	}
	before := h.Stats().Reputation.Offences[uptime.OffenceTooOften]
	if before < flood-20 {
		t.Errorf("%d are counted", before)
	}
	h.now = h.now.Add(tellEvery)
	for i := range flood {
		h.from(bob, uptime.Protocol, uptime.TypePing, ping(uint64(i)))
	}
	later := told()
	if len(later) != 1 || !strings.Contains(later[0].Detail, "more offences before") {
		t.Errorf("later told %+v", later)
	}
	if !h.isMember(bob) {
		t.Error("minor offences have banned it")
	}
}

func TestOffencesOfManyWhoAreNotConnectedAreToldInPart(t *testing.T) {
	h := newHub(t)
	for i := range 1000 {
		h.do(core.Misbehaved{Peer: core.PeerID(rune('a' + i)), Offence: core.OffenceFrame})
	}
	if n := len(asked[core.Penalize](h)); n == 0 || n > tellBurst {
		t.Errorf("%d are told, want 1 to %d", n, tellBurst)
	}
}

func TestTellingGoesOnWhenTheClockIsSetBack(t *testing.T) {
	told := newTelling()
	now := blameStart
	for range tellBurst {
		told.may(now)
	}
	if told.may(now) {
		t.Fatal("more than the burst is told")
	}
	if !told.may(now.Add(-time.Hour)) {
		t.Error("nothing is told for an hour")
	}
}
