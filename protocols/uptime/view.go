package uptime

import (
	"cmp"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// View is what is known of one member.
type View struct {
	Peer   core.PeerID
	RTT    time.Duration // the last round trip; zero: none yet
	Smooth time.Duration // the same, smoothed
	Uptime Percent       // as we perceive it
	Says   Percent       // what it says of us
	Told   bool          // Says is set
	Missed int           // pings in a row that it left unanswered
}

// Members returns a view of every member.
func (m *Machine) Members(now time.Time) []View {
	views := make([]View, 0, len(m.order))
	for _, p := range m.order {
		uptime, _ := m.ledger.uptime(now, p.id)
		views = append(views, View{
			Peer: p.id, RTT: p.rtt, Smooth: p.smooth, Uptime: uptime, Says: p.says, Told: p.told, Missed: p.missed,
		})
	}
	return views
}

// Uptime is how we perceive a node, connected or not; false: not known.
func (m *Machine) Uptime(now time.Time, id core.PeerID) (Percent, bool) {
	return m.ledger.uptime(now, id)
}

// Observed is what the others say of us: the median of their reports, by the
// validators' weights where there are validators; false: nobody said anything.
func (m *Machine) Observed() (Percent, bool) {
	var reports []report
	var total float64 // weights may be as large as stakes are: a sum of integers could overflow
	for _, p := range m.order {
		if w := m.weight(p.id); p.told && w > 0 {
			reports = append(reports, report{p.says, w})
			total += w
		}
	}
	if len(reports) == 0 {
		return 0, false
	}
	slices.SortFunc(reports, func(a, b report) int { return cmp.Compare(a.says, b.says) })
	var below float64
	for _, r := range reports {
		if below += r.weight; 2*below >= total {
			return r.says, true
		}
	}
	return reports[len(reports)-1].says, true
}

type report struct {
	says   Percent
	weight float64
}

func (m *Machine) weight(id core.PeerID) float64 {
	if len(m.ledger.validators) == 0 {
		return 1
	}
	return float64(m.ledger.validators[id])
}

// Stats returns counters and gauges.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Members, s.Remembered = len(m.peers), len(m.ledger.nodes)
	return s
}
