// Package node is a weft node to embed: it joins an overlay network, finds
// peers, and carries messages by topic.
//
// A program that has a node:
//
//	cfg := node.DefaultConfig()
//	cfg.Bootstrap = []string{"/dns4/boot.example.org/tcp/30303/p2p/12D3Koo…"}
//	n, err := node.New(cfg)
//	if err != nil {
//		log.Fatal(err)
//	}
//	if err := n.Start(ctx); err != nil {
//		log.Fatal(err)
//	}
//	defer n.Close()
//	sub, err := n.Subscribe("news")
//	…
//	msg, err := sub.Next(ctx)
//
// New checks the configuration; Start takes the data directory, listens, begins to
// join and returns once the node can be dialled; Close ends everything that Start
// began. Nothing is global: any number of nodes live in one process, each
// with a Registry of its own.
//
// Inside, the protocols of weft are pure state machines (package protocols) that
// one goroutine owns (internal/loop); this package wires them to the adapters
// that touch the world. wire.go is the one place where that happens.
package node
