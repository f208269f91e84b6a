package broadcast

import (
	"errors"
	"fmt"

	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

// Protocol is the libp2p protocol ID of the stream on which objects are broadcast.
const Protocol = "/weft/broadcast/1.0.0"

// TypeObject is the only type of message. Its payload is the encoding of an object.
const TypeObject frame.Type = 1

// MaxPayload bounds a message of this protocol, in bytes.
const MaxPayload = object.MaxSize

// ErrMalformed means that a message breaks a bound. It is skipped.
var ErrMalformed = errors.New("malformed broadcast message")

// Check says whether a message is in order. The object in it is not looked at.
func Check(kind frame.Type, payload []byte) error {
	switch {
	case kind != TypeObject:
		return fmt.Errorf("%w: type %d", ErrMalformed, kind)
	case len(payload) == 0:
		return fmt.Errorf("%w: the object is missing", ErrMalformed)
	case len(payload) > MaxPayload:
		return fmt.Errorf("%w: an object of %d bytes, at most %d", ErrMalformed, len(payload), MaxPayload)
	}
	return nil
}
