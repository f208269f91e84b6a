package dissemination

import (
	"fmt"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/catchup"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/fetch"
	"github.com/weftnet/weft/protocols/object"
)

// A peer is believed the more of its lists, the more of what it listed has come: a few
// that list what does not exist must not take up the room for what does. It is TCP's
// congestion window: one more for each success, half for each failure.
const (
	firstTrust = 128            // objects; chosen for what a node misses in ten minutes of a slow topic
	leastTrust = 8              // chosen because six listers of nothing then cost fewer questions than one honest one
	mostTrust  = catchup.MaxIDs // chosen: a page is fetched while the next one comes
	maxPages   = 8              // of one peer that wait; chosen as twice the reasons for a pull. More are listed again
)

// lister is a member, as one that lists what it holds.
type lister struct {
	peer  core.PeerID
	trust int // objects of its lists that are fetched at a time
	open  int // that are being fetched
	pages int // that wait
}

// page is a list of what a peer holds.
type page struct {
	by      *lister
	topic   string
	request uint64
	ids     []object.ID // that are still to be fetched
	news    int         // objects that were not held here
	more    bool        // another page follows
}

// listing is why an object is fetched.
type listing struct {
	by    *lister
	topic string
	at    time.Time
}

// missing fetches what a peer holds and we do not, as much at a time as it is trusted.
// The next page waits until that is under way.
func (m *Machine) missing(a catchup.Missing) {
	by := m.listers[a.Peer]
	if by == nil || by.pages == maxPages {
		return
	}
	by.pages++
	p := &page{by: by, topic: a.Topic, request: a.Request, ids: a.IDs, more: a.More}
	m.pages = append(m.pages, p)
}

// turnPages goes on with the lists while there is room for what they bring.
func (m *Machine) turnPages() {
	m.pages = slices.DeleteFunc(m.pages, func(p *page) bool {
		if !m.readPage(p) {
			return false
		}
		p.by.pages--
		if p.more {
			m.catchup.Continue(m.now, p.by.peer, p.request, p.news, &m.actions)
		}
		return true
	})
}

// readPage fetches what of a page may be fetched now, and says whether that is all.
func (m *Machine) readPage(p *page) bool {
	if m.listers[p.by.peer] != p.by {
		return true // it left
	}
	for ; len(p.ids) > 0; p.ids = p.ids[1:] {
		id := p.ids[0]
		if m.known(id) || m.parked(id) {
			continue
		}
		if p.by.open >= p.by.trust || m.unsaved >= m.cfg.MaxUnsaved/2 {
			return false
		}
		p.news++
		if _, listed := m.listed[id]; !listed {
			m.listed[id] = listing{p.by, p.topic, m.now}
			p.by.open++
		}
		m.fetch.Want(m.now, fetch.Want{ID: id, Holders: m.holders(p.topic, p.by.peer)}, &m.actions)
	}
	return true
}

// forgetListing ends the fetching of what was listed; nothing is learnt from it.
func (m *Machine) forgetListing(id object.ID) (l listing, listed bool) {
	if l, listed = m.listed[id]; listed {
		delete(m.listed, id)
		l.by.open--
	}
	return l, listed
}

// cameListed notes that what was listed is here.
func (m *Machine) cameListed(id object.ID) {
	if l, listed := m.forgetListing(id); listed {
		l.by.trust = min(l.by.trust+1, mostTrust)
	}
}

// failedListed notes that nobody gave what was listed. Who says that it lacks what it
// has just listed is blamed, unless it carries the topic no more.
func (m *Machine) failedListed(a fetch.Exhausted, out *[]core.Effect) {
	l, listed := m.forgetListing(a.ID)
	if !listed || a.Full {
		return
	}
	l.by.trust = max(l.by.trust/2, leastTrust)
	absent := slices.ContainsFunc(a.Replies, func(r fetch.Reply) bool {
		return r.Peer == l.by.peer && r.Status == fetch.StatusNotFound && !r.Asked.Before(l.at) && r.Asked.Sub(l.at) < m.cfg.Fresh
	})
	if absent && m.listers[l.by.peer] == l.by && m.catchup.Carries(l.by.peer, l.topic) {
		m.blame(l.by.peer, fetch.OffenceAbsent, fmt.Sprintf("it listed %s of %q and does not have it", a.ID, l.topic), out)
	}
}
