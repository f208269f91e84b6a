// Package dissemination brings objects to every node that wants them: it composes
// object inspection, waiting for dependencies, fetching, catching up, infection gossip
// and broadcast into one pure machine (docs/adr/0008). It decides what becomes of each
// object; pubsub's mesh, the store and the application are reached by tasks.
//
// Sources: Casper's description of its network, "Data transfers" (objects, gossip,
// broadcast, requesting missing data, dependencies) and casper-node's block and deploy
// acceptors. Differences: docs/adr/0010.
//
// # The way of an object
//
//	Offered (mesh), infect, broadcast, fetch, Put
//	   │ Inspect: encoding, hash, signature ─ bad ─▶ invalid: sender banned, dependants fall
//	   ▼
//	known? author allowed? ── no ─▶ refused
//	   │
//	dependencies held? ── no ─▶ pending ─▶ fetch: the sender, other holders, the DHT
//	   │ yes ◀──────────────────── Ready ◀─ the last one landed
//	   ▼
//	application, where it decides ── reject ─▶ invalid   ignore, late ─▶ refused
//	   │ accept
//	   ▼
//	held: Save ─▶ on disk ─▶ delivered, by sequence number
//	   └─ passed on: Rule or Publish (mesh), infection gossip, broadcast
//
// An object is passed on and delivered only when all that it depends on is held, so a
// reader of the log sees dependencies first.
//
// # Nothing valid is lost
//
// Whatever is refused for want of room, dropped by pubsub, or sent while we were cut
// off is pulled later: catchup lists what others hold, fetch gets it.
//
// # Blame
//
// Invalid bytes, and what depends on them, are their sender's fault. A dependency that
// its sender does not have within a minute of sending the dependant is a minor one.
// Pruned objects, refusals for want of room, time-outs and our own limits are nobody's.
package dissemination
