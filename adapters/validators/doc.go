// Package validators reads who the validators or the members of a network are,
// from a file that may change while the node runs.
//
// # The file
//
// One entry a line, # comments, blank lines:
//
//	12D3KooWGRUf7Yf5Xz7gBvX4GQEbcxgYAdQUdRzmM5VVtWv6SxVp 100   # a node
//	ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a 40
//	12D3KooWCsY1BzhPK5jD4zxFbiRZXYZC1wbCnprd2x9feeknJJ4g
//
// An entry is the peer ID of a node, or the public key of a consensus identity,
// as `weft key consensus` prints it: then every node that proves in its handshake
// to hold that key is meant (handshake.IdentityProof), whatever its peer ID. The
// weight comes after it, 1 when there is none. A file of members names peer IDs
// alone, without weights: who proves a validator's key is a member by that. An
// entry that comes twice is refused, as one of the two weights would have to lose.
//
// # Watching
//
// A Watcher looks at the file once a second, at its size, time of change and
// identity, following symlinks. That works where inotify does not: on bind
// mounts, on network file systems and with the symlinks of a Kubernetes
// ConfigMap. A change is read when two looks in a row agree, so a file that is
// written in place is not read half done, and takes effect within about two
// seconds. A set that cannot be read (the file is gone, broken, a pipe) is
// logged and shown by Err, and the last good one stays in force: a slip of the
// editor must not cost a network its validators.
package validators
