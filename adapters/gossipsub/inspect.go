package gossipsub

import (
	"slices"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
)

// maxBackoff is the longest back-off that a peer can impose: chosen far above
// the usual minute. Pubsub takes any 64-bit number of seconds, so a hostile PRUNE
// would keep its entry for good, or overflow.
const maxBackoff = time.Hour

// seqnoBytes is the length of a sequence number (pubsub specification). It is part
// of the message ID, which pubsub remembers for two minutes, whatever its length.
const seqnoBytes = 8

// inspect runs on pubsub's process loop before a message is handled. It defuses
// PRUNE: the back-off is capped, and peer exchange is cut out, since whom to dial
// is not for strangers to decide. And it takes out messages with an ID of their
// sender's length, and those that lack a signature.
func (p *PubSub) inspect(from peer.ID, rpc *pubsub.RPC) error {
	if p.reputation != nil && p.reputation.score(from) >= ignoredAt {
		p.reputation.floods.inspect(from, rpc)
	}
	for _, prune := range rpc.GetControl().GetPrune() {
		if limit := uint64(maxBackoff / time.Second); prune.GetBackoff() > limit {
			prune.Backoff = &limit
			p.trace.pruneCapped.Add(1)
		}
		prune.Peers = nil
	}
	rpc.Publish = slices.DeleteFunc(rpc.Publish, func(m *pb.Message) bool {
		switch {
		case len(m.GetSeqno()) > seqnoBytes:
			p.trace.RejectMessage(nil, "sequence number too long")
			return true
		case !p.signed(m):
			p.unsigned(from, m)
			return true
		}
		return false
	})
	p.engine.inspect(from, rpc)
	return nil
}
