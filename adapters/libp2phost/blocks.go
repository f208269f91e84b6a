package libp2phost

import (
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

// maxBlocks bounds the blocked peers, and the blocked IP groups; chosen because bans are
// rare and each was earned by a connection, so that more of them are somebody making up
// identities.
const maxBlocks = 4096

// block says until when and why there is no connection with a peer, or a group.
type block struct {
	until  time.Time
	reason string
	byHand bool
}

// blocks are those with whom no connection may be made, in either direction.
type blocks struct {
	mu     sync.Mutex
	peers  map[peer.ID]block
	groups map[core.Group]block
	group  func(ma.Multiaddr) core.Group
}

func newBlocks(group func(ma.Multiaddr) core.Group) *blocks {
	if group == nil {
		group = core.GroupOf
	}
	return &blocks{peers: make(map[peer.ID]block), groups: make(map[core.Group]block), group: group}
}

// setBlock sets a block, or lifts it when until has passed. When the list is full,
// blocks that have ended go first, then the one that ends soonest, which is returned;
// those by hand go last.
func setBlock[K ~string](list map[K]block, now time.Time, key K, b block) (dropped K) {
	delete(list, key)
	if !b.until.After(now) {
		return ""
	}
	if len(list) >= maxBlocks {
		dropped = makeRoom(list, now)
	}
	list[key] = b
	return dropped
}

func makeRoom[K ~string](list map[K]block, now time.Time) (dropped K) {
	for k, have := range list {
		if !have.until.After(now) {
			delete(list, k)
		} else if dropped == "" || have.before(list[dropped]) {
			dropped = k
		}
	}
	if len(list) < maxBlocks {
		return ""
	}
	delete(list, dropped)
	return dropped
}

// before says that a block gives way before another.
func (b block) before(other block) bool {
	if b.byHand != other.byHand {
		return other.byHand
	}
	return b.until.Before(other.until)
}

// inForce finds a block, and forgets it when it is over.
func inForce[K ~string](list map[K]block, now time.Time, key K) (b block, ok bool) {
	if b, ok = list[key]; ok && !b.until.After(now) {
		delete(list, key)
		return block{}, false
	}
	return b, ok
}

// refuse says why there may be no connection with a peer; nil when there may.
func (b *blocks) refuse(now time.Time, p peer.ID) *refusal {
	b.mu.Lock()
	defer b.mu.Unlock()
	if have, ok := inForce(b.peers, now, p); ok {
		return &refusal{ReasonBlocked, fmt.Sprintf("the peer is blocked until %s: %s", have.until.UTC().Format(time.RFC3339), have.reason)}
	}
	return nil
}

// refuseAt says why there may be no connection with an address; nil when there may.
// reserved peers are not for their neighbours to get blocked.
func (b *blocks) refuseAt(now time.Time, addr ma.Multiaddr, reserved bool) *refusal {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.groups) == 0 {
		return nil
	}
	g := b.group(addr)
	have, ok := inForce(b.groups, now, g)
	if !ok || g == "" || reserved && !have.byHand {
		return nil
	}
	return &refusal{ReasonBlocked, fmt.Sprintf("the addresses %s are blocked until %s: %s", g, have.until.UTC().Format(time.RFC3339), have.reason)}
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
// peers the one whose block ends soonest is dropped, those by hand last.
func (h *Host) Block(b core.Block) {
	blocks := h.book.blocks
	blocks.mu.Lock()
	dropped := setBlock(blocks.peers, time.Now(), b.Peer, block{b.Until, b.Reason, b.ByHand})
	blocks.mu.Unlock()
	if dropped != "" {
		h.log.Warn("too many peers are blocked: a block was lifted early", "peer", dropped, "most", maxBlocks)
	}
}

// BlockGroup does the same with all addresses of an IP group. Reserved peers are
// spared, unless it is by hand.
func (h *Host) BlockGroup(b core.BlockGroup) {
	blocks := h.book.blocks
	blocks.mu.Lock()
	dropped := setBlock(blocks.groups, time.Now(), b.Group, block{b.Until, b.Reason, b.ByHand})
	blocks.mu.Unlock()
	if dropped != "" {
		h.log.Warn("too many groups of addresses are blocked: a block was lifted early", "group", dropped, "most", maxBlocks)
	}
}
