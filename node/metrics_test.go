package node

import (
	"testing"

	"github.com/weftnet/weft/protocols/core"
)

func TestChecksThatWaitOrAreDroppedAreCounted(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	p, err := n.live()
	if err != nil {
		t.Fatal(err)
	}
	begun, end := make(chan struct{}), make(chan struct{})
	defer close(end)
	// Keep the worker busy that does the checks of one peer, here of nobody.
	p.workers.Do(core.Verify{Check: func() any { begun <- struct{}{}; <-end; return nil }})
	<-begun
	check := core.Verify{Check: func() any { return nil }}
	const few = 3
	for range few {
		p.workers.Do(check)
	}
	if s := n.stats(p); s.checksQueued != few || s.checksDropped != 0 {
		t.Errorf("%d checks wait and %d were dropped, want %d and none", s.checksQueued, s.checksDropped, few)
	}
	for range 1 << 16 { // far more than there is room for
		p.workers.Do(check)
	}
	if s := n.stats(p); s.checksQueued+int(s.checksDropped) != few+1<<16 || s.checksDropped == 0 {
		t.Errorf("%d checks wait and %d were dropped, of %d", s.checksQueued, s.checksDropped, few+1<<16)
	}
}
