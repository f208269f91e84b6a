package libp2phost

import (
	"testing"

	"github.com/weftnet/weft/docs/protocols/vectors"
)

// docs/protocols/README.md states what the host bounds.
func TestTheLimitsAreDocumented(t *testing.T) {
	var v vectors.Page
	if err := vectors.Read("node", &v); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	for _, diff := range v.Limits.Diff(vectors.Limits{
		"connection-timeout": vectors.Time(cfg.DialTimeout),
		"frame-timeout":      vectors.Time(cfg.FrameTimeout),
		"write-timeout":      vectors.Time(cfg.WriteTimeout),
		"stream-idle":        vectors.Time(cfg.StreamIdle),
		"clock-skew":         vectors.Time(cfg.MaxSkew),
		"max-peers":          vectors.Of(cfg.MaxPeers, "peers"),
		"guests":             vectors.Of(cfg.Guests, "peers"),
		"guests-per-ip":      vectors.Of(cfg.GuestsPerIP, "peers"),
		"guest-time":         vectors.Time(cfg.GuestTime),
		"streams":            vectors.Of(maxInbound, "streams"),
	}) {
		t.Errorf("limit %s: the vectors and the code differ", diff)
	}
}
