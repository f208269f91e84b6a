package simtest

// Count is messages and their bytes, frames included.
type Count struct{ Messages, Bytes uint64 }

func (c *Count) add(payload int) {
	c.Messages++
	c.Bytes += uint64(payload + Overhead)
}

// Traffic is what went over the connections of one host, or of all, by one
// protocol or by all.
type Traffic struct{ Sent, Received Count }

// Add sums up.
func (t *Traffic) Add(more Traffic) {
	t.Sent.Messages += more.Sent.Messages
	t.Sent.Bytes += more.Sent.Bytes
	t.Received.Messages += more.Received.Messages
	t.Received.Bytes += more.Received.Bytes
}

func (h *Host) traffic(lane int) *Traffic {
	for len(h.bytes) <= lane {
		h.bytes = append(h.bytes, Traffic{})
	}
	return &h.bytes[lane]
}

// Traffic is what a host sent and received by one protocol; empty: by all.
func (h *Host) Traffic(protocol string) (sum Traffic) {
	for lane, t := range h.bytes {
		if protocol == "" || h.net.lanes[lane] == protocol {
			sum.Add(t)
		}
	}
	return sum
}

// Traffic is what all hosts sent and received, by protocol.
func (n *Network) Traffic() map[string]Traffic {
	all := make(map[string]Traffic, len(n.lanes))
	for _, h := range n.hosts {
		for lane, t := range h.bytes {
			sum := all[n.lanes[lane]]
			sum.Add(t)
			all[n.lanes[lane]] = sum
		}
	}
	return all
}
