package libp2phost

import (
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Reason says why a connection was refused. Reasons are label values of metrics.
type Reason uint8

// The reasons.
const (
	ReasonFull      Reason = iota // MaxPeers are connected
	ReasonPerPeer                 // the peer has its two connections already
	ReasonSelf                    // it is ourselves
	ReasonNoID                    // a dial that would accept whoever answers
	ReasonTLS                     // TLS parameters outside of the pinned set
	ReasonResources               // resource manager: per-IP limits, connections, memory, descriptors
	ReasonBlocked                 // somebody blocked the peer
	ReasonDialRate                // too many dials to one IP address brought no connection
	reasonCount
)

func (r Reason) String() string {
	return [...]string{"full", "per_peer", "self", "no_id", "tls", "resources", "blocked", "dial_rate"}[r]
}

// refusal is a refused connection as an error.
type refusal struct {
	reason Reason
	text   string
}

func (r *refusal) Error() string { return r.text }

// refusals counts and logs what was refused. Anybody can cause refusals, so the
// log shows only some of them.
type refusals struct {
	log    *slog.Logger
	counts [reasonCount]atomic.Uint64
	shown  [reasonCount]rate.Sometimes
}

func newRefusals(log *slog.Logger) *refusals {
	r := &refusals{log: log}
	for i := range r.shown {
		r.shown[i] = rate.Sometimes{First: 3, Interval: 10 * time.Second} // chosen because a flood must stay readable
	}
	return r
}

func (r *refusals) add(why *refusal, attrs ...any) {
	n := r.counts[why.reason].Add(1)
	r.shown[why.reason].Do(func() {
		r.log.Info("connection refused: "+why.text, append(attrs, "reason", why.reason.String(), "so_far", n)...)
	})
}

func (r *refusals) snapshot() map[string]uint64 {
	m := make(map[string]uint64, reasonCount)
	for i := range r.counts {
		m[Reason(i).String()] = r.counts[i].Load()
	}
	return m
}
