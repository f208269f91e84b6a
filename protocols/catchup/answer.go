package catchup

import (
	"time"

	"github.com/weftnet/weft/protocols/bloom"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

// questionSteps is what a question costs at least. Chosen because decoding the
// largest filter and encoding a full page take about as long.
const questionSteps = 4096

// onGetRecent takes in a question. A later one takes the place of one that is not
// answered yet: its asker has given that up.
func (m *Machine) onGetRecent(now time.Time, p *peer, payload []byte, out *[]core.Action) error {
	q, err := ParseGetRecent(payload)
	if err != nil {
		p.steps.Spend(now, questionSteps)
		return err
	}
	if p.list != nil && p.listAt.IsZero() {
		p.steps.Spend(now, float64(m.cfg.PageSteps)) // at most: the composer is still at it
	}
	p.list = m.newList(p.id, q)
	p.listAt = now
	m.handOver(now, p, out)
	return nil
}

func (m *Machine) newList(from core.PeerID, q GetRecent) *List {
	l := &List{
		Peer: from, Request: q.Request, Topic: q.Topic, Cursor: q.Cursor,
		bits: q.Bits, part: q.Part, steps: new(int), most: m.cfg.PageSteps,
	}
	if q.Since > 0 {
		l.Since = time.UnixMilli(int64(q.Since))
	}
	if q.Known != nil {
		l.filter, l.keyer = q.Known.Filter, bloom.NewKeyer(q.Known.Salt)
	}
	return l
}

// handOver hands a peer's question over, as soon as it may cost something again.
func (m *Machine) handOver(now time.Time, p *peer, out *[]core.Action) {
	if p.listAt.IsZero() || p.listAt.After(now) {
		return
	}
	m.stale = true
	if !p.steps.Ready(now) {
		p.listAt = now.Add(p.steps.Wait(now))
		m.stats.Delayed++
		return
	}
	p.listAt = time.Time{}
	p.steps.Spend(now, questionSteps)
	if m.topics[p.list.Topic] == nil { // we have just ceased to carry it
		m.Listed(now, p.id, p.list.Request, nil, 0, false, out)
		return
	}
	*out = append(*out, *p.list)
}

// Listed answers List: next is the log number of the last entry that was looked at,
// and more says that there are others behind it.
func (m *Machine) Listed(now time.Time, peer core.PeerID, request uint64, ids []object.ID, next uint64, more bool, out *[]core.Action) {
	p := m.peers[peer]
	if p == nil || p.list == nil || p.list.Request != request {
		return // it is gone, or asks for something else by now
	}
	p.steps.Spend(now, float64(*p.list.steps))
	p.list = nil
	m.stats.Answered++
	m.stats.Listed += uint64(len(ids))
	m.send(p.id, TypeRecent, Recent{Request: request, IDs: ids, Next: next, More: more}.Append(nil), out)
}
