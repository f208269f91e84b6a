package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// process is a `weft run` with an API on a unix socket.
type process struct {
	cmd    *exec.Cmd
	socket string
	http   http.Client
}

func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	dir, err := os.MkdirTemp("", "weft") // short, as the paths of sockets must be
	if err != nil {
		t.Fatal(err)
	}
	socket, addrs := filepath.Join(dir, "api"), filepath.Join(dir, "addr")
	args = append([]string{"run", "--ephemeral", "--listen", "/ip4/127.0.0.1/tcp/0", "--api", "unix://" + socket, "--addr-file", addrs}, args...)
	p := &process{cmd: exec.Command("weft", args...), socket: socket}
	p.http.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it has ended, in a test that passes
		_ = p.cmd.Wait()
		p.http.CloseIdleConnections()
		os.RemoveAll(dir)
	})
	await(t, "the address file", func() bool { _, err := os.Stat(addrs); return err == nil })
	return p
}

// probe asks /livez or /readyz; 0 means that nobody answers.
func (p *process) probe(path string) int {
	r, err := p.http.Get("http://localhost" + path)
	if err != nil {
		return 0
	}
	r.Body.Close()
	return r.StatusCode
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// exitCode waits for the end of the process.
func (p *process) exitCode(t *testing.T) int {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = p.cmd.Wait() // the exit code is in ProcessState
	}()
	select {
	case <-done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatal("the process runs on")
		return -1
	}
}

// await asks until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(lookEvery) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s after %s", what, patience)
		}
	}
}

func TestSIGTERMTurnsReadinessOffBeforeItStops(t *testing.T) {
	p := startProcess(t, "--drain-delay", "1s")
	if got := p.probe("/readyz"); got != http.StatusOK {
		t.Fatalf("/readyz answers %d while running", got)
	}
	p.signal(t, syscall.SIGTERM)
	await(t, "readiness gone", func() bool { return p.probe("/readyz") == http.StatusServiceUnavailable })
	if got := p.probe("/livez"); got != http.StatusOK {
		t.Errorf("/livez answers %d while draining, want 200", got)
	}
	if got := p.exitCode(t); got != 0 {
		t.Errorf("exit code %d, want 0", got)
	}
}

func TestASecondSignalStopsAtOnce(t *testing.T) {
	p := startProcess(t, "--drain-delay", "1h")
	p.signal(t, os.Interrupt)
	await(t, "readiness gone", func() bool { return p.probe("/readyz") == http.StatusServiceUnavailable })
	p.signal(t, syscall.SIGTERM)
	if got := p.exitCode(t); got != exitFailed {
		t.Errorf("exit code %d, want %d", got, exitFailed)
	}
}

// Who keeps the API busy does not make a clean end fail.
func TestSIGTERMCutsCallsThatDoNotEnd(t *testing.T) {
	p := startProcess(t)
	mute, err := net.Dial("unix", p.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	if _, err := mute.Write([]byte("POST /weft.v1.NodeService/Id HTTP/1.1\r\n")); err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGTERM)
	if got := p.exitCode(t); got != 0 {
		t.Errorf("exit code %d, want 0", got)
	}
}
