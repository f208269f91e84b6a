package store

import (
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
)

// MaxSavedClaims is how many are kept: chosen for a network in which everyone is
// worth knowing, at 2.6 MB with the largest claims there are.
const MaxSavedClaims = 4096

var claimKind = kind[core.SavedClaim]{
	prefix: 'c',
	most:   MaxSavedClaims,
	name:   func(c core.SavedClaim) string { return string(c.Peer) },
	rank:   func(c core.SavedClaim) time.Time { return c.Expiry },
	append: appendClaim,
	parse:  ofPeer(parseClaim),
}

// SavedClaims are up to limit claims that have not expired at now, the ones with
// the latest expiry first. Their signatures are not checked here. Expired claims
// are left out but not deleted: a clock that is wrong today must not cost them.
func (s *Store) SavedClaims(now time.Time, limit int) ([]core.SavedClaim, error) {
	claims, err := load(s, &s.claims)
	claims = slices.DeleteFunc(claims, func(c core.SavedClaim) bool { return !c.Expiry.After(now) })
	return first(limit, claims), err
}

func appendClaim(b []byte, c core.SavedClaim) []byte {
	return append(appendTime(b, c.Expiry), c.Envelope...)
}

func parseClaim(id core.PeerID, value []byte) (core.SavedClaim, error) {
	expiry, envelope, ok := cutTime(value)
	if !ok || !claimSize(envelope) {
		return core.SavedClaim{}, errMalformed
	}
	return core.SavedClaim{Peer: id, Envelope: slices.Clone(envelope), Expiry: expiry}, nil
}

func claimSize(envelope []byte) bool { return 0 < len(envelope) && len(envelope) <= claim.MaxEnvelope }
