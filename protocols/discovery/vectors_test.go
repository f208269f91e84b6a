package discovery

import (
	"testing"

	"github.com/weftnet/weft/docs/protocols/vectors"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/handshake"
)

func TestTheLimitsAreDocumented(t *testing.T) {
	self := someone(t, "self")
	cfg := DefaultConfig(self.key, self.id, "test", handshake.Version{})
	for page, limits := range map[string]vectors.Limits{
		"symmetry": {
			"within":              vectors.Time(cfg.SymmetryWithin),
			"cool-down":           vectors.Time(cfg.CoolDown),
			"dial-second-after":   vectors.Time(cfg.Dialing.DialSecondAfter),
			"dial-back-after":     vectors.Time(cfg.Dialing.DialBackAfter),
			"ip-dials-per-minute": vectors.Of(cfg.Dialing.IPDialsPerMinute, "dials"),
			"ip-failure-cost":     vectors.Of(cfg.Dialing.IPFailureCost, "dials"),
		},
		"discovery": {
			"gossip-first":   vectors.Time(cfg.GossipFirst),
			"gossip-every":   vectors.Time(cfg.GossipEvery),
			"own-burst":      vectors.Of(ownBurst, "claims"),
			"own-every":      vectors.Time(ownEvery),
			"plain-peers":    vectors.Of(cfg.PlainPeers, "peers"),
			"max-held":       vectors.Of(maxHeld, "messages"),
			"max-held-bytes": vectors.Of(maxHeldBytes, "bytes"),
		},
	} {
		var v vectors.Page
		if err := vectors.Read(page, &v); err != nil {
			t.Fatal(err)
		}
		for _, diff := range v.Limits.Diff(limits) {
			t.Errorf("limit %s of %s.json: the vectors and the code differ", diff, page)
		}
		if page != "discovery" {
			continue
		}
		for _, diff := range vectors.OddOffences(v.Offences, []core.Offence{OffenceUnknownType, OffenceBadClaim}) {
			t.Errorf("offence %s: only in the vectors or only in the code", diff)
		}
	}
}
