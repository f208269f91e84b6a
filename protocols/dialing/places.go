package dialing

import (
	"encoding/binary"
	"iter"

	"github.com/multiformats/go-multiaddr"
)

// places are addresses in binary form, each behind its length. Of thousands of peers
// most are never dialled, and an address that is read takes ten times as much.
type places string

// pack is the places of addresses, as they are.
func pack(addrs []multiaddr.Multiaddr) places {
	var room [256]byte // of most: so that only the string is allocated
	b := room[:0]
	for _, a := range addrs {
		raw := a.Bytes()
		b = binary.AppendUvarint(b, uint64(len(raw)))
		b = append(b, raw...)
	}
	return places(b)
}

// each yields the binary forms.
func (p places) each() iter.Seq[string] {
	return func(yield func(string) bool) {
		for len(p) > 0 {
			var head [binary.MaxVarintLen64]byte
			size, n := binary.Uvarint(head[:copy(head[:], p)])
			end := n + int(size)
			if !yield(string(p[n:end])) {
				return
			}
			p = p[end:]
		}
	}
}

// addrs reads the addresses, into a slice of its own.
func (p places) addrs() (all []multiaddr.Multiaddr) {
	for raw := range p.each() {
		if a, err := multiaddr.NewMultiaddrBytes([]byte(raw)); err == nil { // pack had it from one
			all = append(all, a)
		}
	}
	return all
}

// find returns at which place an address is; below zero: at none.
func (p places) find(a multiaddr.Multiaddr) int {
	i := 0
	for raw := range p.each() {
		if is(a, raw) {
			return i
		}
		i++
	}
	return -1
}

func (p places) has(a multiaddr.Multiaddr) bool { return p.find(a) >= 0 }

// equal says whether these are the same addresses in the same order.
func (p places) equal(addrs []multiaddr.Multiaddr) bool {
	i := 0
	for raw := range p.each() {
		if i == len(addrs) || !is(addrs[i], raw) {
			return false
		}
		i++
	}
	return i == len(addrs)
}

func is(a multiaddr.Multiaddr, raw string) bool { return string(a.Bytes()) == raw }
