package dissemination

import (
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/fetch"
	"github.com/weftnet/weft/protocols/object"
)

// What a peer listed and nobody gave is asked for again a few times: the next list of
// everything may be minutes away.
const (
	askAgainAfter = 15 * time.Second // chosen like the retries of pending: above the 10 s after which one holder is given up
	askAgainTimes = 3                // chosen because a fourth time has never helped where one of ten answers is lost
	maxAgain      = 4096             // objects; chosen like the wants of fetch
)

// again is an object that could not be had and may be there all the same.
type again struct {
	id      object.ID
	holders []core.PeerID // who did not say that they lack it
	due     time.Time
	left    int // times
}

// askAgain notes what nobody gave, where somebody may have it.
func (m *Machine) askAgain(a fetch.Exhausted) {
	var holders []core.PeerID
	for _, r := range a.Replies {
		if r.Status == fetch.StatusTimedOut || r.Status == fetch.StatusRefused || r.Status == fetch.StatusGone {
			holders = append(holders, r.Peer)
		}
	}
	if len(holders) == 0 || m.retried[a.ID] || len(m.agains) >= maxAgain {
		return
	}
	m.retried[a.ID] = true
	m.agains = append(m.agains, again{a.ID, holders, m.now.Add(askAgainAfter), askAgainTimes})
}

// retryListed asks again for what is due.
func (m *Machine) retryListed() {
	for len(m.agains) > 0 && !m.agains[0].due.After(m.now) {
		a := m.agains[0]
		m.agains = slices.Delete(m.agains, 0, 1)
		if a.left == 0 || m.known(a.id) {
			delete(m.retried, a.id)
			continue
		}
		m.fetch.Want(m.now, fetch.Want{ID: a.id, Holders: m.holders("", a.holders...)}, &m.actions)
		a.left, a.due = a.left-1, m.now.Add(askAgainAfter)
		m.agains = append(m.agains, a)
	}
}
