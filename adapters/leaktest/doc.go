// Package leaktest fails tests whose goroutines outlive them.
//
// go.uber.org/goleak does the finding. By itself it waits less than half a second
// for goroutines that are about to end, which is too little for the ends of dozens
// of connections on a busy machine: here they have [patience].
package leaktest
