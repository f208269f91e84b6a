package simhost

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// headerBytes is the number of a message, at its start.
const headerBytes = 8

// collector gathers deliveries.
type collector struct {
	world *World

	mu       sync.Mutex
	sent     []time.Time   // by message; zero: not yet
	bodies   [][]byte      // by message
	got      [][]time.Time // by message and node; zero: not yet
	problems []error       // what must not happen
	since    []time.Time   // by node: its last start, before which it has forgotten everything
	twice    int           // deliveries of what was delivered before, to the same start of a node
}

func newCollector(w *World) *collector {
	c := &collector{world: w, since: make([]time.Time, w.Config.Nodes), sent: make([]time.Time, len(w.sends)), bodies: make([][]byte, len(w.sends))}
	for range w.sends {
		c.got = append(c.got, make([]time.Time, w.Config.Nodes))
	}
	return c
}

// message makes the i-th message and notes the time.
func (c *collector) message(i int) []byte {
	data := make([]byte, c.world.Config.Size)
	rng := rand.New(rand.NewPCG(uint64(c.world.Config.Seed), uint64(i)))
	for j := headerBytes; j < len(data); j++ {
		data[j] = byte(rng.Uint32())
	}
	binary.BigEndian.PutUint64(data, uint64(i))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent[i], c.bodies[i] = time.Now(), data
	return bytes.Clone(data)
}

// deliver notes that a node has a message.
func (c *collector) deliver(node int, data []byte, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(data) < headerBytes {
		c.problem(fmt.Errorf("node %d: delivered %d bytes", node, len(data)))
		return
	}
	i := binary.BigEndian.Uint64(data)
	switch {
	case i >= uint64(len(c.bodies)) || !bytes.Equal(data, c.bodies[i]):
		c.problem(fmt.Errorf("node %d: delivered what nobody published", node))
	case node == c.world.sends[i].by:
	case c.got[i][node].After(c.since[node]):
		c.twice++
	case !c.got[i][node].IsZero():
	default:
		c.got[i][node] = at
	}
}

// started notes that a node begins anew.
func (c *collector) started(node int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since[node] = time.Now()
}

// problem notes what must not happen; the first ones are enough. The caller holds mu.
func (c *collector) problem(err error) {
	if len(c.problems) < 10 {
		c.problems = append(c.problems, err)
	}
}

func (c *collector) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problem(err)
}

func (c *collector) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.problems...)
}
