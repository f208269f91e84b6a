package frame

import (
	"encoding/binary"
	"fmt"
)

// firstPiece is how many bytes of a body are made room for before any arrived,
// in bytes; chosen because nearly all control messages fit, and 1,000 silent
// streams that announced 16 MiB each hold 4 MiB.
const firstPiece = 4 << 10

// Decoder takes one stream apart into messages. It holds at most one message.
type Decoder struct {
	limit  int // of a body
	length [LengthSize]byte
	got    int    // bytes of length, then of body
	want   int    // length of the body; -1 while the length is being read
	body   []byte // len is the room made so far
	broken error  // the stream cannot be read on
}

// NewDecoder makes a decoder for messages whose payload is at most maxPayload
// bytes, which must be from 0 to MaxPayload.
func NewDecoder(maxPayload int) *Decoder {
	return &Decoder{limit: HeaderSize + min(max(maxPayload, 0), MaxPayload), want: -1}
}

// Need is how many bytes the length, or then the body, still lacks. It is zero
// when a message is complete, and after ErrTooLong.
func (d *Decoder) Need() int {
	switch {
	case d.broken != nil:
		return 0
	case d.want < 0:
		return LengthSize - d.got
	}
	return d.want - d.got
}

// InBody says that the length is known and its body is being read.
func (d *Decoder) InBody() bool { return d.want >= 0 }

// Space is where the next bytes go: at most limit, which must be above zero, and
// never more than Need. It is valid until the next call.
func (d *Decoder) Space(limit int) []byte {
	n := min(d.Need(), limit)
	if n == 0 {
		return nil
	}
	if d.want < 0 {
		return d.length[d.got : d.got+n]
	}
	if d.got == len(d.body) {
		d.grow(0)
	}
	return d.body[d.got:min(d.got+n, len(d.body))]
}

// Reserve makes room for the next n bytes of a body at once. A caller who has
// capacity for them saves the copies that growing with what arrives takes.
func (d *Decoder) Reserve(n int) {
	if n = min(n, d.Need()); d.InBody() && d.got+n > len(d.body) {
		d.grow(n)
	}
}

// grow makes as much room again as has arrived, or room for n bytes more.
func (d *Decoder) grow(n int) {
	bigger := make([]byte, min(d.want, max(firstPiece, 2*d.got, d.got+n)))
	copy(bigger, d.body[:d.got])
	d.body = bigger
}

// Advance says that n bytes were read into the last Space. done says that a
// message is complete: call Take before the next Space. An error is final.
func (d *Decoder) Advance(n int) (done bool, err error) {
	if d.broken != nil {
		return false, d.broken
	}
	d.got += n
	if d.want < 0 && d.got == LengthSize {
		if err := d.begin(); err != nil {
			return false, err
		}
	}
	return d.want >= 0 && d.got == d.want, nil
}

// begin reads the length and gets ready for the body.
func (d *Decoder) begin() error {
	length := binary.BigEndian.Uint32(d.length[:])
	if uint64(length) > uint64(d.limit) {
		d.broken = fmt.Errorf("%w: it announces %d bytes, at most %d", ErrTooLong, length, d.limit)
		return d.broken
	}
	d.want, d.got = int(length), 0
	return nil
}

// Take hands over the complete message and gets ready for the next one. With
// ErrShort the message is to be skipped; the stream goes on. The payload is the
// caller's own.
func (d *Decoder) Take() (Header, []byte, error) {
	body := d.body[:d.got]
	d.body, d.want, d.got = nil, -1, 0
	return Parse(body)
}
