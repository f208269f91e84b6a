package libp2phost

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/network"
)

// A node without a free place takes some newcomers all the same, for a moment: a
// guest gets a peer list and goes elsewhere, so that a whole network can join
// through one full node. Only peers that dial us become guests.

// guest says whether a connection that finds no place may be a guest's.
func (b *book) guest(dir network.Direction) bool {
	return dir == network.DirInbound && b.guests < b.maxGuests
}

// full says why no place is free; nil when one is.
func (b *book) full(dir network.Direction) *refusal {
	switch {
	case b.ordinary >= b.max:
		return &refusal{ReasonFull, fmt.Sprintf("all %d places are taken: raise the maximum of peers or disconnect one", b.max)}
	case dir == network.DirInbound && b.inbound >= b.maxInbound:
		return &refusal{ReasonFull, fmt.Sprintf("all %d places for peers that dial us are taken: raise the maximum of peers", b.maxInbound)}
	}
	return nil
}
