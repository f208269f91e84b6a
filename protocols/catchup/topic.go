package catchup

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// marks are what a carrier has been through.
type marks uint8

const (
	met       marks = 1 << iota // it was asked something
	consulted                   // it was asked since we joined, or were alone
	guest                       // it is new, and to be asked for everything
)

// topic is an object topic of ours.
type topic struct {
	name     string
	carriers int       // peers that carry it
	answered time.Time // when a pull last came to its end; zero: never yet
	first    int       // carriers that are still to be asked on joining,
	behind   time.Time // and how far back; zero: everything
	caught   bool      // one of them has been asked to the end, since we were last alone
	digging  int       // pulls under way that are on joining or for a welcome

	askAt  time.Time // of the next ordinary question; zero: nobody to ask
	deepAt time.Time // of the next deep one, for whatever reason

	again, deepAgain bool  // the next ordinary, the next deep one is about all parts
	turn, deepTurn   uint8 // which part is next, where a filter does not hold everything
}

// replaceTopics makes names, which are sorted, the topics that we carry.
func (m *Machine) replaceTopics(now time.Time, names []string) {
	for _, t := range m.order {
		if _, keep := slices.BinarySearch(names, t.name); !keep {
			m.drop(now, t)
		}
	}
	for _, name := range names {
		if m.topics[name] == nil {
			m.add(now, name)
		}
	}
	slices.SortFunc(m.order, func(a, b *topic) int { return strings.Compare(a.name, b.name) })
}

func (m *Machine) add(now time.Time, name string) {
	t := &topic{name: name}
	m.topics[name] = t
	m.order = append(m.order, t)
	for _, p := range m.ranks {
		if _, carries := p.carries[name]; carries {
			m.joined(now, t, p)
		}
	}
}

func (m *Machine) drop(now time.Time, t *topic) {
	for _, p := range m.ranks {
		m.cancel(now, p, t)
		delete(p.marks, t.name)
	}
	delete(m.topics, t.name)
	m.order = slices.DeleteFunc(slices.Clone(m.order), func(o *topic) bool { return o == t })
}

// carry replaces what a peer carries.
func (m *Machine) carry(now time.Time, p *peer, names []string) {
	before := p.carries
	p.carries = make(map[string]struct{}, len(names))
	for _, name := range names {
		p.carries[name] = struct{}{}
	}
	for _, t := range m.order {
		_, was := before[t.name]
		_, is := p.carries[t.name]
		switch {
		case is && !was:
			m.joined(now, t, p)
		case was && !is:
			m.cancel(now, p, t)
			m.left(t)
		}
	}
}

// joined takes in another carrier of a topic. The first after a time without any
// begins the catching-up: with what came since the last answer, or where it had been
// left off.
func (m *Machine) joined(now time.Time, t *topic, p *peer) {
	if t.carriers++; t.carriers == 1 {
		m.rejoin(now, t)
	}
	if t.first == 0 {
		m.welcome(t, p)
	}
	m.digOn(now, t)
}

// digOn brings forward what is asked of one carrier after the other.
func (m *Machine) digOn(now time.Time, t *topic) {
	if t.digging == 0 && (t.first > 0 && m.choose(t, t.without(consulted)) != nil || m.choose(t, t.with(guest)) != nil) {
		t.deepAt = now
	}
}

func (t *topic) with(mark marks) func(*peer) bool {
	return func(p *peer) bool { return p.marks[t.name]&mark != 0 }
}

func (t *topic) without(mark marks) func(*peer) bool {
	return func(p *peer) bool { return p.marks[t.name]&mark == 0 }
}

func (m *Machine) rejoin(now time.Time, t *topic) {
	if t.caught {
		t.behind = earlier(t.answered.Add(-m.cfg.Margin), now.Add(-m.cfg.Window))
	}
	for _, p := range m.ranks {
		p.marks[t.name] &^= consulted
	}
	t.first, t.caught = m.cfg.First, false
	t.askAt = now.Add(between(m.cfg.AskMin, m.cfg.AskMax, m.rng))
}

// welcome sees to it that a new carrier is asked for everything that is wanted: it may
// come from a part of the network that was cut off for long. It is enough when some of
// its peers do, since what they get landed there recently.
func (m *Machine) welcome(t *topic, p *peer) {
	if p.marks[t.name]&met == 0 && m.rng.IntN(t.carriers) < m.cfg.Welcome {
		p.marks[t.name] |= guest
	}
}

func (m *Machine) left(t *topic) {
	if t.carriers--; t.carriers == 0 {
		t.askAt, t.deepAt = time.Time{}, time.Time{}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func between(least, most time.Duration, rng *rand.Rand) time.Duration {
	return least + time.Duration(rng.Int64N(int64(most-least)+1))
}

// begin begins the pulls of a topic that are due.
func (m *Machine) begin(now time.Time, t *topic) {
	if !t.askAt.IsZero() && !t.askAt.After(now) {
		t.askAt = now.Add(between(m.cfg.AskMin, m.cfg.AskMax, m.rng))
		m.round(now, t)
	}
	if !t.deepAt.IsZero() && !t.deepAt.After(now) {
		m.deepen(now, t)
	}
}

// round asks one random carrier what landed there in the last minutes: one that was
// never asked, if there is any, for it may come from another part of the network.
func (m *Machine) round(now time.Time, t *topic) {
	p := m.choose(t, t.without(met))
	if p == nil {
		p = m.choose(t, func(p *peer) bool { return !p.pulling(t, ordinary) })
	}
	if p == nil {
		return // all are being asked
	}
	m.stats.Rounds++
	m.start(p, &pull{topic: t, kind: ordinary, since: now.Add(-m.cfg.Window), part: t.turn, all: t.again})
	t.turn++
	t.again = false
}

// deepen asks the next of those that are asked on joining or for a welcome, one after
// the other, so that the later ones need only complete what the earlier told; and when
// there is none, one random carrier for everything that is still wanted.
func (m *Machine) deepen(now time.Time, t *topic) {
	t.deepAt = now.Add(m.cfg.Patience)
	if t.first > 0 && m.join(t) || m.greet(t) {
		return
	}
	t.deepAt = now.Add(m.cfg.DeepEvery)
	if p := m.choose(t, func(p *peer) bool { return !p.pulling(t, deep) }); p != nil {
		m.stats.Deep++
		m.start(p, &pull{topic: t, kind: deep, part: t.deepTurn, all: t.deepAgain})
		t.deepTurn++
		t.deepAgain = false
	}
}

// join asks another carrier for what came while we were away; false: all were asked.
func (m *Machine) join(t *topic) bool {
	p := m.choose(t, t.without(consulted))
	if p == nil {
		return false
	}
	p.marks[t.name] |= consulted
	t.first--
	t.digging++
	m.stats.Joins++
	m.start(p, &pull{topic: t, kind: joining, since: t.behind, all: true})
	return true
}

// greet asks a guest for everything; false: there is none.
func (m *Machine) greet(t *topic) bool {
	p := m.choose(t, t.with(guest))
	if p == nil {
		return false
	}
	p.marks[t.name] &^= guest
	t.digging++
	m.stats.Welcomes++
	m.start(p, &pull{topic: t, kind: welcoming, all: true})
	return true
}

// choose draws one of the carriers that fit; nil: none does.
func (m *Machine) choose(t *topic, fits func(*peer) bool) (chosen *peer) {
	fitting := 0
	for _, p := range m.ranks {
		if _, carries := p.carries[t.name]; !carries || !fits(p) {
			continue
		}
		if fitting++; m.rng.IntN(fitting) == 0 { // reservoir of one: each is as likely
			chosen = p
		}
	}
	return chosen
}

const (
	// againAfter is the pause between a pull that was told of manyTold IDs or more and
	// the next ordinary question, which shows what its filter hid and its peer lacked.
	// Chosen so that objects which were just told can land; and so that what is always
	// on its way, at a thousand objects a second, is not many.
	againAfter = time.Second
	manyTold   = 256
	// settled is the pause between the end of a pull on joining and the next ordinary
	// question, which shows what the carrier got before the mesh reached us. Chosen as
	// twice the heartbeat with which gossipsub mends its meshes.
	settled = 2 * time.Second
	// oftener is the pause between a pull that was told anything, or not answered, and the
	// next ordinary question. Chosen as half of the least pause otherwise: what pulls alone
	// carry, as broadcasts and what came during a cut, gets on as fast as pulls follow.
	oftener = 5 * time.Second
	// someTold is how many IDs, told in another pull, bring the next deep one forward.
	// Chosen because a filter hides one in a hundred.
	someTold = 32
)

// ended takes in the end of a pull.
func (m *Machine) ended(now time.Time, l *pull, well bool) {
	t := l.topic
	switch {
	case well:
		m.stats.Finished++
		t.answered = now
		t.caught = t.caught || l.kind == joining
	case l.kind == joining:
		t.first++
		fallthrough
	default:
		m.stats.Broken++
	}
	digs := l.kind == joining || l.kind == welcoming
	if digs {
		t.digging--
	}
	if t.carriers > 0 {
		m.reschedule(now, t, l, digs, well)
	}
}

// reschedule brings forward what the end of a pull makes room or gives reason for.
func (m *Machine) reschedule(now time.Time, t *topic, l *pull, digs, well bool) {
	switch {
	case l.told >= manyTold:
		t.again, t.askAt = true, core.Earliest(t.askAt, now.Add(againAfter))
	case l.told > 0 || l.kind == ordinary && !well:
		t.askAt = core.Earliest(t.askAt, now.Add(oftener))
	}
	if l.kind == joining {
		t.askAt = core.Earliest(t.askAt, now.Add(settled))
	}
	if digs {
		t.deepAt = now.Add(m.cfg.DeepEvery)
		m.digOn(now, t)
	}
	if l.kind != ordinary && l.told >= someTold {
		t.deepAgain, t.deepAt = true, core.Earliest(t.deepAt, now.Add(m.cfg.AskMin))
	}
	m.stale = true
}
