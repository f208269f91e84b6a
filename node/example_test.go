package node_test

import (
	"context"
	"fmt"
	"log"

	"github.com/weftnet/weft/node"
)

// A first node, a second that joins it, and a message between them.
func Example() {
	ctx := context.Background()
	run := func(bootstrap ...string) *node.Node {
		cfg := node.DefaultConfig()
		cfg.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
		cfg.Bootstrap = bootstrap
		n, err := node.New(cfg)
		if err != nil {
			log.Fatal(err)
		}
		if err := n.Start(ctx); err != nil {
			log.Fatal(err)
		}
		return n
	}
	first := run()
	defer first.Close()
	second := run(first.Addrs()[0].String())
	defer second.Close()

	sub, err := second.Subscribe("greetings")
	if err != nil {
		log.Fatal(err)
	}
	if err := first.Publish(ctx, "greetings", []byte("hello, weft")); err != nil {
		log.Fatal(err)
	}
	msg, err := sub.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s\n", msg.Topic, msg.Data)
	// Output: greetings: hello, weft
}

// Watching peers come and go.
func ExampleNode_Events() {
	cfg := node.DefaultConfig()
	cfg.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	n, err := node.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	events := n.Events()
	if err := n.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	e, err := events.Next(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Seq, e.Kind)
	n.Close()
	// Output: 1 node.started
}
