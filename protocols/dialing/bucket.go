package dialing

import "time"

// bucket holds tokens that come back with time. It is full at first.
type bucket struct {
	perSecond, most float64
	tokens          float64   // when at was; may be negative
	at              time.Time // zero: full
}

func (b *bucket) have(now time.Time) float64 {
	if b.at.IsZero() {
		return b.most
	}
	return min(b.most, b.tokens+b.perSecond*now.Sub(b.at).Seconds())
}

// take removes tokens; negative numbers bring some back.
func (b *bucket) take(now time.Time, n float64) {
	b.tokens, b.at = min(b.most, b.have(now)-n), now
}

// ready is true when there is a whole token.
func (b *bucket) ready(now time.Time) bool { return b.have(now) >= 1 }

// wait is how long until there is a whole token; never zero.
func (b *bucket) wait(now time.Time) time.Duration {
	return time.Duration(max(0, 1-b.have(now))/b.perSecond*float64(time.Second)) + 1
}
