package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/adapters/gossipsub"
	"github.com/weftnet/weft/adapters/store"
	"github.com/weftnet/weft/protocols/dissemination"
	"github.com/weftnet/weft/protocols/object"
)

// join takes part in topics: the machine learns what the store has of them, and those
// of the class gossip are joined in pubsub.
func (d *desk) join(topics ...ObjectTopic) error {
	if len(topics) == 0 {
		return nil
	}
	logs, err := d.storedLogs(topics)
	if err != nil {
		return err
	}
	for _, t := range topics {
		if err := d.joinOne(t, *logs[t.Name]); err != nil {
			return err
		}
	}
	return nil
}

func (d *desk) joinOne(t ObjectTopic, c dissemination.Carry) (err error) {
	if c.Topic, err = t.topic(d.n.cfg); err != nil {
		return err
	}
	d.mu.Lock()
	_, joined := d.topics[t.Name]
	if !joined {
		d.topics[t.Name] = t
	}
	d.mu.Unlock()
	if joined {
		return fmt.Errorf("%w: %q", ErrTopicInUse, t.Name)
	}
	d.p.command(c)
	if c.Topic.Class != dissemination.Gossip {
		return nil
	}
	if err := d.p.pubsub.JoinObjects(t.Name, gossipsub.Objects{Judge: d.judge, Missed: d.missed}); err != nil {
		d.abandon(t.Name)
		if errors.Is(err, gossipsub.ErrJoined) {
			err = fmt.Errorf("%w: %w", ErrTopicInUse, err)
		}
		return err
	}
	return nil
}

// leave undoes join.
func (d *desk) leave(topic string) error {
	t := d.topic(topic)
	d.abandon(topic)
	if c, err := t.topic(d.n.cfg); err != nil || c.Class != dissemination.Gossip {
		return err
	}
	return d.p.pubsub.LeaveObjects(topic)
}

func (d *desk) abandon(topic string) {
	d.mu.Lock()
	delete(d.topics, topic)
	d.mu.Unlock()
	d.p.command(dissemination.Abandon{Topic: topic})
}

// topic is the configuration of a topic; without a name: it is not joined.
func (d *desk) topic(name string) ObjectTopic {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.topics[name]
}

// storedLogs reads what the store has of topics, without the objects' bytes.
func (d *desk) storedLogs(topics []ObjectTopic) (map[string]*dissemination.Carry, error) {
	logs := make(map[string]*dissemination.Carry, len(topics))
	for _, t := range topics {
		logs[t.Name] = &dissemination.Carry{Last: d.p.store.LastSeq(t.Name)}
	}
	err := d.p.store.ObjectIndex(func(topic string, seq uint64, id object.ID, size int, landed time.Time, state store.State) {
		c := logs[topic]
		switch {
		case c == nil:
		case state == store.Held:
			c.Log = append(c.Log, dissemination.Entry{Seq: seq, ID: id, Size: size, Landed: landed})
		default:
			c.Pruned = append(c.Pruned, id)
		}
	})
	return logs, err
}

// authorKey is what signs the objects of a topic unless the caller names another:
// where validators write, the node's consensus key, if it has one.
func (d *desk) authorKey(topic string) ed25519.PrivateKey {
	if d.n.cfg.ConsensusKey != nil && authorRules[d.topic(topic).Authors] == dissemination.Validators {
		return d.n.cfg.ConsensusKey
	}
	return d.own
}

// awaitMember waits until a connected peer has become a member, or will not.
func (n *Node) awaitMember(ctx context.Context, id peer.ID) bool {
	events := n.Events() // before looking, so that nothing is overlooked
	defer events.Close()
	members, err := n.Members(ctx)
	if err != nil {
		return false
	}
	for _, m := range members {
		if m.ID == id && m.Member {
			return true
		}
	}
	for {
		e, err := events.Next(ctx)
		switch {
		case err != nil:
			return false
		case e.Peer != id:
		case e.Kind == "peer.member":
			return true
		case e.Kind == "peer.rejected", e.Kind == "peer.plain", e.Kind == "peer.disconnected":
			return false
		}
	}
}
