package gossipsub

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
)

// ErrObjects answers raw calls on an object topic, ErrJoined the attempt to make one
// of a topic in use.
var (
	ErrObjects = errors.New("the topic carries objects")
	ErrJoined  = errors.New("the topic is in use")
)

// maxJudged bounds the messages of one object topic that are being judged; further
// ones are given to Missed. It is pubsub's default, named because it is a limit.
const maxJudged = 1024

// Verdict says what becomes of a message of an object topic.
type Verdict = pubsub.ValidationResult

// The verdicts: forward it; drop it, blaming nobody; drop it as invalid.
const (
	Accept = pubsub.ValidationAccept
	Ignore = pubsub.ValidationIgnore
	Reject = pubsub.ValidationReject
)

// Incoming is a message of an object topic.
type Incoming struct {
	Topic string
	From  peer.ID // the neighbour it came from
	ID    [sha256.Size]byte
	Data  []byte // shared with the router: do not change it
}

// Objects is who decides about the messages of an object topic.
type Objects struct {
	// Judge is called once for each new message of a peer, on a goroutine of its own,
	// and may wait.
	Judge func(context.Context, Incoming) Verdict
	// Missed tells of a message that was dropped unjudged, because too many were
	// waiting; without its Data. It must be set, is called on pubsub's process loop and must not wait.
	Missed func(Incoming)
}

// JoinObjects takes part in an object topic: a message's ID is the SHA-256 of its
// bytes, so that one object is one message whoever publishes it, and only what is
// judged good is forwarded. Messages are not delivered here: the judge has them.
func (p *PubSub) JoinObjects(name string, o Objects) error {
	if err := CheckTopic(name); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.topics[name] != nil {
		return fmt.Errorf("%w: %q: leave it first", ErrJoined, name)
	}
	if err := p.ps.RegisterTopicValidator(name, p.judge(name, o), pubsub.WithValidatorConcurrency(maxJudged)); err != nil {
		return p.explain("judge", name, err)
	}
	t, err := p.open(name, pubsub.WithTopicMessageIdFn(objectID))
	if err != nil {
		return errors.Join(err, p.ps.UnregisterTopicValidator(name))
	}
	t.objects, t.joins = true, 1
	p.trace.judged(name, o.Missed) // before anything comes: see signed
	if err = p.engine.join(t, true); err == nil {
		t.relay, err = t.handle.Relay()
	}
	if err != nil {
		p.engine.leave(t)
		p.drop(t)
		return errors.Join(p.explain("join", name, err), p.ps.UnregisterTopicValidator(name))
	}
	t.meshed.Store(true)
	return nil
}

// objectID is the SHA-256 of a message's bytes.
func objectID(m *pb.Message) string {
	id := sha256.Sum256(m.GetData())
	return string(id[:])
}

// judge asks about what peers send. What we publish ourselves has been judged.
func (p *PubSub) judge(name string, o Objects) pubsub.ValidatorEx {
	return func(ctx context.Context, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
		if from == p.host.ID() {
			return Accept
		}
		return o.Judge(ctx, Incoming{Topic: name, From: from, ID: [sha256.Size]byte([]byte(m.ID)), Data: m.GetData()})
	}
}

// LeaveObjects undoes JoinObjects.
func (p *PubSub) LeaveObjects(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	t := p.topics[name]
	if t == nil || !t.objects {
		return fmt.Errorf("%w: %q carries no objects here", ErrNotJoined, name)
	}
	t.relay()
	p.engine.leave(t)
	p.drop(t)
	return p.ps.UnregisterTopicValidator(name)
}

// PublishObject sends an object to the topic's mesh: one of our own, or one of a
// peer that was ignored at first and has become valid. Where peers are in the topic
// it waits a moment for the mesh, and sends nothing twice. The bytes belong to the
// router from now on.
func (p *PubSub) PublishObject(ctx context.Context, name string, data []byte) error {
	if len(data) > p.cfg.MaxMessage {
		return fmt.Errorf("%w: %d bytes, and this node's limit is %d", ErrTooLarge, len(data), p.cfg.MaxMessage)
	}
	t, err := p.objectTopic(name)
	if err != nil {
		return err
	}
	defer p.letGo(t)
	p.awaitMesh(ctx, t)
	if err := t.handle.Publish(ctx, data); err != nil {
		return p.explain("publish to", name, err)
	}
	p.trace.published.Add(1)
	t.stats.published.Add(1)
	return nil
}

// awaitMesh waits, for meshGrace in all until there is a mesh again, while peers are
// in a topic and none of them is in its mesh.
func (p *PubSub) awaitMesh(ctx context.Context, t *topic) {
	for {
		changed := p.trace.changed() // before asking, so that no change is lost
		peers := p.ps.ListPeers(t.name)
		if p.trace.meshReady(t.name) || len(peers) == 0 || p.engine != nil && slices.ContainsFunc(peers, p.trace.open) {
			t.meshBy.Store(nil)
			return
		}
		by := t.meshBy.Load()
		if by == nil {
			at := time.Now().Add(meshGrace)
			by = &at
			t.meshBy.Store(by)
		}
		select {
		case <-changed:
		case <-time.After(time.Until(*by)):
			return
		case <-ctx.Done():
			return
		case <-p.ctx.Done():
			return
		}
	}
}

// objectTopic takes a reference to an object topic.
func (p *PubSub) objectTopic(name string) (*topic, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.topics[name]
	switch {
	case p.closed:
		return nil, ErrClosed
	case t == nil || !t.objects:
		return nil, fmt.Errorf("%w: %q carries no objects here", ErrNotJoined, name)
	}
	t.refs++
	return t, nil
}
