package libp2phost

import (
	"errors"
	"sync"
	"time"
)

const (
	// pieceBytes is what a large message grows by; chosen because a peer that
	// only announces then costs little, and copying stays cheap.
	pieceBytes = 64 << 10

	// stalledAfter is how long a message may go without filling a piece before
	// it can be ended in favour of one that waits for memory: 32 KiB/s. Chosen
	// because the slowest useful link is faster.
	stalledAfter = 2 * time.Second

	// pressureTick is how often a waiting message looks for a stalled one.
	pressureTick = 250 * time.Millisecond
)

var (
	errBudget  = errors.New("no memory for a large message in time")
	errEvicted = errors.New("stalled while others waited for memory")
)

// budget bounds the bytes of all incomplete large messages of a node. A message
// that needs a further piece waits while none is free. So that messages which
// each hold a part and wait for more do not wait for ever, the oldest may
// overdraw, up to one message's size, and a message that has stalled is ended
// while others wait.
type budget struct {
	mu       sync.Mutex
	free     int // bytes; negative while overdrawn
	overdraw int // bytes; how far free may fall below zero
	claims   map[*claim]struct{}
	waiting  int           // claims in line
	changed  chan struct{} // closed and replaced when a waiting claim should look again
	evicted  uint64
}

// claim is what one message holds.
type claim struct {
	began    time.Time
	advanced time.Time // when it last got a piece
	held     int       // bytes
	waits    bool
	excused  bool   // its peer is not to blame that it does not grow
	evict    func() // nil once ended
}

func newBudget(bytes, overdraw int) *budget {
	return &budget{
		free: bytes, overdraw: max(overdraw, pieceBytes),
		claims: make(map[*claim]struct{}), changed: make(chan struct{}),
	}
}

// claim starts a message; evict must end its stream, without waiting.
func (b *budget) claim(now time.Time, evict func()) *claim {
	c := &claim{began: now, advanced: now, evict: evict}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.claims[c] = struct{}{}
	return c
}

// grow adds a piece to a claim, waiting for it until the deadline.
func (b *budget) grow(c *claim, deadline time.Time) error {
	return b.growBy(c, pieceBytes, deadline, nil)
}

// growBy adds n bytes to a claim, waiting for them until the deadline, if there is
// one, or until gone is closed.
func (b *budget) growBy(c *claim, n int, deadline time.Time, gone <-chan struct{}) error {
	for {
		ok, changed, err := b.tryGrow(c, n, time.Now(), deadline)
		if ok || err != nil {
			return err
		}
		tick := time.NewTimer(pressureTick)
		select {
		case <-changed:
		case <-tick.C:
			b.relieve(time.Now())
		case <-gone:
			b.end(c)
		}
		tick.Stop()
	}
}

func (b *budget) tryGrow(c *claim, n int, now, deadline time.Time) (ok bool, changed <-chan struct{}, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case c.evict == nil:
		return false, nil, errEvicted
	case b.free >= n && (b.waiting == 0 || b.oldestWaiting(c)),
		b.free+b.overdraw >= n && b.oldest(c, now):
		b.free -= n
		c.held += n
		c.advanced = now
		b.setWaits(c, false)
		return true, nil, nil
	case !deadline.IsZero() && !now.Before(deadline):
		return false, nil, errBudget
	}
	b.setWaits(c, true)
	return false, b.changed, nil
}

// oldestWaiting says that no claim that waits is older.
func (b *budget) oldestWaiting(c *claim) bool {
	for other := range b.claims {
		if other.waits && other.began.Before(c.began) {
			return false
		}
	}
	return true
}

// oldest says that no claim is older but stalled ones.
func (b *budget) oldest(c *claim, now time.Time) bool {
	for other := range b.claims {
		if other.began.Before(c.began) && !other.stalled(now) {
			return false
		}
	}
	return true
}

func (c *claim) stalled(now time.Time) bool {
	return !c.waits && !c.excused && now.Sub(c.advanced) >= stalledAfter
}

// excuse says that a claim will not grow for a while, or not at all, and that this
// is not its peer's doing. Taking that back starts its time anew.
func (b *budget) excuse(c *claim, excused bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c.excused, c.advanced = excused, time.Now()
}

func (b *budget) setWaits(c *claim, waits bool) {
	if c.waits == waits {
		return
	}
	c.waits = waits
	if waits {
		b.waiting++
		return
	}
	b.waiting--
	b.wake()
}

// wake lets all that wait look again.
func (b *budget) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// shrink gives a piece back.
func (b *budget) shrink(c *claim) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.held >= pieceBytes {
		b.giveBack(c, pieceBytes)
	}
}

// end gives everything back. It may be called again.
func (b *budget) end(c *claim) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endLocked(c)
}

func (b *budget) endLocked(c *claim) {
	if c.evict == nil {
		return
	}
	c.evict = nil
	delete(b.claims, c)
	b.setWaits(c, false)
	b.giveBack(c, c.held)
}

func (b *budget) giveBack(c *claim, n int) {
	c.held -= n
	b.free += n
	if b.waiting > 0 {
		b.wake()
	}
}

// relieve ends the message that has gone longest without growing, when that is
// too long. One that waits for memory is not to blame.
func (b *budget) relieve(now time.Time) {
	b.mu.Lock()
	var worst *claim
	for c := range b.claims {
		if !c.waits && !c.excused && c.held > 0 && (worst == nil || c.advanced.Before(worst.advanced)) {
			worst = c
		}
	}
	if worst == nil || !worst.stalled(now) {
		b.mu.Unlock()
		return
	}
	evict := worst.evict
	b.evicted++
	b.endLocked(worst)
	b.mu.Unlock()
	evict()
}

// use is how many bytes are held, and how many messages were evicted.
func (b *budget) use() (held int, evicted uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.claims {
		held += c.held
	}
	return held, b.evicted
}
