package main

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pollEvery bounds how long the watch on a pipe outlives its command.
const pollEvery = 200 * time.Millisecond

// whenUnread calls stop once nobody reads the pipe that f writes to any more:
// `weft events | head -1` shall not wait for a second event to find out.
func whenUnread(ctx context.Context, f *os.File, stop func()) {
	fds := []unix.PollFd{{Fd: int32(f.Fd())}} // no events asked for: errors always tell
	for ctx.Err() == nil {
		n, err := unix.Poll(fds, int(pollEvery.Milliseconds()))
		if n > 0 && fds[0].Revents&unix.POLLERR != 0 {
			stop()
			return
		}
		if (err != nil && !errors.Is(err, unix.EINTR)) || n > 0 {
			return
		}
	}
}
