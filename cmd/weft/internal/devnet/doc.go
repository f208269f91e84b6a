// Package devnet runs many nodes in one process on loopback, joined through the
// first of them: a network to develop against, with a control API for each node.
//
// Nothing is written to disk; identities and ports are new at each start.
package devnet
