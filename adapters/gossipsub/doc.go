// Package gossipsub is pubsub through go-libp2p-pubsub's gossipsub, on two kinds of
// topics: raw ones, of any bytes, which go to everybody who has joined them; and
// those of objects, of which only valid ones are passed on (objects.go).
//
// On raw topics it behaves towards other nodes as plain libp2p does: default message IDs
// (author and sequence number), strict signing, default mesh parameters. A weft
// node in a network of plain ones is not told apart by its traffic, and the same
// payload published twice arrives twice.
//
// What it adds is on the inside:
//
//   - topics are counted references: Join forwards for others, Subscribe
//     consumes, and the last one to go leaves the topic (topic.go);
//   - Publish waits until somebody can hear it, and says why when nobody does
//     (publish.go): a peer that has announced the topic and to which our stream is
//     open. Pubsub's own readiness check passes before that, and drops the message;
//   - each subscription has its own buffer, bounded in messages and in bytes; a
//     slow reader gets a counted gap and never slows the others (subscription.go);
//     on request it holds back Publish on its own node (blocking.go);
//   - what a peer can make us remember is bounded: topics per peer, per message
//     and in length (filter.go), back-off times, peer exchange (inspect.go);
//   - object topics (objects.go): a message is named by the hash of its bytes, a judge
//     decides about each, and what was ignored can be published later. It has no author
//     and no signature but its object's (sign.go);
//   - who delivers first, who late and who breaks the rules is told to the node, whose
//     opinion comes back as a score (reputation.go): one below zero keeps a peer out of
//     the mesh, that of a banned one out of earshot;
//   - who says more than there is to say is found out (floods.go);
//   - with episub, a machine of each topic decides who pushes (episub.go): it is driven on
//     pubsub's process loop (episub_loop.go) by what pubsub and its messages tell
//     (episub_hooks.go, episub_inspect.go), and its effects leave from there
//     (episub_effects.go);
//   - all of it is counted, per topic for our own topics (trace.go, stats.go).
//
// # Flow
//
//	Publish ─▶ readiness ─▶ sign ─▶┐
//	                               ├▶ pubsub's process loop ─▶ mesh peers
//	peers ─▶ inspect ─▶ verify ───▶┘        │
//	                                        └▶ Subscription queues ─▶ Next
//
// Everything that pubsub calls (tracer, filter, inspector, delivery) runs on its
// process loop, so none of it waits: no lock is held there across a call.
//
// # Losses
//
// Raw topics promise no delivery. What is published faster than a peer takes it
// overflows the queue towards that peer (Stats.RPCsDropped), what arrives faster
// than it is verified overflows the queue before that (Stats.Rejected), and what a
// reader does not take is its gap (Stats.Missed). Gossip repairs the first two
// only between peers that are not in each other's mesh.
//
// # Sizes
//
// MaxMessage bounds the payload. On the wire a message is up to Overhead bytes
// longer (topic, author, signature), and pubsub's limit, WireLimit, allows for it:
// a payload of exactly MaxMessage passes. A plain libp2p peer with default
// settings reads at most 1 MiB with everything, and resets the stream on more:
// in a mixed network keep payloads below 1 MiB less Overhead.
//
// # Sources
//
// gossipsub v1.0 to v1.3: https://github.com/libp2p/specs/tree/master/pubsub/gossipsub.
// Implementation: github.com/libp2p/go-libp2p-pubsub v0.17.0.
package gossipsub
