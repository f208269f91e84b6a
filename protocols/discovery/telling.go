package discovery

import (
	"fmt"
	"time"

	"github.com/weftnet/weft/protocols/core"
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
	limit  core.Bucket
	untold int
}

func newTelling() telling {
	return telling{limit: core.Bucket{PerSecond: 1 / tellEvery.Seconds(), Most: tellBurst}}
}

// may counts an offence and says whether to tell of it.
func (t *telling) may(now time.Time) bool {
	if !t.limit.Take(now) {
		t.untold++
		return false
	}
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
