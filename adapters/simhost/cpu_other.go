//go:build !unix

package simhost

import "time"

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }
