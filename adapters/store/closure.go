package store

import (
	"errors"

	"github.com/weftnet/weft/protocols/object"
)

// Closure reads an object after those that it depends on, directly or through
// others: dependencies come before dependants, the object itself comes last. It goes no
// further than what is in have, pruned, anchored or not held. Over maxObjects or maxBytes
// it leaves out the objects that are most dependencies away; the object itself is
// always there. The errors are Object's, of the object itself. deps names the
// dependencies of an encoded object; it must not call the store.
func (s *Store) Closure(id object.ID, have []object.ID, maxObjects, maxBytes int, deps func(encoded []byte) []object.ID) (encoded [][]byte, err error) {
	err = s.use(func() error {
		root, err := s.object(id)
		if err != nil {
			return err
		}
		c := closure{nodes: make(map[object.ID]*node), deps: deps, room: maxBytes, most: maxObjects}
		for _, h := range have {
			c.nodes[h] = nil
		}
		if err := c.gather(s, root); err != nil {
			return err
		}
		encoded = c.sorted(id)
		return nil
	})
	return encoded, err
}

type closure struct {
	nodes map[object.ID]*node // nil: not to be sent
	deps  func([]byte) []object.ID
	queue []object.ID // yet to be read, the nearest first
	most  int         // objects
	count int
	room  int // bytes
}

type node struct {
	encoded []byte
	deps    []object.ID
	entered bool
}

// gather reads objects, the nearest first, until one has no room.
func (c *closure) gather(s *Store, root ObjectRecord) error {
	c.add(root)
	for ; len(c.queue) > 0 && c.count < c.most; c.queue = c.queue[1:] {
		id := c.queue[0]
		if _, known := c.nodes[id]; known {
			continue
		}
		c.nodes[id] = nil
		r, err := s.object(id)
		switch {
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrPruned), errors.Is(err, ErrDamaged):
			continue // whoever asks can do without, or ask another
		case err != nil:
			return err
		case len(r.Bytes) > c.room:
			return nil
		}
		c.add(r)
	}
	return nil
}

func (c *closure) add(r ObjectRecord) {
	n := &node{encoded: r.Bytes, deps: c.deps(r.Bytes)}
	c.nodes[r.ID] = n
	c.count++
	c.room -= len(r.Bytes)
	c.queue = append(c.queue, n.deps...)
}

// sorted puts what was gathered into order, without recursion: chains are long.
func (c *closure) sorted(root object.ID) (encoded [][]byte) {
	for path := []object.ID{root}; len(path) > 0; {
		n := c.nodes[path[len(path)-1]]
		if n == nil || n.entered && len(n.deps) == 0 {
			path = path[:len(path)-1]
			if n != nil && n.encoded != nil {
				encoded = append(encoded, n.encoded)
				n.encoded = nil
			}
			continue
		}
		n.entered = true
		next := n.deps[0:min(1, len(n.deps))]
		n.deps = n.deps[len(next):]
		path = append(path, next...)
	}
	return encoded
}
