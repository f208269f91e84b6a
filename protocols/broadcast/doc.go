// Package broadcast sends an object once to every connected member that carries its
// topic. Nobody answers and nobody passes it on: who misses it gets it by the periodic
// pull of recent IDs, or not at all.
//
// Source: Casper: "A broadcast message is sent once, without guarantees, to all the
// nodes connected to it." Differences: only to those that carry the topic, and both
// sides bound how often, so that no honest sender is over the receivers' bound.
//
// # Flow
//
//	Alice              Bob, Carol …
//	  │ Object{bytes}    │
//	  ├─────────────────▶│ Heard ... the composer parses, hashes and checks it
//
// # Bounds
//
// A node broadcasts 16 objects a second, 256 at once after a pause, and takes twice
// that from each member. What is over it is dropped, counted, and a minor offence.
//
// # Bytes
//
//	type 1  Object  the payload is the object's encoding and nothing else
package broadcast
