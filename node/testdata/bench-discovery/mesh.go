package main

import (
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// member is one node of a cluster.
type member interface {
	// start starts the node, which knows nobody but bootstrap; nil for nobody.
	start(bootstrap member) error
	// linked is how many peers are connected and through the handshake, as far as
	// can be told at little cost; members is the same, told by the protocol.
	linked() int
	members() (int, error)
	// counters are what the node has done so far.
	counters() counters
	close() error
}

// counters count from the start of a node.
type counters struct {
	messages, bytes float64 // sent by the application's own protocols, with their framing
	streams         float64 // bytes sent above TLS, those included
	accepted        float64 // connections that others began
}

// cluster is nodes of one system in one process; the first is the bootstrap node.
type cluster []member

// start starts the bootstrap node, then all others at once.
func (c cluster) start(alone bool) error {
	var bootstrap member
	if err := c[0].start(nil); err != nil {
		return err
	}
	if !alone {
		bootstrap = c[0]
	}
	var g errgroup.Group
	for _, m := range c[1:] {
		g.Go(func() error { return m.start(bootstrap) })
	}
	return g.Wait()
}

const (
	// pollEvery is how often a node is asked how many links it has. One node is
	// asked at a time, so asking costs next to nothing; the same for all systems.
	pollEvery = 10 * time.Millisecond
	// meshWithin is when a mesh that is not there yet has failed.
	meshWithin = 3 * time.Minute
)

// await waits until every node is linked with every other.
func (c cluster) await() error {
	want, deadline := len(c)-1, time.Now().Add(meshWithin)
	for i := 0; ; {
		for i < len(c) && c[i].linked() == want {
			i++
		}
		if i == len(c) {
			if c.links() == len(c)*want {
				return nil
			}
			i = 0 // a link that was counted is gone again
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no full mesh after %s: %d of %d links", meshWithin, c.links(), len(c)*want)
		}
		time.Sleep(pollEvery)
	}
}

func (c cluster) links() (sum int) {
	for _, m := range c {
		sum += m.linked()
	}
	return sum
}

// counters adds up those of all nodes.
func (c cluster) counters() (sum counters) {
	for _, m := range c {
		one := m.counters()
		sum.messages, sum.bytes = sum.messages+one.messages, sum.bytes+one.bytes
		sum.streams, sum.accepted = sum.streams+one.streams, sum.accepted+one.accepted
	}
	return sum
}

// check fails unless the protocols, too, say that every node is linked with every
// other.
func (c cluster) check() error {
	for i, m := range c {
		switch n, err := m.members(); {
		case err != nil:
			return err
		case n != len(c)-1:
			return fmt.Errorf("node %d has %d of %d members", i, n, len(c)-1)
		}
	}
	return nil
}

func (c cluster) close() {
	var g errgroup.Group
	for _, m := range c {
		g.Go(m.close)
	}
	_ = g.Wait() // a failure to close has no bearing on what was measured
}
