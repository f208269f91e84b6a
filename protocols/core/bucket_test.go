package core

import (
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	b := Bucket{PerSecond: 2, Most: 3}
	for range 3 {
		if !b.Take(start) {
			t.Fatal("it is not full at first")
		}
	}
	if b.Take(at(0.4)) || !b.Take(at(0.5)) || b.Take(at(0.5)) {
		t.Error("two tokens a second come back, not more and not fewer")
	}
	if wait := b.Wait(at(0.5)); wait <= 0 || b.Ready(at(0.5).Add(wait-2)) || !b.Ready(at(0.5).Add(wait)) {
		t.Errorf("after %v it is not ready, or it was before", wait)
	}
	if have := b.Have(at(60)); have != 3 {
		t.Errorf("after a minute it holds %v tokens, not 3", have)
	}
	b.Spend(at(60), 5)
	if have := b.Have(at(60)); have != -2 {
		t.Errorf("5 of 3 tokens leave %v, not -2", have)
	}
	if b.Take(at(61)) || !b.Take(at(61.5)) {
		t.Error("what is owed is not paid first")
	}
	b.Spend(at(62), -10)
	if have := b.Have(at(62)); have != 3 {
		t.Errorf("with 10 brought back it holds %v tokens, not 3", have)
	}
}

func TestABucketOutlivesAClockThatIsSetBack(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	b := Bucket{PerSecond: 1, Most: 1}
	b.Take(start)
	back := start.Add(-time.Hour)
	if !b.Take(back) {
		t.Error("after the clock was set back no token comes for an hour")
	}
	if b.Take(back) || !b.Take(back.Add(time.Second)) {
		t.Error("the clock that was set back does not count")
	}
}
