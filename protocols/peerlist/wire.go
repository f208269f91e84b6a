package peerlist

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weftnet/weft/protocols/bloom"
	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/frame"
)

// Protocol is the libp2p protocol ID of the stream that carries all three messages.
const Protocol = "/weft/peerlist/1.0.0"

// Message types, in the first byte of the frame header.
const (
	TypeGetPeerList frame.Type = 1
	TypePeerList    frame.Type = 2
	TypeOwnClaim    frame.Type = 3 // the payload is the envelope of the sender's new claim
)

const (
	// MaxAnswer is how many claims a PeerList holds at most (FACTS: AvalancheGo
	// sends 15).
	MaxAnswer = 15
	// MaxEnvelopeBytes bounds one signed claim.
	MaxEnvelopeBytes = claim.MaxEnvelope
	// MaxFilterBytes bounds a filter, ours or a peer's. Chosen because it holds
	// both entries of 36,000 nodes at the target rate: 72,000 x 14.4 bits.
	MaxFilterBytes = 128 << 10
	// MaxQueryBytes bounds an encoded query.
	MaxQueryBytes = MaxFilterBytes + bloom.QueryOverhead
	// MaxPayload bounds a message of this protocol, in bytes; a question is the
	// longest.
	MaxPayload = MaxQueryBytes + 16
)

// ErrOversized means that a PeerList holds more than an answer may.
var ErrOversized = errors.New("oversized peer list")

// GetPeerList asks for claims that the query lacks.
type GetPeerList struct {
	ID    uint64 // chosen by the asker; the answer repeats it
	Query bloom.Query
}

// PeerList answers a GetPeerList, or with ID 0 accepts a handshake.
type PeerList struct {
	ID        uint64
	Envelopes [][]byte // signed claims, at most MaxAnswer
}

const (
	messageID    protowire.Number = 1 // varint
	messageQuery protowire.Number = 2 // GetPeerList: a Query
	messageClaim protowire.Number = 3 // PeerList: a signed envelope, repeated
)

// Append appends the encoding of m to b.
func (m GetPeerList) Append(b []byte) []byte {
	b = frame.AppendVarint(b, messageID, m.ID)
	return frame.AppendBytes(b, messageQuery, m.Query.Append(nil))
}

// Append appends the encoding of m to b.
func (m PeerList) Append(b []byte) []byte {
	b = frame.AppendVarint(b, messageID, m.ID)
	for _, e := range m.Envelopes {
		b = frame.AppendBytes(b, messageClaim, e)
	}
	return b
}

// ParseQuery decodes what a peer knows, as it travels in GetPeerList and in the
// handshake; it refers to msg.
func ParseQuery(msg []byte) (bloom.Query, error) { return bloom.ParseQuery(msg, MaxFilterBytes) }

// ParseGetPeerList decodes a question; it refers to msg.
func ParseGetPeerList(msg []byte) (GetPeerList, error) {
	var m GetPeerList
	var query []byte
	var once frame.Once
	err := frame.EachField(msg, func(f frame.Field) error {
		switch f.Number {
		case messageID:
			m.ID = f.Varint
		case messageQuery:
			query = f.Bytes
		}
		return once.Take(f.Number)
	})
	if err != nil {
		return GetPeerList{}, err
	}
	m.Query, err = ParseQuery(query)
	return m, err
}

// ParsePeerList decodes an answer; it refers to msg. Nothing is allocated for
// claims beyond the limits.
func ParsePeerList(msg []byte) (PeerList, error) {
	var m PeerList
	var once frame.Once
	err := frame.EachField(msg, func(f frame.Field) error {
		if f.Number == messageClaim {
			return m.add(f.Bytes)
		}
		if f.Number == messageID {
			m.ID = f.Varint
		}
		return once.Take(f.Number)
	})
	if err != nil {
		return PeerList{}, err
	}
	return m, nil
}

func (m *PeerList) add(envelope []byte) error {
	if len(m.Envelopes) == MaxAnswer {
		return fmt.Errorf("%w: over %d claims", ErrOversized, MaxAnswer)
	}
	if len(envelope) == 0 || len(envelope) > MaxEnvelopeBytes {
		return fmt.Errorf("%w: a claim of %d bytes, send 1 to %d", ErrOversized, len(envelope), MaxEnvelopeBytes)
	}
	m.Envelopes = append(m.Envelopes, envelope)
	return nil
}
