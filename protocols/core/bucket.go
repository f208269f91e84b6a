package core

import "time"

// Bucket bounds how often something may happen. It holds tokens, which come back
// with time, and is full at first.
type Bucket struct {
	PerSecond, Most float64

	tokens float64   // when at was; below zero some are owed
	at     time.Time // zero: full
}

// Have is how many tokens there are; below zero some are owed.
func (b *Bucket) Have(now time.Time) float64 {
	if b.at.IsZero() || now.Before(b.at) { // then the clock was set back: nobody waits for it
		return b.Most
	}
	return min(b.Most, b.tokens+b.PerSecond*now.Sub(b.at).Seconds())
}

// Spend takes tokens, even those that are not there; a negative number brings some
// back.
func (b *Bucket) Spend(now time.Time, n float64) {
	b.tokens, b.at = min(b.Most, b.Have(now)-n), now
}

// Ready says whether there is a whole token.
func (b *Bucket) Ready(now time.Time) bool { return b.Have(now) >= 1 }

// Take takes a whole token, if there is one.
func (b *Bucket) Take(now time.Time) bool {
	if !b.Ready(now) {
		return false
	}
	b.Spend(now, 1)
	return true
}

// Wait is how long until there is a whole token; never zero.
func (b *Bucket) Wait(now time.Time) time.Duration {
	return time.Duration(max(0, 1-b.Have(now))/b.PerSecond*float64(time.Second)) + 1
}
