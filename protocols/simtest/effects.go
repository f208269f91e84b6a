package simtest

import "github.com/weftnet/weft/protocols/core"

// perform does what the machine asked for.
func (n *Node) perform() {
	for i, e := range n.out {
		if n.Watch != nil {
			n.Watch(e)
		}
		n.Do(e)
		n.out[i] = nil
	}
	n.out = n.out[:0]
}

// Do carries out one effect, whether or not the machine asked for it.
func (n *Node) Do(e core.Effect) {
	switch e := e.(type) {
	case core.Send:
		n.Host.Send(e)
	case core.Dial:
		n.Host.Dial(e.Peer, e.Addrs)
	case core.Disconnect:
		n.Host.Close(e.Peer)
	case core.Block:
		n.Host.Block(e.Peer, e.Until)
	case core.Verify:
		n.verify(e)
	case core.Persist:
		if n.Records != nil {
			n.Records.keep(e.Record)
		}
	case core.Penalize:
		n.Offences[e.Offence]++
	case core.Notify:
		n.Notices[e.Notice.Kind]++
	case core.Admit, core.Rate, core.Relay: // there is neither pubsub nor DHT nor another machine here
	case core.BlockGroup: // there are no groups: addresses are private
	}
}

func (n *Node) verify(v core.Verify) {
	if n.cfg.VerifyDelay == 0 {
		n.post(core.Verified{Peer: v.Peer, Answer: v.Check()})
		return
	}
	n.Host.then(n.cfg.VerifyDelay, func() {
		n.post(core.Verified{Peer: v.Peer, Answer: v.Check()})
	})
}
