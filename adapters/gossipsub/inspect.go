package gossipsub

import (
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
)

// maxBackoff is the longest back-off that a peer can impose: chosen far above
// the usual minute. Pubsub takes any 64-bit number of seconds, so a hostile PRUNE
// would keep its entry for good, or overflow.
const maxBackoff = time.Hour

// inspect runs on pubsub's process loop before a message is handled. It defuses
// PRUNE: the back-off is capped, and peer exchange is cut out, since whom to dial
// is not for strangers to decide.
func (p *PubSub) inspect(_ peer.ID, rpc *pubsub.RPC) error {
	for _, prune := range rpc.GetControl().GetPrune() {
		if limit := uint64(maxBackoff / time.Second); prune.GetBackoff() > limit {
			prune.Backoff = &limit
			p.trace.pruneCapped.Add(1)
		}
		prune.Peers = nil
	}
	return nil
}
