package simhost

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/adapters/gossipsub"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/reputation"
)

// judge is a node's reputation, with bans that its host enforces, as in a node.
type judge struct {
	host host.Host
	gate *gate
	rate func(peer.ID, float64)

	mu       sync.Mutex
	machine  *reputation.Machine
	bans     []Ban
	offences map[peer.ID]int
}

// Ban is one node's ban of a peer.
type Ban struct {
	Peer   peer.ID
	At     time.Time
	Reason string
}

func newJudge(h host.Host, g *gate) *judge {
	j := &judge{host: h, gate: g, machine: reputation.New(reputation.DefaultConfig()), offences: make(map[peer.ID]int)}
	h.Network().Notify(&network.NotifyBundle{ConnectedF: j.connected, DisconnectedF: j.disconnected})
	return j
}

func (j *judge) connected(_ network.Network, c network.Conn) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.machine.Connected(c.RemotePeer(), core.GroupOf(c.RemoteMultiaddr()))
	j.machine.Settled(c.RemotePeer())
}

func (j *judge) disconnected(n network.Network, c network.Conn) {
	if n.Connectedness(c.RemotePeer()) == network.Connected {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.machine.Disconnected(c.RemotePeer())
}

// report takes what gossip tells, on gossip's own goroutine.
func (j *judge) report(ev core.Event) {
	switch ev := ev.(type) {
	case core.Misbehaved:
		j.misbehaved(ev)
	case core.Deliveries:
		j.mu.Lock()
		defer j.mu.Unlock()
		for _, d := range ev.Of {
			j.machine.Deliver(time.Now(), d)
		}
	}
}

func (j *judge) misbehaved(ev core.Misbehaved) {
	bans, opinion := j.penalize(ev)
	j.rate(ev.Peer, opinion)
	for _, b := range bans {
		if b.Peer != "" {
			j.gate.refuse(b.Peer)
			_ = j.host.Network().ClosePeer(b.Peer)
		}
	}
}

func (j *judge) penalize(ev core.Misbehaved) (bans []reputation.Ban, opinion float64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	j.offences[ev.Peer]++
	bans = j.machine.Penalize(now, ev.Peer, ev.Offence, ev.Detail)
	for _, b := range bans {
		j.bans = append(j.bans, Ban{b.Peer, now, b.Reason})
	}
	opinion, _ = j.machine.Opinion(now, ev.Peer)
	return bans, opinion
}

// Bans are those so far.
func (j *judge) Bans() []Ban {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]Ban(nil), j.bans...)
}

// Offences are how many there were of each peer.
func (j *judge) Offences(id peer.ID) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.offences[id]
}

// judged is gossip whose offenders are banned.
type judged struct {
	*gossip
	*judge
}

// newJudged starts gossip that is judged on a host which can refuse connections.
func newJudged(h host.Host, cfg gossipsub.Config) (Stack, error) {
	m, ok := h.(meteredHost)
	if !ok {
		return newGossip(h, cfg)
	}
	j := newJudge(h, m.Host.(*simHost).gate)
	ready := make(chan struct{})
	cfg.Report = func(ev core.Event) { <-ready; j.report(ev) }
	g, err := newGossip(h, cfg)
	if err != nil {
		close(ready)
		return nil, err
	}
	j.rate = g.Rate
	close(ready)
	return judged{g, j}, nil
}
