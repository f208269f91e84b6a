package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal of 12 lines; what is written to tty is
// collected in seen.
func terminal(t *testing.T) (tty *os.File, seen *safeBuffer) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals here: %v", err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 12, Col: 120}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close(); master.Close() })
	seen = new(safeBuffer)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			if err != nil {
				return // the test has closed it
			}
			_, _ = seen.Write(buf[:n])
		}
	}()
	return tty, seen
}

func TestDevnetDrawsALiveTableOnATerminal(t *testing.T) {
	tty, seen := terminal(t)
	interrupt, stderr := background(t, tty, "devnet", "up", "-n", "12", "--rate", "20")
	await(t, "second frame with rates", func() bool {
		frames := strings.Split(seen.String(), ansiHome+ansiRest)
		return len(frames) > 3 && strings.Contains(frames[len(frames)-2], "12 of 12 joined")
	})
	if code := interrupt(); code != 0 {
		t.Errorf("exit code %d; stderr:\n%s", code, stderr)
	}
	frames := strings.Split(seen.String(), ansiHome+ansiRest)
	frame := frames[len(frames)-2]
	for _, want := range []string{"NODE", "PEERS", "MSG/S", "devnet:", "and 5 more", "mean ", "weft --api 127.0.0.1:"} {
		if !strings.Contains(frame, want) {
			t.Errorf("a frame lacks %q:\n%s", want, frame)
		}
	}
	if lines := strings.Count(frame, "\n"); lines > 11 {
		t.Errorf("a frame has %d lines, and the terminal 12", lines)
	}
}

func TestProgressShowsOnATerminalOnly(t *testing.T) {
	tty, seen := terminal(t)
	stop := (&app{stderr: tty}).progress("asking the DHT")
	await(t, "progress", func() bool { return strings.Contains(seen.String(), "asking the DHT… 0s") })
	stop()
	await(t, "end of progress", func() bool { return strings.HasSuffix(seen.String(), "\r\x1b[K") })

	var pipe safeBuffer
	stop = (&app{stderr: &pipe}).progress("asking")
	time.Sleep(2 * wonder) // nothing happens: there is no event to wait for
	stop()
	if pipe.String() != "" {
		t.Errorf("a pipe got %q", pipe.String())
	}
}
