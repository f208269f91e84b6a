package dissemination

import (
	"time"

	"github.com/weftnet/weft/protocols/object"
)

// memory remembers IDs until a time, so many of them: the oldest are forgotten first.
type memory struct {
	most  int
	until map[object.ID]time.Time
	order []object.ID
}

// forever is later than anything.
var forever = time.Unix(1<<40, 0)

func newMemory(most int) memory { return memory{most: most, until: map[object.ID]time.Time{}} }

func (c *memory) has(now time.Time, id object.ID) bool { return c.until[id].After(now) }

func (c *memory) add(id object.ID, until time.Time) {
	if _, known := c.until[id]; !known {
		if len(c.order) == c.most {
			delete(c.until, c.order[0])
			c.order = c.order[1:] // append copies the rest when it needs room
		}
		c.order = append(c.order, id)
	}
	c.until[id] = until
}
