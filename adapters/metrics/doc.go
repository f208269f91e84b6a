// Package metrics turns the stats structs of the other packages into Prometheus
// metrics named weft_*. Those packages count in plain integers (but for the DHT's
// histogram, which it registers itself); this one knows nothing of what the
// numbers do.
//
// New makes a registry for one node: many nodes in one process have one each.
// Group reads a stats struct once per scrape and emits its fields:
//
//	reg := metrics.New(version)
//	reg.MustRegister(metrics.GossipSub(pubsub.Stats), metrics.KadDHT(dht.Stats))
//	reg.MustRegister(metrics.Group(host.Stats,
//		metrics.Counter("weft_host_dials_total", "…", func(s libp2phost.Stats) uint64 { return s.DialsStarted }),
//	))
//
// Names follow https://prometheus.io/docs/practices/naming: base units, unit as
// suffix, _total on counters. Labels come from fixed sets or are bounded where
// they are counted; none is chosen by a remote peer.
package metrics
