package main

import (
	"reflect"
	"unsafe"

	"github.com/ava-labs/avalanchego/ids"
	"github.com/ava-labs/avalanchego/network"
	"github.com/ava-labs/avalanchego/utils/ips"
	"github.com/ava-labs/avalanchego/utils/set"
)

// What the comparison needs from inside their package: a tracker with claims of
// peers whose connections nobody has to open.

//go:linkname trackerConnected github.com/ava-labs/avalanchego/network.(*ipTracker).Connected
func trackerConnected(tracker unsafe.Pointer, ip *ips.ClaimedIPPort, trackedSubnets set.Set[ids.ID])

// trackerOf is the ipTracker of a network.
func trackerOf(n network.Network) unsafe.Pointer {
	return reflect.ValueOf(n).Elem().FieldByName("ipTracker").UnsafePointer()
}
