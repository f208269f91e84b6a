package libp2phost

import (
	"errors"
	"fmt"
	"slices"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Scope says which addresses count, our own and those of others.
type Scope uint8

// The scopes.
const (
	ScopeAuto   Scope = iota // as public as we are: private addresses are kept while our own are all private
	ScopeAll                 // every address
	ScopePublic              // only addresses that the whole internet can reach
)

// ErrScope is the error of ParseScope.
var ErrScope = errors.New("unknown address scope")

var scopeNames = [...]string{ScopeAuto: "auto", ScopeAll: "all", ScopePublic: "public"}

func (s Scope) String() string {
	if int(s) < len(scopeNames) {
		return scopeNames[s]
	}
	return fmt.Sprintf("Scope(%d)", uint8(s))
}

// ParseScope is the inverse of String; "" means auto.
func ParseScope(name string) (Scope, error) {
	if name == "" {
		return ScopeAuto, nil
	}
	if i := slices.Index(scopeNames[:], name); i >= 0 {
		return Scope(i), nil
	}
	return 0, fmt.Errorf("%w %q: use auto, all or public", ErrScope, name)
}

// maxAddrBytes bounds an address; chosen because the longest in use have about
// 150. What the DHT says of others is kept for a day, and may be 8 KiB each.
const maxAddrBytes = 512

// Keep returns the test that an address must pass, where own are our addresses.
// Relayed addresses never pass: there is no relay transport to use them.
func (s Scope) Keep(own []ma.Multiaddr) func(ma.Multiaddr) bool {
	publicOnly := s == ScopePublic || s == ScopeAuto && slices.ContainsFunc(own, manet.IsPublicAddr)
	return func(a ma.Multiaddr) bool {
		if len(a) == 0 || relayed(a) || len(a.Bytes()) > maxAddrBytes {
			return false
		}
		return !publicOnly || manet.IsPublicAddr(a)
	}
}

func relayed(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_CIRCUIT)
	return err == nil
}

// filter keeps the addresses that pass.
func filter(addrs []ma.Multiaddr, keep func(ma.Multiaddr) bool) []ma.Multiaddr {
	kept := make([]ma.Multiaddr, 0, len(addrs))
	for _, a := range addrs {
		if keep(a) {
			kept = append(kept, a)
		}
	}
	return kept
}
