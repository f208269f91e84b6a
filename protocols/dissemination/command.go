package dissemination

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

// The answers to Put and Get, beside the errors of object.
var (
	ErrNoTopic  = errors.New("the topic is no object topic of this node")
	ErrHeld     = errors.New("the object is held already")
	ErrMissing  = errors.New("a dependency is not held")
	ErrAuthor   = errors.New("the author may not write to the topic")
	ErrInvalid  = errors.New("the object is invalid")
	ErrRefused  = errors.New("the object was refused a short time ago")
	ErrBusy     = errors.New("too much is under way: try again in a moment")
	ErrNotFound = errors.New("nobody who could be asked has the object")
)

// Parcel is an object that was inspected: its bytes are in order, its ID is their
// hash, and its author's signature is good.
type Parcel struct {
	ID     object.ID
	Object object.Object // refers to Bytes
	Bytes  []byte
}

// Inspect checks what depends on the bytes alone. It takes some tens of
// microseconds, more for large objects, and may run on any goroutine. id is their
// hash, if the caller has it, else zero.
func Inspect(network string, id object.ID, encoded []byte) (Parcel, error) {
	if id == (object.ID{}) {
		id = object.IDOf(encoded)
	}
	p := Parcel{ID: id, Bytes: encoded}
	var err error
	if p.Object, err = object.Parse(encoded); err != nil {
		return p, err
	}
	if p.Object.Network != network {
		return p, fmt.Errorf("%w: it is of the network %q", ErrInvalid, p.Object.Network)
	}
	return p, p.Object.Verify()
}

// Ticket stands for somebody who waits: the node's, which gets it back.
type Ticket any

// What the node tells the machine, as the body of a core.Command.
type (
	// Carry adds a topic, with what the store has of it, or gives an existing one
	// another configuration.
	Carry struct {
		Topic  Topic
		Log    []Entry     // in order of sequence numbers
		Pruned []object.ID // also anchors; the oldest first
		Last   uint64      // the highest sequence number that was ever given
	}

	// Abandon drops a topic. What the store has of it stays.
	Abandon struct{ Topic string }

	// SetValidators replaces the keys of the validators.
	SetValidators struct{ Keys []ed25519.PublicKey }

	// Offered is an object that a peer pushed along the mesh. Rule answers it.
	Offered struct {
		Ticket Ticket
		Peer   core.PeerID
		Topic  string
		Parcel Parcel
		Fault  error // of Inspect: the object is invalid
	}

	// Missed is an object that a peer pushed along the mesh and that was dropped
	// unseen, as too many were waiting.
	Missed struct {
		Peer  core.PeerID
		Topic string
		ID    object.ID
	}

	// Put is an object of our own. Save or Fail answers it.
	Put struct {
		Ticket Ticket
		Parcel Parcel
	}

	// Get asks the network for an object that is not held. Give or Fail answers it.
	Get struct {
		Ticket Ticket
		ID     object.ID
	}

	// Forget ends a Get whose caller waits no more.
	Forget struct{ Ticket Ticket }

	// Anchor makes an ID count as held.
	Anchor struct {
		Topic string
		ID    object.ID
	}

	// Decided is the application's answer to Judge.
	Decided struct {
		ID      object.ID
		Verdict Verdict
		Reason  string // for people
	}

	// Saved says that so many bytes of objects are on disk.
	Saved struct{ Bytes int }

	// SaveFailed says that the store does not work any more.
	SaveFailed struct{ Err error }

	// Loaded answers Load: the objects, the one asked for last.
	Loaded struct {
		Task    Load
		Objects [][]byte
		Err     error // the store cannot tell
	}

	// Holders answers FindHolders: members that are said to have an object.
	Holders struct {
		ID    object.ID
		Peers []core.PeerID
	}
)

// What the machine asks of the node, as the task of a core.Perform.
type (
	// Rule answers Offered.
	Rule struct {
		Ticket  Ticket
		Verdict Verdict
	}

	// Save keeps an object under the next sequence number of its topic. When it is on
	// disk it is delivered to the topic's readers, the ticket, if any, is answered, and
	// Saved told. Objects are saved in the order in which they are asked for.
	Save struct {
		Ticket Ticket
		Topic  string
		Seq    uint64
		ID     object.ID
		Landed time.Time
		Bytes  []byte
	}

	// Fail answers Put or Get.
	Fail struct {
		Ticket Ticket
		Err    error
	}

	// Give answers Get.
	Give struct {
		Ticket Ticket
		Bytes  []byte
	}

	// Prune removes the bytes of the objects of a topic up to a sequence number, and
	// keeps so many of their IDs.
	Prune struct {
		Topic      string
		Upto       uint64
		Tombstones int
	}

	// SaveAnchor keeps an anchor over restarts.
	SaveAnchor struct {
		Topic string
		ID    object.ID
	}

	// Publish pushes a valid object along the mesh of its topic.
	Publish struct {
		Topic string
		Bytes []byte
	}

	// Judge asks the application about an object whose dependencies are all held.
	Judge struct {
		Parcel Parcel
		From   core.PeerID // ourselves: one that was put here
	}

	// Load reads an object that is held and, for a closure, what it depends on.
	Load struct {
		Peer       core.PeerID
		Request    uint64 // of fetch; zero: for infect
		ID         object.ID
		Closure    bool
		Have       []object.ID
		MaxObjects int
		MaxBytes   int
	}

	// FindHolders asks the DHT who provides an object, and connects to some of them.
	FindHolders struct{ ID object.ID }
)

// Verdict says what becomes of an object.
type Verdict uint8

// The verdicts.
const (
	Accept Verdict = iota + 1 // it is valid
	Ignore                    // it is not passed on, and nobody is to blame
	Reject                    // it is invalid, for everybody and for ever
)

func (v Verdict) String() string {
	return [...]string{"undecided", "accept", "ignore", "reject"}[min(v, Reject+1)%4]
}

// The offences that none of the composed protocols could see. Reputation decides
// what each costs.
const (
	OffenceInvalid   core.Offence = "object.invalid"   // sent what is invalid for everybody
	OffenceDependant core.Offence = "object.dependant" // sent what depends on an invalid object
	OffenceAuthor    core.Offence = "object.author"    // sent what its author may not write
	OffenceDepth     core.Offence = "object.depth"     // sent the end of a chain that is too long to wait for
)
