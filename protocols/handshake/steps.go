package handshake

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// onHandshake judges what a peer says of itself, the cheap parts first.
func (m *Machine) onHandshake(now time.Time, l *link, payload []byte, out *[]core.Action) {
	switch l.state {
	case waiting:
	case plain:
		m.late(now, l, out)
		return
	default:
		m.refuse(now, l, Duplicate, "", out)
		return
	}
	h, err := Parse(payload)
	if err != nil {
		m.skip(l, OffenceMalformed, err.Error(), out)
		return
	}
	if why, text := m.judge(now, h); why != Unspecified {
		l.theirs = h
		m.refuse(now, l, why, text, out)
		return
	}
	m.tickets++
	l.state, l.ticket, l.theirs = checking, m.tickets, h
	*out = append(*out, Check{l.peer, l.ticket, h})
}

// late answers a plain peer that comes with a handshake after all.
func (m *Machine) late(now time.Time, l *link, out *[]core.Action) {
	if _, err := frame.SenderOf(l.peer); err != nil {
		m.refuse(now, l, KeyType, err.Error(), out)
		return
	}
	m.refuse(now, l, Timeout, fmt.Sprintf("a handshake is due within %v of the link: connect again", m.cfg.Within), out)
}

// genesis is one as text.
func genesis(hash []byte) string {
	if len(hash) == 0 {
		return "not set"
	}
	return hex.EncodeToString(hash)
}

func ahead(skew time.Duration) string {
	if skew < 0 {
		return fmt.Sprintf("%v behind", -skew.Round(time.Millisecond))
	}
	return fmt.Sprintf("%v ahead of", skew.Round(time.Millisecond))
}

// judge compares the parts of a handshake that need no check elsewhere.
func (m *Machine) judge(now time.Time, h Handshake) (Reason, string) {
	if h.Network != m.cfg.Network {
		return Network, fmt.Sprintf("the refused node is of %q, the other of %q", h.Network, m.cfg.Network)
	}
	if !bytes.Equal(h.Genesis, m.cfg.Genesis) {
		return Genesis, fmt.Sprintf("the refused node's is %s, the other's %s", genesis(h.Genesis), genesis(m.cfg.Genesis))
	}
	if why := Compatible(m.cfg.Version, m.cfg.Oldest, h.Version); why != Unspecified {
		return why, fmt.Sprintf("the refused node's is %v, the other's %v, which accepts from %v on", h.Version, m.cfg.Version, m.cfg.Oldest)
	}
	if skew := h.Time.Sub(now); skew.Abs() > m.cfg.MaxSkew {
		return Clock, fmt.Sprintf("the refused node's clock is %s the other's, allowed are %v: set both clocks", ahead(skew), m.cfg.MaxSkew)
	}
	if len(h.Claim) == 0 {
		return Claim, "there is none"
	}
	return Unspecified, ""
}

// Checked answers Check.
func (m *Machine) Checked(now time.Time, peer core.PeerID, ticket uint64, v Verdict, out *[]core.Action) {
	l := m.links[peer]
	if l == nil || l.state != checking || l.ticket != ticket {
		return // that link is gone
	}
	if v.Reason != Unspecified {
		m.refuse(now, l, v.Reason, v.Text, out)
		return
	}
	if m.cfg.Admission == Members && !m.members[peer] && len(v.Proven) == 0 {
		m.refuse(now, l, Membership, "", out)
		return
	}
	l.state, l.verdict = replying, v
	*out = append(*out, Reply{peer, l.theirs.Query})
}

// Replied answers Reply with the peer list for the peer.
func (m *Machine) Replied(now time.Time, peer core.PeerID, list []byte, out *[]core.Action) {
	l := m.links[peer]
	if l == nil || l.state != replying {
		return
	}
	m.hand(l, out)
	if l.guest {
		m.reject(now, l, Reject{Reason: Full, List: list}, out)
		return
	}
	l.state = welcome
	*out = append(*out, send(peer, TypeAccept, list))
	m.complete(l, out)
}

// onAccept notes that a peer accepts us. Its list waits until we accept the peer.
func (m *Machine) onAccept(l *link, payload []byte, out *[]core.Action) {
	switch {
	case l.state == waiting || l.state == plain:
		m.stats.TooEarly++
		m.skip(l, OffenceOrder, "it accepts before it introduced itself", out)
	case l.accepted:
		m.skip(l, OffenceOrder, "it accepts twice", out)
	case len(payload) > MaxList:
		m.skip(l, OffenceMalformed, fmt.Sprintf("a list of %d bytes, at most %d", len(payload), MaxList), out)
	default:
		l.accepted, l.list = true, payload
		if l.state == welcome {
			m.hand(l, out)
			m.complete(l, out)
		}
	}
}

// hand hands on the list that came with a peer's acceptance.
func (m *Machine) hand(l *link, out *[]core.Action) {
	if l.accepted {
		*out = append(*out, Greeted{l.peer, l.list})
		l.list = nil
	}
}

// complete makes the peer a member once both sides accepted.
func (m *Machine) complete(l *link, out *[]core.Action) {
	if l.state != welcome || !l.accepted {
		return
	}
	m.settle(l)
	m.stats.Completed++
	*out = append(*out, Complete{Peer: l.peer, Version: l.theirs.Version, Claim: l.verdict.Claim, Proven: l.verdict.Proven})
	l.theirs = Handshake{} // its bytes are not needed any more
}

// onReject takes in that a peer refuses us, at whatever point.
func (m *Machine) onReject(l *link, payload []byte, out *[]core.Action) {
	r, err := ParseReject(payload)
	if err != nil {
		m.skip(l, OffenceMalformed, err.Error(), out)
		return
	}
	if len(r.List) > 0 && l.state != waiting && l.state != plain {
		*out = append(*out, Greeted{l.peer, r.List})
	}
	l.state, l.reason = closing, r.Reason
	m.stats.RefusedByThem[known(r.Reason)]++
	*out = append(*out, Failed{Peer: l.peer, Reason: r.Reason, Text: r.Text})
	m.cut(l, out)
}

// refuse ends a link from our side.
func (m *Machine) refuse(now time.Time, l *link, why Reason, text string, out *[]core.Action) {
	m.reject(now, l, Reject{Reason: why, Text: text}, out)
	if why.Offence() {
		*out = append(*out, core.Penalize{Peer: l.peer, Offence: OffenceRefused, Detail: why.Text()})
	}
}

func (m *Machine) reject(now time.Time, l *link, r Reject, out *[]core.Action) {
	if r.Text == "" {
		r.Text = r.Reason.Text()
	}
	m.settle(l)
	m.pending = append(m.pending, l)
	l.deadline = now.Add(m.cfg.Linger)
	m.stats.RefusedByUs[known(r.Reason)]++
	*out = append(*out,
		send(l.peer, TypeReject, r.Append(nil)),
		Failed{Peer: l.peer, Reason: r.Reason, Text: r.Text, ByUs: true, Claim: l.theirs.Claim})
	l.state, l.reason, l.theirs = closing, r.Reason, Handshake{}
}

// parting watches a link that is about to be cut: when the peer refuses us too,
// there is nothing to linger for.
func (m *Machine) parting(l *link, kind frame.Type, out *[]core.Action) {
	if kind == TypeReject && !l.deadline.IsZero() {
		m.cut(l, out)
	}
}

// cut closes a link. The link itself goes with LinkDown; until then everything on
// it is ignored.
func (m *Machine) cut(l *link, out *[]core.Action) {
	m.settle(l)
	*out = append(*out, Disconnect{l.peer, l.reason})
}

// letStay makes a peer a plain one.
func (m *Machine) letStay(l *link, out *[]core.Action) {
	m.settle(l)
	l.state = plain
	m.stats.Plain++
	*out = append(*out, Plain{l.peer})
}

func (m *Machine) skip(l *link, f core.Offence, detail string, out *[]core.Action) {
	m.stats.Malformed++
	*out = append(*out, core.Penalize{Peer: l.peer, Offence: f, Detail: detail})
}

// known folds reasons of newer versions into Unspecified, for counting.
func known(r Reason) Reason {
	if r < numReasons {
		return r
	}
	return Unspecified
}
