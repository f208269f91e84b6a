package uptime

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weftnet/weft/protocols/frame"
)

// Protocol is the libp2p protocol ID of the stream that carries both messages.
const Protocol = "/weft/uptime/1.0.0"

// Message types.
const (
	TypePing frame.Type = 1
	TypePong frame.Type = 2
)

// MaxPayload bounds both messages in bytes; chosen to leave room for fields of
// newer versions.
const MaxPayload = 64

// ErrMalformed means that a message breaks a bound. It is skipped.
var ErrMalformed = errors.New("malformed uptime message")

// Percent is a part of the whole in hundredths of a percent: 10,000 is all.
type Percent uint16

// All is the whole.
const All Percent = 10_000

func (p Percent) String() string { return fmt.Sprintf("%d.%02d%%", p/100, p%100) }

// Ping asks a peer for a Pong and tells it how we perceive it.
type Ping struct {
	ID     uint64
	Uptime Percent
}

// Pong answers a Ping.
type Pong struct{ ID uint64 }

const (
	fieldID     protowire.Number = 1
	fieldUptime protowire.Number = 2
)

// Append appends the encoding of p to b.
func (p Ping) Append(b []byte) []byte {
	return frame.AppendVarint(Pong{p.ID}.Append(b), fieldUptime, uint64(p.Uptime))
}

// Append appends the encoding of p to b.
func (p Pong) Append(b []byte) []byte { return frame.AppendVarint(b, fieldID, p.ID) }

// ParsePing decodes a ping.
func ParsePing(payload []byte) (Ping, error) {
	id, uptime, err := parse(payload)
	if err == nil && uptime > uint64(All) {
		err = fmt.Errorf("%w: an uptime of %d, at most %d", ErrMalformed, uptime, All)
	}
	if err != nil {
		return Ping{}, err
	}
	return Ping{ID: id, Uptime: Percent(uptime)}, nil
}

// ParsePong decodes a pong.
func ParsePong(payload []byte) (Pong, error) {
	id, _, err := parse(payload)
	return Pong{id}, err
}

func parse(payload []byte) (id, uptime uint64, err error) {
	if len(payload) > MaxPayload {
		return 0, 0, fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(payload), MaxPayload)
	}
	var once frame.Once
	err = frame.EachField(payload, func(f frame.Field) error {
		switch f.Number {
		case fieldID:
			id = f.Varint
		case fieldUptime:
			uptime = f.Varint
		}
		return once.Take(f.Number)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return id, uptime, nil
}
