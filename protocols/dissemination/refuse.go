package dissemination

import (
	"fmt"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/fetch"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/object"
	"github.com/weftnet/weft/protocols/pending"
)

// rule answers the mesh.
func (m *Machine) rule(it *item, v Verdict, out *[]core.Effect) {
	if it.ticket != nil {
		perform(out, Rule{Ticket: it.ticket, Verdict: v})
		it.ticket = nil
	}
}

// refuse ends an object that is not to be held now; nobody is to blame.
func (m *Machine) refuse(it *item, why error, out *[]core.Effect) {
	switch it.way {
	case byPut:
		perform(out, Fail{Ticket: it.ticket, Err: why})
	case byMesh:
		m.rule(it, Ignore, out)
	case byInfection:
		m.gossip.Drop(m.now, infect.ID(it.ID))
	}
}

// condemn ends an object that is invalid for everybody, and all that depends on it.
func (m *Machine) condemn(it *item, why string, out *[]core.Effect) {
	m.stats.Invalid++
	m.forgetListing(it.ID)
	m.condemned.add(it.ID, forever)
	switch it.way {
	case byPut:
		perform(out, Fail{Ticket: it.ticket, Err: fmt.Errorf("%w: %s", ErrInvalid, why)})
	case byMesh:
		m.rule(it, Reject, out)
	case byInfection:
		m.gossip.Reject(m.now, infect.ID(it.ID))
	}
	if it.from != m.cfg.Self {
		m.blame(it.from, OffenceInvalid, it.ID.String()+": "+why, out)
		notify(out, "object.invalid", it.from, it.ID.String()+": "+why)
	}
	m.pending.Invalid(m.now, it.ID, &m.actions)
	for _, t := range m.take(it.ID) {
		perform(out, Fail{Ticket: t, Err: fmt.Errorf("%w: %s", ErrInvalid, why)})
	}
}

// fallen names those who sent what depends on an invalid object.
func (m *Machine) fallen(a pending.Fallen, out *[]core.Effect) {
	it := a.Item.Body.(*item)
	m.stats.Invalid++
	m.condemned.add(it.ID, forever)
	if it.way == byInfection {
		m.gossip.Reject(m.now, infect.ID(it.ID))
	}
	for _, peer := range append(a.Also, a.Sender) {
		m.blame(peer, OffenceDependant, fmt.Sprintf("%s depends on %s, which is invalid", it.ID, a.Because), out)
	}
}

// tellEvery is how often somebody is told that objects expired, or wait for what was
// pruned; chosen because many do at once, and one of them says as much as all.
const tellEvery = time.Minute

// expired gives an object up that waited in vain.
func (m *Machine) expired(a pending.Expired, out *[]core.Effect) {
	m.stats.Expired++
	if !m.tellings.Take(m.now) {
		return
	}
	why := "waited too long for what it depends on"
	if a.Because != (object.ID{}) {
		why = "depends on " + a.Because.String() + ", which nobody has who could be asked"
	}
	notify(out, "object.expired", a.Sender, fmt.Sprintf("%s %s; expired since the start: %d", a.ID, why, m.stats.Expired))
}

// warnPruned tells of an object that others wait for and that all who could tell have
// pruned. It is not taken as held on their word: else whoever says so could make valid
// here what is not elsewhere.
func (m *Machine) warnPruned(a fetch.Exhausted, out *[]core.Effect) {
	waiters := m.pending.Waiters(a.ID, 1)
	pruned := slices.ContainsFunc(a.Replies, func(r fetch.Reply) bool { return r.Status == fetch.StatusPruned })
	unclear := slices.ContainsFunc(a.Replies, func(r fetch.Reply) bool {
		return r.Status != fetch.StatusPruned && r.Status != fetch.StatusNotFound
	})
	if len(waiters) == 0 || !pruned || unclear || !m.warnings.Take(m.now) {
		return
	}
	w := waiters[0]
	notify(out, "object.stranded", w.Sender, fmt.Sprintf("%s waits for %s, which was pruned by all who were asked; if its sender is to be trusted, go on with: weft object anchor %q %[2]s",
		w.ID, a.ID, w.Body.(*item).log.Name))
}

// unauthorised refuses what its author may not write. Just after a change of the
// validators the sender may have known another set.
func (m *Machine) unauthorised(it *item, out *[]core.Effect) {
	m.stats.Unauthorised++
	m.shunned.add(it.ID, m.now.Add(m.cfg.ChangeGrace))
	why := fmt.Errorf("%w: %s", ErrAuthor, it.Object.Topic)
	if it.log.Authors != Validators || m.now.Sub(m.changedAt) >= m.cfg.ChangeGrace {
		m.blame(it.from, OffenceAuthor, it.ID.String()+": "+why.Error(), out)
	}
	m.refuse(it, why, out)
}
