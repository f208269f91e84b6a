package libp2phost

import (
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// traffic counts the bytes of all streams. libp2p's own counter also keeps a
// moving average for every peer and protocol ever seen, which nobody bounds.
type traffic struct{ received, sent atomic.Uint64 }

var _ metrics.Reporter = (*traffic)(nil)

func (t *traffic) LogRecvMessage(n int64) { t.received.Add(uint64(n)) }
func (t *traffic) LogSentMessage(n int64) { t.sent.Add(uint64(n)) }

func (t *traffic) GetBandwidthTotals() metrics.Stats {
	return metrics.Stats{TotalIn: int64(t.received.Load()), TotalOut: int64(t.sent.Load())}
}

func (*traffic) LogRecvMessageStream(int64, protocol.ID, peer.ID)      {}
func (*traffic) LogSentMessageStream(int64, protocol.ID, peer.ID)      {}
func (*traffic) GetBandwidthForPeer(peer.ID) (s metrics.Stats)         { return s }
func (*traffic) GetBandwidthForProtocol(protocol.ID) (s metrics.Stats) { return s }
func (*traffic) GetBandwidthByPeer() map[peer.ID]metrics.Stats         { return nil }
func (*traffic) GetBandwidthByProtocol() map[protocol.ID]metrics.Stats { return nil }
func (*traffic) Reset()                                                {}
func (*traffic) TrimIdle(time.Time)                                    {}
