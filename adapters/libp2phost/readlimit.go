package libp2phost

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/weftnet/weft/protocols/frame"
)

// ReadLimits bounds what the peers' messages may take of this node. A message that
// meets a limit waits before its body is read, and so does its stream; in the end
// the peer's own queue fills.
type ReadLimits struct {
	InProcess   int     // messages of one peer that were delivered and are not done
	BytesPerSec int     // of one peer; 0: no limit
	Burst       int     // bytes that one peer may send at once
	PeerCPU     float64 // seconds per second that handling one peer's messages may take; 0: no limit
	TotalCPU    float64 // the former limit does not hold while all peers together take less
	Pool        int     // bytes of all messages that are being read or handled
	PeerPool    int     // of them, of one peer; a larger message must wait until it is its peer's only one
	TrustedPool int     // bytes, a pool of their own for those whom Config.Trusted names
}

// DefaultReadLimits returns the limits of an open network.
func DefaultReadLimits() ReadLimits {
	return ReadLimits{
		InProcess:   128,      // chosen because all peers' messages must pass the loop within a tenth of a second (avalanchego: 1,024)
		BytesPerSec: 8 << 20,  // chosen: 16 times that of avalanchego, whose messages carry no objects; a log of 1 GiB takes minutes
		Burst:       8 << 20,  // chosen: a second of it
		PeerCPU:     0.125,    // avalanchego: an eighth of the CPUs for one node
		TotalCPU:    0.5,      // chosen because half of the loop's time must stay free for others
		Pool:        6 << 20,  // FACTS: avalanchego, at-large bytes
		PeerPool:    2 << 20,  // FACTS: avalanchego, at-large bytes of one node
		TrustedPool: 32 << 20, // FACTS: avalanchego, validators' bytes
	}
}

func (r ReadLimits) valid() bool {
	return r.InProcess >= 1 && r.BytesPerSec >= 0 && (r.BytesPerSec == 0 || r.Burst >= readPiece) &&
		validShare(r.PeerCPU) && validShare(r.TotalCPU) && r.PeerPool >= readPiece && r.Pool >= r.PeerPool &&
		r.TrustedPool >= largestMessage
}

func validShare(s float64) bool { return s == 0 || s >= 0.001 }

const (
	largestMessage = frame.LengthSize + frame.HeaderSize + frame.MaxPayload // bytes

	// ownBytes is what each peer's small messages may hold without the pools, and
	// smallBytes how large those are: whoever fills the pools does not keep
	// others' pings and handshakes out. Chosen because nearly all control messages
	// fit, and 50 peers hold 3 MiB.
	ownBytes   = 64 << 10
	smallBytes = ownBytes / 4

	cpuUnit = float64(time.Second) // limiters of CPU time count nanoseconds
)

// pools are the limits that all peers share. A message over PeerPool would block
// the pool for others while it arrives, so one such at a time, the oldest, has
// room of its own.
type pools struct {
	common, large, trusted *budget
	cpu                    *rate.Limiter
}

func newPools(r ReadLimits) *pools {
	return &pools{
		common:  newBudget(r.Pool, r.PeerPool),
		large:   newBudget(0, largestMessage),
		trusted: newBudget(r.TrustedPool-largestMessage, largestMessage),
		cpu:     newCPULimiter(r.TotalCPU),
	}
}

func (p *pools) held() (bytes int) {
	for _, b := range []*budget{p.common, p.large, p.trusted} {
		n, _ := b.use()
		bytes += n
	}
	return bytes
}

// newCPULimiter allows a share of each second, and at once that of one second.
func newCPULimiter(share float64) *rate.Limiter {
	if share == 0 {
		return rate.NewLimiter(rate.Inf, math.MaxInt)
	}
	return rate.NewLimiter(rate.Limit(share*cpuUnit), max(1, int(share*cpuUnit)))
}

// capacity is what one peer's messages may take.
type capacity struct {
	limits ReadLimits
	pools  *pools
	slots  *semaphore.Weighted // messages that were delivered and are not done
	own    *semaphore.Weighted // bytes of small messages
	pooled *semaphore.Weighted // bytes in a pool, as announced
	bytes  *rate.Limiter
	cpu    *rate.Limiter
}

func newCapacity(r ReadLimits, p *pools) *capacity {
	c := &capacity{
		limits: r, pools: p,
		slots:  semaphore.NewWeighted(int64(r.InProcess)),
		own:    semaphore.NewWeighted(ownBytes),
		pooled: semaphore.NewWeighted(int64(r.PeerPool)),
		bytes:  rate.NewLimiter(rate.Inf, 0),
		cpu:    newCPULimiter(r.PeerCPU),
	}
	if r.BytesPerSec > 0 {
		c.bytes = rate.NewLimiter(rate.Limit(r.BytesPerSec), r.Burst)
	}
	return c
}

// delivery is a message from before its body is read until it is handled.
type delivery struct {
	capacity *capacity
	size     int           // bytes, with its length and header
	waited   time.Duration // before its body
	pool     *budget       // nil: it is small
	claim    *claim
	ended    atomic.Bool
}

// acquire waits until the body of a message may be read, whose length is here
// since now. evict must end its stream without waiting.
func (l *link) acquire(now time.Time, size int, evict func()) (*delivery, error) {
	c := l.capacity
	d := &delivery{capacity: c, size: size}
	if c.slots.TryAcquire(1) {
		if debt(c.cpu, now) <= 0 && size <= smallBytes && c.own.TryAcquire(int64(size)) {
			return d, nil
		}
	} else if err := c.slots.Acquire(l.ctx, 1); err != nil {
		return nil, err
	}
	if err := c.awaitCPU(l.ctx); err != nil {
		c.slots.Release(1)
		return nil, err
	}
	if size > smallBytes || !c.own.TryAcquire(int64(size)) {
		if err := c.pooled.Acquire(l.ctx, d.weight()); err != nil {
			c.slots.Release(1)
			return nil, err
		}
		d.pool = c.poolFor(l.m.cfg.Trusted, l.peer, size)
		d.claim = d.pool.claim(time.Now(), evict)
	}
	d.waited = time.Since(now)
	return d, nil
}

func (c *capacity) poolFor(trusted func(peer.ID) bool, p peer.ID, size int) *budget {
	switch {
	case trusted(p):
		return c.pools.trusted
	case size > c.limits.PeerPool:
		return c.pools.large
	}
	return c.pools.common
}

// awaitCPU waits while the peer, and all peers together, took more than they may.
func (c *capacity) awaitCPU(ctx context.Context) error {
	for {
		now := time.Now()
		wait := min(debt(c.cpu, now), debt(c.pools.cpu, now))
		if wait <= 0 {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// debt is how long a limiter takes until what was taken too much is paid.
func debt(l *rate.Limiter, now time.Time) time.Duration {
	if l.Limit() == rate.Inf {
		return 0
	}
	return time.Duration(-l.TokensAt(now) / float64(l.Limit()) * cpuUnit)
}

// weight is what the message counts towards its peer's part of a pool. One that is
// larger than that counts as all of it.
func (d *delivery) weight() int64 { return int64(min(d.size, d.capacity.limits.PeerPool)) }

// grow waits until n more bytes may be read, and says for how long. now is when
// those before were there.
func (d *delivery) grow(ctx context.Context, now time.Time, n int) (waited time.Duration, err error) {
	paid := d.capacity.bytes.AllowN(now, n)
	if paid && d.pool == nil {
		return 0, nil
	}
	began := time.Now()
	if !paid {
		d.excuse(true)
		if err := d.capacity.bytes.WaitN(ctx, n); err != nil {
			return 0, err
		}
		d.excuse(false)
	}
	if d.pool != nil {
		err = d.pool.growBy(d.claim, n, time.Time{}, ctx.Done())
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return time.Since(began), err
}

// excuse says whether it is our doing that the message does not get on.
func (d *delivery) excuse(ours bool) {
	if d.pool != nil {
		d.pool.excuse(d.claim, ours)
	}
}

// done ends a delivered message. It took used of the node's time.
func (d *delivery) done(used time.Duration) {
	if used > 0 {
		charge(d.capacity.cpu, used)
		charge(d.capacity.pools.cpu, used)
	}
	d.release()
}

// charge takes from a limiter even what it does not have. It cannot take more
// than its burst in one go.
func charge(l *rate.Limiter, used time.Duration) {
	now := time.Now()
	for rest := int(used); rest > 0; rest -= l.Burst() {
		l.ReserveN(now, min(rest, l.Burst()))
	}
}

// release gives back all that the message holds. It may be called again.
func (d *delivery) release() {
	if !d.ended.CompareAndSwap(false, true) {
		return
	}
	c := d.capacity
	c.slots.Release(1)
	if d.pool == nil {
		c.own.Release(int64(d.size))
		return
	}
	d.pool.end(d.claim)
	c.pooled.Release(d.weight())
}
