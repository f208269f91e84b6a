package main

import (
	"fmt"
	"time"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

// tierFields tell how messages come from each peer of a topic; none for nil.
func tierFields(t *weftv1.Tiers) []string {
	if t == nil {
		return nil
	}
	pairs := []string{
		"tiers", fmt.Sprintf("%d eager, %d lazy, pushes to %d", t.GetEager(), t.GetLazy(), t.GetPushedTo()),
		"grafts", fmt.Sprintf("%d sent, %d received", t.GetGraftsSent(), t.GetGraftsReceived()),
		"prunes", fmt.Sprintf("%d sent, %d received", t.GetPrunesSent(), t.GetPrunesReceived()),
		"announced", fmt.Sprintf("%d, asked for %d, of which %d came", t.GetAnnounced(), t.GetAsked(), t.GetPulled()),
	}
	for _, p := range t.GetPeers() {
		pairs = append(pairs, "peer", tierPeer(p))
	}
	return pairs
}

// tierPeer is a peer on one line.
func tierPeer(p *weftv1.TierPeer) string {
	line := p.GetPeerId() + " " + p.GetTier()
	if p.GetPlain() {
		line += ", plain"
	}
	if p.GetPushed() {
		line += ", pushed to"
	}
	line += fmt.Sprintf(", first %d, copies %d", p.GetFirst(), p.GetCopies())
	if p.GetDelay() != nil {
		line += ", " + p.GetDelay().AsDuration().Round(time.Millisecond).String() + " behind"
	}
	if p.GetReason() != "" {
		line += fmt.Sprintf(": %s, %s ago", p.GetReason(), ago(time.Since(p.GetSince().AsTime())))
	}
	return line
}
