package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Sizes in bytes.
const (
	LengthSize = 4        // Basalt, avalanchego: length prefix
	HeaderSize = 41       // Basalt: type, sender, timestamp
	MaxPayload = 16 << 20 // Basalt: max message size
)

// What can be wrong with a message.
var (
	ErrTooLong = errors.New("message is longer than the limit: reset the stream")
	ErrShort   = errors.New("message is shorter than its header: skip it")
	ErrSender  = errors.New("message names another sender than the authenticated one: skip it")
	ErrSkew    = errors.New("message time is too far from ours: skip it, and compare the clocks")
	ErrKey     = errors.New("peer ID holds no Ed25519 key: a weft peer needs one")
)

// Type says what a payload is. Each protocol numbers its own messages.
type Type uint8

// Sender is the raw Ed25519 public key of who sent a message.
type Sender [32]byte

// Header stands before every payload.
type Header struct {
	Type   Type
	Sender Sender
	Time   time.Time // in milliseconds; anything finer is lost
}

// SenderOf returns the key in a peer ID. Only Ed25519 peers can be weft peers.
func SenderOf(id peer.ID) (s Sender, err error) {
	key, err := id.ExtractPublicKey()
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if key.Type() != crypto.Ed25519 {
		return s, fmt.Errorf("%w: its key is %s", ErrKey, key.Type())
	}
	raw, err := key.Raw()
	copy(s[:], raw)
	return s, err
}

// AppendHeader appends the length and header of a message whose payload of n
// bytes the caller appends, or writes, next.
func AppendHeader(dst []byte, h Header, n int) ([]byte, error) {
	if n < 0 || n > MaxPayload {
		return dst, fmt.Errorf("%w: %d bytes of payload, at most %d", ErrTooLong, n, MaxPayload)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(HeaderSize+n))
	dst = append(dst, byte(h.Type))
	dst = append(dst, h.Sender[:]...)
	return binary.BigEndian.AppendUint64(dst, uint64(h.Time.UnixMilli())), nil
}

// Append appends a whole message.
func Append(dst []byte, h Header, payload []byte) ([]byte, error) {
	dst, err := AppendHeader(dst, h, len(payload))
	if err != nil {
		return dst, err
	}
	return append(dst, payload...), nil
}

// Parse takes apart a message without its length. The payload is part of body.
func Parse(body []byte) (h Header, payload []byte, err error) {
	if len(body) < HeaderSize {
		return h, nil, ErrShort
	}
	h.Type = Type(body[0])
	copy(h.Sender[:], body[1:33])
	h.Time = time.UnixMilli(int64(binary.BigEndian.Uint64(body[33:HeaderSize])))
	return h, body[HeaderSize:], nil
}

// Check compares a header with the key that the connection authenticated and
// with our clock.
func (h *Header) Check(authenticated Sender, now time.Time, skew time.Duration) error {
	if h.Sender != authenticated {
		return ErrSender
	}
	if d := h.Time.Sub(now); d > skew || d < -skew {
		return ErrSkew
	}
	return nil
}
