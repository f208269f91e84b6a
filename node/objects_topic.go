package node

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/adapters/gossipsub"
	"github.com/weftnet/weft/protocols/dissemination"
)

// ObjectTopic is a topic whose messages are objects: kept, validated, delivered after
// what they depend on.
type ObjectTopic struct {
	Name string
	// Class is how objects reach others: "gossip" (the default) along gossipsub's mesh,
	// "infect" by infection gossip, "broadcast" once to all who are connected.
	Class string
	// KeepObjects, KeepBytes and KeepAge bound what is kept of the topic; zero means
	// 100,000, 1 GiB (64 MiB when nothing is written to disk) and 7 days.
	KeepObjects int
	KeepBytes   int64
	KeepAge     time.Duration
	// Authors says who may author objects: "anyone" (the default), "validators", or
	// "listed": the holders of AuthorKeys.
	Authors    string
	AuthorKeys []ed25519.PublicKey
	// Decide, when set, decides about each object once all that it depends on is held.
	// It is called on several goroutines and should return within ctx's minute.
	Decide func(ctx context.Context, o Object) (v ObjectVerdict, reason string)
	// External says that an application decides through Candidates and Decide, as the
	// API does.
	External bool
}

// ephemeralKeep bounds the bytes of a topic that are kept in memory, by default;
// chosen because such nodes are many in a process, or small.
const ephemeralKeep = 64 << 20

var authorRules = map[string]dissemination.Authors{
	"": dissemination.Anyone, "anyone": dissemination.Anyone, "validators": dissemination.Validators, "listed": dissemination.Listed,
}

// validate reports the first field that cannot work.
func (t ObjectTopic) validate(c Config) error {
	if err := gossipsub.CheckTopic(t.Name); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if _, known := authorRules[t.Authors]; !known {
		return c.bad("ObjectTopics", t.Authors, "let the authors be anyone, validators or listed")
	}
	if t.Decide != nil && t.External {
		return c.bad("ObjectTopics", t.Name, "set Decide or External, not both")
	}
	topic, err := t.topic(c)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if topic.Class == dissemination.Gossip && c.NoPubSub {
		return c.bad("ObjectTopics", t.Name, "leave NoPubSub false, or use the class infect or broadcast")
	}
	if err := topic.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return nil
}

// topic is the topic as the protocols know it.
func (t ObjectTopic) topic(c Config) (out dissemination.Topic, err error) {
	class, err := dissemination.ParseClass(cmp.Or(t.Class, dissemination.Gossip.String()))
	keep := dissemination.DefaultKeep()
	if c.ephemeral() {
		keep.Bytes = ephemeralKeep
	}
	return dissemination.Topic{
		Name: t.Name, Class: class, Authors: authorRules[t.Authors], Keys: t.AuthorKeys,
		Judged: t.Decide != nil || t.External,
		Keep: dissemination.Keep{
			Objects: cmp.Or(t.KeepObjects, keep.Objects), Bytes: cmp.Or(t.KeepBytes, keep.Bytes), Age: cmp.Or(t.KeepAge, keep.Age),
		},
	}, err
}

// authorPeer is the peer ID of a key; empty without one.
func authorPeer(key ed25519.PublicKey) peer.ID {
	if len(key) != ed25519.PublicKeySize {
		return ""
	}
	pub, err := crypto.UnmarshalEd25519PublicKey(key)
	if err != nil {
		return ""
	}
	id, err := peer.IDFromPublicKey(pub)
	if err != nil {
		return ""
	}
	return id
}

// peerKey is the key of a peer ID; nil when it is not an Ed25519 one.
func peerKey(id peer.ID) ed25519.PublicKey {
	pub, err := id.ExtractPublicKey()
	if err != nil || pub.Type() != crypto.Ed25519 {
		return nil
	}
	raw, err := pub.Raw()
	if err != nil {
		return nil
	}
	return raw
}

// privateKey is the key of the node as objects are signed with.
func privateKey(key crypto.PrivKey) (ed25519.PrivateKey, error) {
	if key.Type() != crypto.Ed25519 {
		return nil, fmt.Errorf("%w: Key: objects are signed with Ed25519 keys", ErrConfig)
	}
	raw, err := key.Raw()
	return raw, err
}
