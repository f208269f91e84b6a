package libp2phost

import (
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// maxBlocks bounds the blocked peers; chosen because bans are rare and each was
// earned by a connection, so that more of them are somebody making up identities.
const maxBlocks = 4096

// block says until when and why there is no connection with a peer.
type block struct {
	until  time.Time
	reason string
}

// blocks are the peers with which no connection may be made, in either direction.
type blocks struct {
	mu   sync.Mutex
	list map[peer.ID]block
}

func newBlocks() *blocks { return &blocks{list: make(map[peer.ID]block)} }

// set blocks a peer, or lifts its block when until has passed. When the list is
// full, blocks that have ended go first, then the one that ends soonest, whose
// peer is returned.
func (b *blocks) set(now time.Time, p peer.ID, until time.Time, reason string) (dropped peer.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.list, p)
	if !until.After(now) {
		return ""
	}
	if len(b.list) >= maxBlocks {
		dropped = b.makeRoom(now)
	}
	b.list[p] = block{until, reason}
	return dropped
}

func (b *blocks) makeRoom(now time.Time) (dropped peer.ID) {
	for p, have := range b.list {
		if !have.until.After(now) {
			delete(b.list, p)
		} else if dropped == "" || have.until.Before(b.list[dropped].until) {
			dropped = p
		}
	}
	if len(b.list) < maxBlocks {
		return ""
	}
	delete(b.list, dropped)
	return dropped
}

// refuse says why there may be no connection with a peer; nil when there may.
func (b *blocks) refuse(now time.Time, p peer.ID) *refusal {
	b.mu.Lock()
	defer b.mu.Unlock()
	have, ok := b.list[p]
	if !ok {
		return nil
	}
	if !have.until.After(now) {
		delete(b.list, p)
		return nil
	}
	return &refusal{ReasonBlocked, fmt.Sprintf("the peer is blocked until %s: %s", have.until.UTC().Format(time.RFC3339), have.reason)}
}

// Blocked is the error of every dial to a peer that is blocked; nil when it is not.
func (h *Host) Blocked(p peer.ID) error {
	if why := h.book.blocks.refuse(time.Now(), p); why != nil {
		return &DialError{Peer: p, Reason: "refused by this node: " + why.text}
	}
	return nil
}

// Block refuses connections with a peer, in both directions, until a time; a
// time that has passed, such as the zero time, lifts that. A refused dial fails
// with the reason. Connections that are up stay. Of more than 4,096 blocked
// peers the one whose block ends soonest is dropped.
func (h *Host) Block(p peer.ID, until time.Time, reason string) {
	if dropped := h.book.blocks.set(time.Now(), p, until, reason); dropped != "" {
		h.log.Warn("too many peers are blocked: a block was lifted early", "peer", dropped, "most", maxBlocks)
	}
}
