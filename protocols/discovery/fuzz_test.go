package discovery

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/handshake"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/peerlist"
	"github.com/weftnet/weft/protocols/uptime"
)

// letter is a message that somebody may send.
type letter struct {
	protocol string
	kind     frame.Type
	payload  []byte
}

// letters are messages of every type, about the claims of some peers.
func letters(t *testing.T, h *hub, peers []somebody) (all []letter) {
	query := h.tracker.Query()
	for i, p := range peers {
		c := p.claim(t, i+1, 1)
		id := infect.IDOf(c)
		greeting := handshake.Handshake{Network: "test", Version: handshake.Version{Major: 1}, Time: h.now, Claim: c, Query: query.Append(nil)}
		list := peerlist.PeerList{ID: uint64(i), Envelopes: [][]byte{c}}.Append(nil)
		all = append(all,
			letter{handshake.Protocol, handshake.TypeHandshake, greeting.Append(nil)},
			letter{handshake.Protocol, handshake.TypeAccept, list},
			letter{handshake.Protocol, handshake.TypeReject, handshake.Reject{Reason: handshake.Full, List: list}.Append(nil)},
			letter{peerlist.Protocol, peerlist.TypeGetPeerList, peerlist.GetPeerList{ID: 1, Query: query}.Append(nil)},
			letter{peerlist.Protocol, peerlist.TypePeerList, list},
			letter{peerlist.Protocol, peerlist.TypeOwnClaim, c},
			letter{uptime.Protocol, uptime.TypePing, uptime.Ping{ID: 1, Uptime: 1}.Append(nil)},
			letter{uptime.Protocol, uptime.TypePong, uptime.Pong{ID: 1}.Append(nil)},
		)
		for kind := infect.TypePush; kind <= infect.TypeItem; kind++ {
			m := infect.Message{ID: id, Item: c, Status: infect.Status(1 + i%3)}
			all = append(all, letter{infect.ClaimsProtocol, kind, m.Append(kind, nil)})
		}
	}
	return all
}

// Whatever peers send, in whatever order, and whenever the checks are answered:
// nothing panics, and what is kept stays bounded.
func FuzzMachine(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 1, 8, 0, 0, 2, 2, 20, 3, 1, 0, 0x83, 7, 1, 1, 4})
	f.Add(bytes.Repeat([]byte{0, 9, 0, 0, 0x41, 1, 12, 0, 0, 3}, 20))
	f.Fuzz(play)
}

func TestRandomScripts(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		script := make([]byte, 5*400)
		for i := range script {
			script[i] = byte(rng.Uint32())
			if i%5 == 3 && rng.IntN(4) > 0 {
				script[i] = 0 // most messages stay as they are
			}
			if i%5 == 4 {
				script[i] &= 0x07
			}
		}
		play(t, script)
	}
}

// play reads a script: five bytes say who does what, with which message, which of
// its bytes is changed and how, and how much time passes.
func play(t *testing.T, script []byte) {
	peers := []somebody{someone(t, "alice"), someone(t, "bob"), someone(t, "carol")}
	h := newHub(t, peers[:2]...)
	all := letters(t, h, peers)
	for ; len(script) >= 5 && h.now.Sub(blameStart) < time.Hour; script = script[5:] {
		h.now = h.now.Add(time.Duration(script[4]&0x3f) * time.Second / 4)
		h.perform(peers[int(script[0])%len(peers)], script, all)
		var out []core.Effect
		h.Tick(h.now, &out)
		if h.Deadline().IsZero() {
			t.Fatal("it sleeps for ever")
		}
	}
	s := h.Stats()
	if s.Connected > len(peers) || s.Gossip.Pending > 300 || s.Claims.Known > len(peers) || len(h.checks) > 1000 {
		t.Fatalf("%+v, %d checks", s, len(h.checks))
	}
}

func (h *hub) perform(p somebody, script []byte, all []letter) {
	switch script[0] >> 5 {
	case 0:
		h.do(core.Connected{Peer: p.id, Inbound: script[1]&1 == 0, Guest: script[1]&2 != 0})
	case 1:
		h.do(core.Disconnected{Peer: p.id})
	case 2:
		h.answer()
	default:
		l := all[int(script[1])%len(all)]
		l.payload = bytes.Clone(l.payload)
		if at := int(script[2]) * 2; at < len(l.payload) {
			l.payload[at] ^= script[3]
		}
		h.from(p, l.protocol, l.kind, l.payload)
	}
}
