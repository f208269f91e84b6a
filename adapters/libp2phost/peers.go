package libp2phost

import (
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
)

// PeerInfo describes a connected peer.
type PeerInfo struct {
	ID        peer.ID
	Addr      ma.Multiaddr  // remote address of its oldest connection
	Inbound   bool          // it dialled us, on that connection
	Latency   time.Duration // smoothed over pings and queries; 0: not measured
	Agent     string        // as it calls itself; "" before identify
	Protocols []protocol.ID
	Conns     int

	InboundConns, OutboundConns int // of them, that the peer and that we dialled
	Streams                     int // on all connections
	Since                       time.Time
	Admitted                    bool
	Reserved                    bool
	Guest                       bool   // has no place and stays for a moment only
	Transport                   string // "tcp" or "quic-v1"
	Security                    string // "tls" or "noise"
}

// Peers describes the connected peers, the oldest first.
func (h *Host) Peers() []PeerInfo {
	places := h.book.list()
	infos := make([]PeerInfo, 0, len(places))
	for _, pl := range places {
		infos = append(infos, h.describe(pl))
	}
	slices.SortFunc(infos, func(a, b PeerInfo) int {
		if d := a.Since.Compare(b.Since); d != 0 {
			return d
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return infos
}

func (h *Host) describe(pl place) PeerInfo {
	first := pl.conns[0]
	p := first.RemotePeer()
	store := h.base.Peerstore()
	info := PeerInfo{
		ID: p, Addr: first.RemoteMultiaddr(), Inbound: first.Stat().Direction == network.DirInbound,
		Latency: store.LatencyEWMA(p), Since: first.Stat().Opened,
		Admitted: pl.admitted, Reserved: pl.reserved, Guest: pl.guest, Conns: len(pl.conns),
	}
	info.Transport, info.Security = linkNames(first)
	info.Protocols, _ = store.GetProtocols(p) // fails only for malformed IDs
	if agent, err := store.Get(p, "AgentVersion"); err == nil {
		info.Agent, _ = agent.(string)
	}
	for _, c := range pl.conns {
		if c.Stat().Direction == network.DirInbound {
			info.InboundConns++
		} else {
			info.OutboundConns++
		}
		info.Streams += c.Stat().NumStreams
	}
	return info
}

// linkNames names the transport and the security of a connection. QUIC has TLS
// built in and names no security.
func linkNames(c network.Conn) (transport, security string) {
	state := c.ConnState()
	switch name, _, _ := strings.Cut(strings.TrimPrefix(string(state.Security), "/"), "/"); name {
	case "":
		return state.Transport, "tls"
	default:
		return state.Transport, name
	}
}

// list copies the places of connected peers.
func (b *book) list() []place {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]place, 0, len(b.places))
	for _, pl := range b.places {
		copied := *pl
		copied.conns = slices.Clone(pl.conns)
		list = append(list, copied)
	}
	return list
}

// Stats counts what a host has and has refused since its start.
type Stats struct {
	Peers    int // connected, without the guests
	Admitted int // of them
	Guests   int // connected without a place
	Held     int // inbound streams waiting for admission

	Refused map[string]uint64 // connections, by Reason

	HeldRefused uint64 // inbound streams reset: too many of one peer waited
	HeldExpired uint64 // inbound streams reset: their peer was not admitted in time

	OversizeMessages  uint64 // inbound streams reset: announced length over the limit
	MalformedMessages uint64 // inbound streams reset: length prefix is not a varint
	SlowMessages      uint64 // inbound streams reset: a message did not end in time
	StarvedMessages   uint64 // inbound streams reset: no memory for a large message in time
	EvictedMessages   uint64 // inbound streams reset: stalled while others waited for memory
	BufferedBytes     int    // held by incomplete large messages now

	ReceivedBytes, SentBytes uint64 // on all streams

	DialsStarted uint64
	DialsFailed  uint64
	EventsQueued int // events that wait to be posted

	Messages MessageStats
}

// Stats implements the metrics' view of the host.
func (h *Host) Stats() Stats {
	s := Stats{Refused: h.refused.snapshot(), EventsQueued: h.notifier.events.Len(), Messages: h.messages.snapshot()}
	s.Peers, s.Admitted, s.Guests, s.Held = h.book.sizes()
	s.HeldRefused, s.HeldExpired = h.overlay.heldRefused.Load(), h.overlay.heldExpired.Load()
	m := h.overlay.metering
	s.OversizeMessages, s.MalformedMessages = m.oversize.Load(), m.malformed.Load()
	s.SlowMessages, s.StarvedMessages = m.slow.Load(), m.starved.Load()
	s.BufferedBytes, s.EvictedMessages = m.budget.use()
	s.ReceivedBytes, s.SentBytes = h.traffic.received.Load(), h.traffic.sent.Load()
	s.DialsStarted, s.DialsFailed = h.dialer.started.Load(), h.dialer.failed.Load()
	return s
}
