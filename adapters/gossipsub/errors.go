package gossipsub

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// What can go wrong. Every error of this package wraps one of these, or the
// error of a context.
var (
	ErrClosed    = errors.New("pubsub is closed")
	ErrBadTopic  = errors.New("bad topic name")
	ErrTooLarge  = errors.New("message too large")
	ErrNoPeers   = errors.New("no peer to publish to")
	ErrNotJoined = errors.New("topic not joined")
)

// CheckTopic says whether a name can be a topic.
func CheckTopic(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty: name a topic", ErrBadTopic)
	case len(name) > MaxTopicLength:
		return fmt.Errorf("%w: it has %d bytes: use at most %d", ErrBadTopic, len(name), MaxTopicLength)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: %q is not UTF-8, and other nodes would refuse it", ErrBadTopic, name)
	}
	return nil
}
