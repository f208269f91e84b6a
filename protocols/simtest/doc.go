// Package simtest runs thousands of core.Machines in virtual time: what they say
// to each other over a network with latency, loss, partitions and limits, while
// nodes come, go, crash and have wrong clocks. A run depends on nothing but its
// seed, and Sim.Trace tells two runs apart.
//
//	Sim      virtual time: a heap of what happens when, and the trace
//	Network  hosts, connections, latency, loss, partitions, bytes; knows no machine
//	Host     one node's end of it: places, guests, blocks, connections
//	Node     a core.Machine on a Host: carries out its effects, as the node's loop
//	         and the adapters do, and keeps its records over restarts
//
//	            core.Event                    core.Effect
//	Network ──▶ Host ─────▶ Node ──▶ Machine ─────▶ Node ──▶ Host ──▶ Network
//
// # What is simulated
//
// A dial takes round trips: it is refused where no port listens, and times out
// where nobody answers. The dialler has the connection half a round trip before
// the listener decides whether there is a place, as with TLS 1.3. Two hosts that
// dial each other at once have two connections; a third is refused. The messages
// of one protocol keep their order in each direction of a connection, those of two
// protocols do not, as they are on streams of their own. With symmetry a host
// sends on connections that it dialled and on no other; what is to be sent before
// there is one waits for it.
//
// Messages between nodes whose clocks differ by more than Config.MaxSkew are skipped,
// as libp2phost skips them.
//
// A message may be lost (Config.Loss), which is harsher than TCP and QUIC, where it
// would be late. Bandwidth and CPU are not simulated. A clock that is set moves the
// node's timers too, which is harsher than reality, where timers are monotonic.
package simtest
