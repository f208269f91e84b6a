package handshake

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/frame"
)

// Protocol is the libp2p protocol ID of the stream that carries all three
// messages. One stream in each direction keeps them in order.
const Protocol = "/weft/handshake/1.0.0"

// Message types.
const (
	TypeHandshake frame.Type = 1
	TypeAccept    frame.Type = 2 // payload: a peer list, whose form is peerlist's
	TypeReject    frame.Type = 3
)

// Bounds in bytes.
const (
	MaxNetwork = claim.MaxNetwork
	MaxGenesis = 64        // chosen for a SHA-512, the longest hash in use
	MaxQuery   = 132 << 10 // chosen for the largest filter of peerlist, 128 KiB, with its salt
	MaxList    = 16 << 10  // chosen for 15 claims of 1 KiB
	MaxText    = 256       // of a rejection; longer ones are cut
	// MaxPayload bounds a message of this protocol, so that a stream before the
	// handshake need not be granted more.
	MaxPayload = MaxQuery + MaxNetwork + MaxGenesis + claim.MaxEnvelope + maxProof + 128
)

// ErrMalformed means that a message breaks a bound. It is skipped; the link and
// its deadline stay as they are.
var ErrMalformed = errors.New("malformed handshake message")

// Handshake is what a node says of itself when a link is up.
type Handshake struct {
	Network string
	Genesis []byte // hash of what the network started from; empty where there is none
	Version Version
	Time    time.Time // the sender's clock, in milliseconds
	Claim   []byte    // signed envelope; without addresses where the node cannot be dialled
	Query   []byte    // filter and salt of the claims it knows, in peerlist's form
	Proof   IdentityProof
}

const (
	fieldNetwork protowire.Number = iota + 1
	fieldGenesis
	fieldMajor
	fieldMinor
	fieldPatch
	fieldTime
	fieldClaim
	fieldQuery
	fieldProof
)

// Append appends the encoding of h to b.
func (h Handshake) Append(b []byte) []byte {
	b = appendBytes(b, fieldNetwork, []byte(h.Network))
	b = appendBytes(b, fieldGenesis, h.Genesis)
	b = frame.AppendVarint(b, fieldMajor, uint64(h.Version.Major))
	b = frame.AppendVarint(b, fieldMinor, uint64(h.Version.Minor))
	b = frame.AppendVarint(b, fieldPatch, uint64(h.Version.Patch))
	b = frame.AppendVarint(b, fieldTime, uint64(h.Time.UnixMilli()))
	b = appendBytes(b, fieldClaim, h.Claim)
	b = appendBytes(b, fieldQuery, h.Query)
	return appendBytes(b, fieldProof, h.Proof.append(nil))
}

// Parse decodes a handshake, whose byte slices refer to payload.
func Parse(payload []byte) (Handshake, error) {
	var h Handshake
	var once frame.Once
	err := frame.EachField(payload, func(f frame.Field) error {
		if err := once.Take(f.Number); err != nil {
			return err
		}
		return h.set(f)
	})
	if err != nil {
		return Handshake{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if h.Network == "" || h.Time.IsZero() {
		return Handshake{}, fmt.Errorf("%w: network or time is missing", ErrMalformed)
	}
	return h, nil
}

func (h *Handshake) set(f frame.Field) (err error) {
	switch f.Number {
	case fieldNetwork:
		var name []byte
		name, err = bounded(f, MaxNetwork)
		h.Network = string(name)
	case fieldGenesis:
		h.Genesis, err = bounded(f, MaxGenesis)
	case fieldMajor:
		h.Version.Major, err = small(f)
	case fieldMinor:
		h.Version.Minor, err = small(f)
	case fieldPatch:
		h.Version.Patch, err = small(f)
	case fieldTime:
		h.Time, err = millis(f)
	case fieldClaim:
		h.Claim, err = bounded(f, claim.MaxEnvelope)
	case fieldQuery:
		h.Query, err = bounded(f, MaxQuery)
	case fieldProof:
		h.Proof, err = parseProof(f.Bytes)
	}
	return err
}

// Reject refuses a peer. With the reason Full it may carry a peer list, so that
// the refused node can try others.
type Reject struct {
	Reason Reason
	Text   string
	List   []byte
}

const (
	rejectReason protowire.Number = iota + 1
	rejectText
	rejectList
)

// Append appends the encoding of r to b.
func (r Reject) Append(b []byte) []byte {
	b = frame.AppendVarint(b, rejectReason, uint64(r.Reason))
	b = appendBytes(b, rejectText, []byte(printable(r.Text)))
	return appendBytes(b, rejectList, r.List)
}

// ParseReject decodes a rejection. Its text is fit to be shown: printable, and
// not too long.
func ParseReject(payload []byte) (Reject, error) {
	var r Reject
	var once frame.Once
	err := frame.EachField(payload, func(f frame.Field) (err error) {
		switch f.Number {
		case rejectReason:
			r.Reason = Reason(min(f.Varint, math.MaxUint8))
		case rejectText:
			r.Text = printable(string(f.Bytes[:min(len(f.Bytes), 4*MaxText)]))
		case rejectList:
			r.List, err = bounded(f, MaxList)
		}
		return errors.Join(err, once.Take(f.Number))
	})
	if err != nil {
		return Reject{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return r, nil
}

// printable makes a stranger's text safe for a terminal.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	for len(s) > MaxText {
		_, last := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-last]
	}
	return s
}

// appendBytes leaves out a field without a value.
func appendBytes(b []byte, n protowire.Number, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return frame.AppendBytes(b, n, v)
}

func bounded(f frame.Field, limit int) ([]byte, error) {
	if len(f.Bytes) > limit {
		return nil, fmt.Errorf("field %d has %d bytes, at most %d", f.Number, len(f.Bytes), limit)
	}
	return f.Bytes, nil
}

func small(f frame.Field) (uint16, error) {
	if f.Varint > math.MaxUint16 {
		return 0, fmt.Errorf("field %d is %d, at most %d", f.Number, f.Varint, math.MaxUint16)
	}
	return uint16(f.Varint), nil
}

// maxMillis is the end of the year 9999, so that no sum of times overflows.
const maxMillis = 253402300799999

func millis(f frame.Field) (time.Time, error) {
	if f.Varint == 0 || f.Varint > maxMillis {
		return time.Time{}, fmt.Errorf("time %d is not between 1 and %d", f.Varint, maxMillis)
	}
	return time.UnixMilli(int64(f.Varint)), nil
}
