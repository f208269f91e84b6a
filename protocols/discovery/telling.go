package discovery

import (
	"fmt"
	"time"
)

// Of one peer tellBurst offences are told at once, and one more each tellEvery; the
// others are weighed all the same. Chosen because what is worse than a minor fault
// bans within nine, while minor ones never ban: without this a member could commit
// ten thousand a second, each an event and a line in the log.
const (
	tellBurst = 9
	tellEvery = 10 * time.Second
)

// telling bounds what is told of a peer's offences.
type telling struct {
	full   time.Time // when tellBurst may be told again
	untold int
}

// may counts an offence and says whether to tell of it.
func (t *telling) may(now time.Time) bool {
	owed := t.full.Sub(now)
	if owed < 0 || owed > tellBurst*tellEvery { // more than all: our clock was set back
		owed = 0
	}
	if owed > (tellBurst-1)*tellEvery {
		t.untold++
		return false
	}
	t.full = now.Add(owed + tellEvery)
	return true
}

// sum adds to the detail of an offence how many were left out before.
func (t *telling) sum(detail string) string {
	if t.untold > 0 {
		detail = fmt.Sprintf("%s (%d more offences before)", detail, t.untold)
		t.untold = 0
	}
	return detail
}
