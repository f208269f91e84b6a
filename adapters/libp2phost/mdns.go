package libp2phost

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/adapters/queue"
	"github.com/weftnet/weft/protocols/core"
)

const (
	// mdnsService keeps weft nodes apart from other libp2p software on the same
	// network, which could not use our DHT.
	mdnsService = "_weft._udp"

	// maxHearsay is how many events may wait before discoveries are dropped:
	// they are repeated.
	maxHearsay = 256
)

// mdnsFound posts what the local network announces.
type mdnsFound struct {
	self   peer.ID
	events *queue.Queue[core.Event]
}

// HandlePeerFound implements mdns.Notifee.
func (m *mdnsFound) HandlePeerFound(info peer.AddrInfo) {
	if info.ID == m.self || len(info.Addrs) == 0 || m.events.Len() >= maxHearsay {
		return
	}
	m.events.Push(core.Discovered{Peer: info.ID, Addrs: info.Addrs, From: core.SourceMDNS})
}
