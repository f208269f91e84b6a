package leaktest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long goroutines may take to end; chosen so that only those that
// hang exceed it.
const patience = 30 * time.Second

// Main runs the tests of a package, and fails them for goroutines that are left.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := find(patience); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines outlive the tests:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// Begin notes which goroutines there are. The function that it returns fails a
// test for those that began since and do not end.
func Begin() (check func(testing.TB)) {
	before := goleak.IgnoreCurrent()
	return func(t testing.TB) {
		t.Helper()
		if err := find(patience, before); err != nil {
			t.Error(err)
		}
	}
}

// find looks until no goroutine is left but those that are ignored. libp2p v0.51's
// quicreuse never closes a socket that a dial of identify, the DHT or pubsub opens
// while the host is being closed.
func find(patience time.Duration, ignored ...goleak.Option) error {
	ignored = append(ignored,
		goleak.IgnoreAnyFunction("github.com/quic-go/quic-go.(*Transport).listen"),
		goleak.IgnoreAnyFunction("github.com/quic-go/quic-go.(*Transport).runSendQueue"))
	for deadline := time.Now().Add(patience); ; {
		if err := goleak.Find(ignored...); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
