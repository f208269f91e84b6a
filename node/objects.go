package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/adapters/store"
	"github.com/weftnet/weft/node/internal/loop"
	"github.com/weftnet/weft/protocols/dissemination"
	"github.com/weftnet/weft/protocols/object"
)

// Errors of objects.
var (
	ErrNoTopic       = dissemination.ErrNoTopic
	ErrMissing       = dissemination.ErrMissing
	ErrAuthor        = dissemination.ErrAuthor
	ErrInvalidObject = dissemination.ErrInvalid
	ErrBusy          = dissemination.ErrBusy
	ErrNoObject      = dissemination.ErrNotFound
	ErrPruned        = store.ErrPruned
	ErrTopicInUse    = errors.New("the topic is in use already")
	ErrTooLarge      = errors.New("the object is too large")

	errUnfinished = errors.New("the object is not on disk yet, and may still get there")
)

type (
	// ObjectID names an object: in text a CIDv1 of raw bytes, sha2-256, base32.
	ObjectID = object.ID
	// ObjectState is what the node knows of an object.
	ObjectState = dissemination.ObjectState
	// ObjectEntry is a held object in the log of its topic.
	ObjectEntry = dissemination.Entry
	// ObjectTopicState is what the node holds of an object topic.
	ObjectTopicState = dissemination.TopicState
	// ObjectVerdict is the application's answer about an object.
	ObjectVerdict = dissemination.Verdict
)

// The verdicts of an application.
const (
	AcceptObject = dissemination.Accept // it is valid: deliver it, pass it on
	IgnoreObject = dissemination.Ignore // neither; nobody is to blame
	RejectObject = dissemination.Reject // it is invalid for everybody and for ever: its sender is banned
)

// ParseObjectID reads an ID in text.
func ParseObjectID(s string) (ObjectID, error) { return object.ParseID(s) }

// Object is one object. It refers to bytes that others read, too: do not change it.
type Object struct {
	ID      ObjectID
	Topic   string
	Kind    uint16    // the application's own
	Time    time.Time // when it was made, by its author's clock, in milliseconds
	Deps    []ObjectID
	Payload []byte
	Author  ed25519.PublicKey // nil: nobody signed it
	Encoded []byte            // the bytes whose hash is ID
}

func fromParcel(p dissemination.Parcel) Object { return fromObject(p.ID, p.Object, p.Bytes) }

func fromObject(id ObjectID, o object.Object, encoded []byte) Object {
	return Object{
		ID: id, Topic: o.Topic, Kind: o.Kind, Time: o.Time, Deps: o.Deps,
		Payload: o.Payload, Author: o.Author, Encoded: encoded,
	}
}

// decodeObject reads an object whose hash was checked.
func decodeObject(id ObjectID, encoded []byte) (Object, error) {
	o, err := object.Parse(encoded)
	return fromObject(id, o, encoded), err
}

// AuthorPeer is the peer ID of an author's key; empty without one.
func (o Object) AuthorPeer() peer.ID { return authorPeer(o.Author) }

// Draft is an object to be put.
type Draft struct {
	Kind     uint16
	Deps     []ObjectID
	Payload  []byte
	Unsigned bool // nobody is its author
	// Author signs in place of the node: its consensus key where the topic's authors
	// are validators and it has one, else its identity.
	Author ed25519.PrivateKey
}

// call is somebody who waits for the answer to a Put or a Get.
type call struct{ done chan answer }

type answer struct {
	bytes []byte
	err   error
}

func newCall() *call { return &call{make(chan answer, 1)} }

func (c *call) wait(ctx context.Context, p *parts) (answer, error) {
	select {
	case a := <-c.done:
		return a, a.err
	case <-p.objects.ctx.Done():
		return answer{}, ErrClosed
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
}

// PutObject makes an object, keeps it and passes it on. It returns when the object is
// on disk. All that it depends on must be held, and where the application decides it
// must accept.
func (n *Node) PutObject(ctx context.Context, topic string, d Draft) (ObjectID, error) {
	p, err := n.live()
	if err != nil {
		return ObjectID{}, err
	}
	if err := p.objects.failing(); err != nil {
		return ObjectID{}, err
	}
	parcel, err := n.seal(p, topic, d)
	if err != nil {
		return ObjectID{}, err
	}
	c := newCall()
	p.command(dissemination.Put{Ticket: c, Parcel: parcel})
	_, err = c.wait(ctx, p)
	switch {
	case errors.Is(err, dissemination.ErrHeld):
		err = nil // the same object again
	case ctx.Err() != nil:
		err = fmt.Errorf("%w: %s: waited until %w", errUnfinished, parcel.ID, err)
	}
	return parcel.ID, err
}

// seal makes the object of a draft.
func (n *Node) seal(p *parts, topic string, d Draft) (dissemination.Parcel, error) {
	o := object.Object{Network: n.cfg.Network, Topic: topic, Kind: d.Kind, Time: time.Now(), Deps: d.Deps, Payload: d.Payload}
	key := d.Author
	switch {
	case d.Unsigned:
		key = nil
	case key == nil:
		key = p.objects.authorKey(topic)
	}
	encoded, err := o.Seal(key)
	if err != nil {
		return dissemination.Parcel{}, fmt.Errorf("%w: %w", ErrArgument, err)
	}
	if len(encoded) > n.cfg.MaxMessageBytes {
		return dissemination.Parcel{}, fmt.Errorf("%w: %d bytes with its header, and this node's limit is %d: split it, or raise the limit on every node",
			ErrTooLarge, len(encoded), n.cfg.MaxMessageBytes)
	}
	o, err = object.Parse(encoded) // refers to the bytes; our own signature needs no check
	return dissemination.Parcel{ID: object.IDOf(encoded), Object: o, Bytes: encoded}, err
}

// GetObject returns an object: from the store or, when it is not held here, from
// whoever has it. It asks until ctx ends, or nobody is left to be asked.
func (n *Node) GetObject(ctx context.Context, id ObjectID) (Object, error) {
	p, err := n.live()
	if err != nil {
		return Object{}, err
	}
	encoded, err := p.objects.read(id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrPruned) {
		encoded, err = n.fetchObject(ctx, p, id)
	}
	if err != nil {
		return Object{}, err
	}
	return decodeObject(id, encoded)
}

func (n *Node) fetchObject(ctx context.Context, p *parts, id ObjectID) ([]byte, error) {
	c := newCall()
	p.command(dissemination.Get{Ticket: c, ID: id})
	a, err := c.wait(ctx, p)
	if ctx.Err() != nil {
		p.command(dissemination.Forget{Ticket: c})
		return nil, fmt.Errorf("%w: %s: asked until %w", ErrNoObject, id, ctx.Err())
	}
	return a.bytes, err
}

// askObjects reads the machine of the objects on the loop's goroutine.
func askObjects[T any](ctx context.Context, n *Node, read func(*dissemination.Machine, time.Time) T) (answer T, err error) {
	p, err := n.live()
	if err != nil {
		return answer, err
	}
	answer, err = loop.Ask(ctx, p.loop, func(now time.Time) T { return read(p.dissemination, now) })
	if errors.Is(err, loop.ErrStopped) {
		err = ErrClosed
	}
	return answer, err
}

// StatObject says what the node knows of an object.
func (n *Node) StatObject(ctx context.Context, id ObjectID) (ObjectState, error) {
	return askObjects(ctx, n, func(m *dissemination.Machine, now time.Time) ObjectState { return m.Object(now, id) })
}

// ListObjects returns up to most entries of a topic's log after a sequence number.
func (n *Node) ListObjects(ctx context.Context, topic string, after uint64, most int) ([]ObjectEntry, error) {
	if err := n.hasTopic(ctx, topic); err != nil {
		return nil, err
	}
	return askObjects(ctx, n, func(m *dissemination.Machine, _ time.Time) []ObjectEntry { return m.List(topic, after, most) })
}

// ObjectTopics are the object topics of the node, by name.
func (n *Node) ObjectTopics(ctx context.Context) ([]ObjectTopicState, error) {
	return askObjects(ctx, n, (*dissemination.Machine).Topics)
}

func (n *Node) hasTopic(ctx context.Context, topic string) error {
	has, err := askObjects(ctx, n, func(m *dissemination.Machine, _ time.Time) bool { return m.Has(topic) })
	if err == nil && !has {
		err = fmt.Errorf("%w: %q", ErrNoTopic, topic)
	}
	return err
}

// AnchorObject makes an ID count as held in a topic, so that a log whose older part
// nobody keeps can be joined from there. What depends on it is valid from now on: be
// sure that it is the right one.
func (n *Node) AnchorObject(ctx context.Context, topic string, id ObjectID) error {
	if err := n.hasTopic(ctx, topic); err != nil {
		return err
	}
	p, err := n.live()
	if err != nil {
		return err
	}
	p.command(dissemination.Anchor{Topic: topic, ID: id})
	_, err = n.StatObject(ctx, id) // now it is in force
	return err
}

// ProvideObject tells the DHT that this node has an object, so that others find it by
// its ID alone. It holds for a day.
func (n *Node) ProvideObject(ctx context.Context, id ObjectID) error {
	p, err := n.live()
	switch {
	case err != nil:
		return err
	case p.dht == nil:
		return fmt.Errorf("the DHT: %w", ErrOff)
	}
	if _, err := p.objects.read(id); err != nil {
		return err
	}
	return p.dht.Provide(ctx, id.CID())
}

// JoinObjects takes part in an object topic from now on; see Config.ObjectTopics.
func (n *Node) JoinObjects(ctx context.Context, t ObjectTopic) error {
	p, err := n.live()
	if err != nil {
		return err
	}
	if err := t.validate(n.cfg); err != nil {
		return err
	}
	if err := p.objects.join(t); err != nil {
		return err
	}
	return n.hasTopic(ctx, t.Name) // now it is in force
}

// LeaveObjects leaves an object topic. What is stored of it stays.
func (n *Node) LeaveObjects(ctx context.Context, topic string) error {
	if err := n.hasTopic(ctx, topic); err != nil {
		return err
	}
	p, err := n.live()
	if err != nil {
		return err
	}
	return p.objects.leave(topic)
}

// Broadcast sends data once, without a guarantee, to everybody who is connected and
// carries the topic: as an object of a topic of the class broadcast.
func (n *Node) Broadcast(ctx context.Context, topic string, data []byte) (ObjectID, error) {
	class, err := askObjects(ctx, n, func(m *dissemination.Machine, _ time.Time) string { return m.ClassOf(topic) })
	switch {
	case err != nil:
		return ObjectID{}, err
	case class == "":
		return ObjectID{}, fmt.Errorf("%w: %q", ErrNoTopic, topic)
	case class != dissemination.Broadcast.String():
		return ObjectID{}, fmt.Errorf("%w: the topic %q is of the class %s: put an object, or use a topic of the class broadcast", ErrArgument, topic, class)
	}
	return n.PutObject(ctx, topic, Draft{Payload: data})
}
