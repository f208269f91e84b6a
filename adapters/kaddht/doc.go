// Package kaddht is the Kademlia DHT of a weft network: who is there, and where.
// It finds any peer of the network in O(log n) hops, and names the peers closest
// to a key.
//
// It is go-libp2p-kad-dht in server mode under /weft/<network> (the protocol is
// /weft/<network>/kad/1.0.0), with k = 20 and alpha = 3 as in the Kademlia paper.
// Networks of different names never mix.
//
// # Flow
//
//	FindPeer, Closest ─▶ lookup ─▶ 3 peers at a time ─▶ their closest ─▶ …
//	                       │
//	                       └▶ each peer heard of ─▶ Config.Found (for dialling)
//
// # Rules of ours
//
//   - Diversity: at most 3 peers of one public IP group in the table, 2 in one
//     bucket (diversity.go). Loopback and private addresses have no group: with
//     the library's own filter a devnet on 127.0.0.1 keeps 3 peers.
//   - Table: who speaks the protocol enters it unasked, and it is refreshed once
//     nobody new has come for a second (table.go). The library asks each peer first,
//     and refreshes again and again while a node joins.
//   - Addresses: only those that Config.Keep allows are stored, dialled or told.
//   - Records: no values at all (neither /pk nor /ipns); provider records in
//     memory, bounded per peer and in all (providers.go).
//
// # Metrics
//
// kad-dht v0.42 reports through OpenTelemetry's global meter only, created when
// the package is loaded. Its outbound instruments carry no node, so that several
// nodes in one process cannot be told apart, and a meter provider would have to
// be set for the whole process. Hence none of that is bridged. Counted instead,
// per node: lookups, their duration and failures, the requests sent by lookups
// that were asked for here, inbound requests by type, table and network size. Not
// counted: the requests of the library's own table refresh.
//
// # Sources
//
// Maymounkov and Mazières, Kademlia (IPTPS 2002);
// https://github.com/libp2p/specs/tree/master/kad-dht;
// github.com/libp2p/go-libp2p-kad-dht v0.42.1.
package kaddht
