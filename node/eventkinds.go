package node

import (
	"fmt"
	"slices"
	"strings"
)

// EventKinds are the kinds of events, in the order of a node's life; Event says what
// each means.
var EventKinds = []string{
	"node.started", "node.draining",
	"bootstrap.connected", "bootstrap.unreachable", "bootstrap.fallback",
	"peer.connected", "peer.dial_failed", "peer.dropped", "peer.disconnected",
	"peer.member", "peer.rejected", "peer.plain", "peer.left", "peer.silent",
	"peer.offence", "peer.banned", "peer.unbanned", "group.banned", "group.unbanned",
	"tier.eager", "tier.lazy", "claim.unsigned", "object.invalid", "object.expired", "object.stranded", "store.failed",
}

// kindWanted says whether a kind is one of those asked for, or of a group among
// them; none asked for is all.
func kindWanted(kinds []string, kind string) bool {
	return len(kinds) == 0 || slices.ContainsFunc(kinds, func(k string) bool {
		return kind == k || strings.HasPrefix(kind, k+".")
	})
}

// checkKinds refuses what no event is of, for which one would wait for ever.
func checkKinds(kinds []string) error {
	for _, k := range kinds {
		if !slices.ContainsFunc(EventKinds, func(kind string) bool { return kindWanted([]string{k}, kind) }) {
			return fmt.Errorf("%w: there are no events of kind %q: use one of %s, or a group of them as peer",
				ErrArgument, legible(k, maxText), strings.Join(EventKinds, ", "))
		}
	}
	return nil
}
