package libp2phost

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/multiformats/go-varint"
)

// metering is what the meters of one host share.
type metering struct {
	large   int           // bytes; larger messages are collected first
	timeout time.Duration // from first byte to last
	budget  *budget

	oversize, malformed, slow, starved atomic.Uint64 // streams ended, by cause

	mu   sync.Mutex
	open map[*meter]struct{} // as many as there are streams
}

func newMetering(large int, timeout time.Duration, b *budget) *metering {
	return &metering{large: large, timeout: timeout, budget: b, open: make(map[*meter]struct{})}
}

const (
	// watchSlack is the part of the timeout by which a stream may end late.
	watchSlack    = 16
	minWatchEvery = 5 * time.Millisecond
)

// watch ends the streams whose message takes too long, until ctx ends.
func (g *metering) watch(ctx context.Context) {
	ticker := time.NewTicker(max(g.timeout/watchSlack, minWatchEvery))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			for _, m := range g.meters() {
				m.expire(now)
			}
		}
	}
}

func (g *metering) meters() []*meter {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]*meter, 0, len(g.open))
	for m := range g.open {
		list = append(list, m)
	}
	return list
}

func (g *metering) add(m *meter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open[m] = struct{}{}
}

func (g *metering) remove(m *meter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, m)
}

func (g *metering) count(err error) {
	switch {
	case errors.Is(err, errOversize):
		g.oversize.Add(1)
	case errors.Is(err, varint.ErrOverflow), errors.Is(err, varint.ErrNotMinimal), errors.Is(err, errEntries):
		g.malformed.Add(1)
	case errors.Is(err, errSlow):
		g.slow.Add(1)
	case errors.Is(err, errBudget):
		g.starved.Add(1)
	}
}

// pieces are the buffers of incomplete large messages.
var pieces = sync.Pool{New: func() any { return new([pieceBytes]byte) }}

func newPiece() []byte { return pieces.Get().(*[pieceBytes]byte)[:] }

func freePiece(p []byte) { pieces.Put((*[pieceBytes]byte)(p[:pieceBytes])) }
