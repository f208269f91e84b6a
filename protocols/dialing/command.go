package dialing

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/core"
)

// The bodies of core.Command that the machine knows.
type (
	// SetBootstrappers replaces the bootstrappers. Those that stay keep their
	// state, unless an address changed: then they are dialled anew. Those that go
	// become ordinary candidates.
	SetBootstrappers struct{ Peers []peer.AddrInfo }

	// SetValidators replaces the validators: like bootstrappers they are always
	// dialled, once an address is known, and never forgotten.
	SetValidators struct{ Peers []core.PeerID }

	// Rejected says that the handshake with a peer failed, on whichever side. Its
	// address is good, so this never counts towards forgetting it.
	Rejected struct {
		Peer    core.PeerID
		Reason  string // for people
		Lasting bool   // until somebody changes a setting: trying soon is useless
	}

	// CoolDown keeps a peer from being dialled until a time: after the owner
	// disconnected it, or a rule was broken. The zero time lifts it; otherwise it
	// never shortens a ban. Connections that are up stay: see core.Disconnect.
	CoolDown struct {
		Peer   core.PeerID
		Until  time.Time
		Reason string // for people
		Banned bool   // shown as a ban
	}

	// Forget drops what was learnt of a peer: its addresses and failures. What the
	// operator configured stays, and a cool-down does.
	Forget struct{ Peer core.PeerID }
)

func (m *Machine) command(now time.Time, body any) bool {
	switch c := body.(type) {
	case SetBootstrappers:
		m.awaiting = false
		m.setBootstrappers(now, c.Peers)
	case SetValidators:
		m.setValidators(c.Peers)
	case Rejected:
		m.rejected(now, c)
	case CoolDown:
		m.coolDown(c)
	case Forget:
		m.forget(c.Peer)
	default:
		return false
	}
	return true
}
