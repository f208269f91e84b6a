package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	golog "github.com/ipfs/go-log/v2"

	"github.com/weftnet/weft/adapters/admin"
	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/cmd/weft/internal/settings"
	"github.com/weftnet/weft/node"
)

// safeBuffer is a stream that is written and read at once.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// background runs a command line in this process until the returned function
// interrupts it; that returns the exit code.
func background(t *testing.T, stdout io.Writer, args ...string) (interrupt func() int, stderr *safeBuffer) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	stderr = new(safeBuffer)
	a := &app{stdin: strings.NewReader(""), stdout: stdout, stderr: stderr, environ: []string{"HOME=" + t.TempDir()}}
	code := make(chan int, 1)
	go func() { code <- a.main(ctx, args) }()
	end := sync.OnceValue(func() int { cancel(errInterrupted); return <-code })
	t.Cleanup(func() { end() })
	return end, stderr
}

func TestDevnetPrintsItsNodesAndEndsByInterrupt(t *testing.T) {
	out := new(safeBuffer)
	interrupt, stderr := background(t, out, "devnet", "up", "-n", "4", "--topic", "news", "--rate", "20", "-o", "json")
	await(t, "summary", func() bool { return strings.Contains(out.String(), "joinedMs") })
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 5 {
		t.Fatalf("got %d lines, want 4 nodes and a summary:\n%s", len(lines), out)
	}
	for i, line := range lines[:4] {
		askNode(t, i+1, line)
	}
	if code := interrupt(); code != 0 {
		t.Errorf("exit code %d; stderr:\n%s", code, stderr)
	}
}

// askNode checks that a node of a devnet answers at the API that its line names.
func askNode(t *testing.T, number int, line string) {
	t.Helper()
	var row struct {
		Node int
		ID   string `json:"peerId"`
		API  string
	}
	if err := json.Unmarshal([]byte(line), &row); err != nil {
		t.Fatal(err)
	}
	c, err := admin.Dial(row.API, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.Status(t.Context(), &weftv1.StatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if row.Node != number || s.GetPeerId() != row.ID || s.GetPeers() == 0 || s.GetTopics() != 1 {
		t.Errorf("line %s, status %v", line, s)
	}
}

func TestDevnetPrintsALineForEachNode(t *testing.T) {
	out := new(safeBuffer)
	interrupt, _ := background(t, out, "devnet", "up", "-n", "2")
	await(t, "summary", func() bool { return strings.Contains(out.String(), "2 nodes joined in ") })
	if got := strings.Count(out.String(), "  --api 127.0.0.1:"); got != 2 {
		t.Errorf("%d lines name an API:\n%s", got, out)
	}
	if code := interrupt(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestASignalDuringTheStartIsACleanEnd(t *testing.T) {
	for _, args := range [][]string{
		{"run", "--ephemeral", "--listen", "/ip4/127.0.0.1/tcp/0", "--api", "127.0.0.1:0"},
		{"devnet", "up", "-n", "8"},
	} {
		interrupt, stderr := background(t, io.Discard, args...)
		if code := interrupt(); code != exitOK || strings.Contains(stderr.String(), "weft: ") {
			t.Errorf("%v: exit code %d, stderr:\n%s", args, code, stderr)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
	}{
		{nil, exitOK},
		{errors.New("anything"), exitFailed},
		{errInterrupted, exitFailed},
		{usagef("wrong"), exitUsage},
		{&settings.Error{Name: "x"}, exitUsage},
		{fmt.Errorf("run: %w", node.ErrConfig), exitUsage},
		{admin.ErrExposed, exitUsage},
		{connect.NewError(connect.CodeInvalidArgument, errors.New("bad topic")), exitUsage},
		{connect.NewError(connect.CodeNotFound, errors.New("no such peer")), exitFailed},
		{fmt.Errorf("call: %w", admin.ErrUnreachable), exitUnreachable},
		{fmt.Errorf("call: %w", admin.ErrTimeout), exitTimeout},
		{errTimedOut, exitTimeout},
		{context.DeadlineExceeded, exitTimeout},
		{fmt.Errorf("%w: joined", errUnhealthy), exitUnhealthy},
	} {
		if got := exitCode(c.err); got != c.code {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.code)
		}
	}
}

func TestAnErrorStaysOnItsLine(t *testing.T) {
	if got, want := oneLine("first\nsecond\r\nthird\n"), "first; second; third"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSpansAreReadable(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 3500 * time.Millisecond: "3s", 90 * time.Second: "1m", 3*time.Hour + 5*time.Minute: "3h5m", 75 * time.Hour: "3d",
	} {
		if got := ago(d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "-", 123456: "123µs", 1234567: "1.23ms", 123456789: "123ms"} {
		if got := latency(d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
	for p, want := range map[float64]string{0: "0.0%", 99.94: "99.9%", 99.99: "99.9%", 100: "100%"} {
		if got := percentage(&p); got != want {
			t.Errorf("%g: got %q, want %q", p, got, want)
		}
	}
	if got := percentage(nil); got != "-" {
		t.Errorf("unknown: got %q", got)
	}
	for n, want := range map[uint64]string{7: "7 B", 1536: "1.5 KiB", 3 << 20: "3.0 MiB", 5 << 30: "5.0 GiB"} {
		if got := volume(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

// A stranger's agent or payload cannot move the cursor or set the window's title.
func TestWhatStrangersWroteCannotSteerTheTerminal(t *testing.T) {
	if got, want := harmless("a\x1b]0;title\a\nb é"), "a·]0;title··b é"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var out bytes.Buffer
	a := &app{stdout: &out}
	if err := a.table("AGENT", [][]string{{"evil\x1b[2J\tagent"}}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b") || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("got %q", out.String())
	}
	a = &app{stderr: &out, stdout: io.Discard}
	out.Reset()
	a.main(t.Context(), []string{"evil\x1b[2J"})
	if got := out.String(); strings.Contains(got, "\x1b") || !strings.Contains(got, "evil·[2J") {
		t.Errorf("an error says %q", got)
	}
}

// Libraries with loggers of their own end up in ours, and only what matters.
func TestLibrariesLogThroughOurs(t *testing.T) {
	var out safeBuffer
	a := &app{stdout: io.Discard, stderr: &out}
	v, err := loadSettings([]string{"WEFT_LOG_FORMAT=json"}, a.rootCommand().Flags())
	if err != nil {
		t.Fatal(err)
	}
	a.values = v
	a.openLog()
	lib := golog.Logger("somelib")
	lib.Warn("unheard")
	lib.Errorw("heard", "peer", "x")
	a.level.Set(slog.LevelDebug)
	golog.SetAllLoggers(golog.LevelDebug)
	defer golog.SetAllLoggers(golog.LevelError)
	lib.With("key", "value").Warn("heard now")
	lib.Debug("unheard")
	got := out.String()
	for _, want := range []string{
		`"level":"ERROR","msg":"heard","logger":"somelib","peer":"x"}`,
		`"level":"WARN","msg":"heard now","logger":"somelib","key":"value"}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("log lacks %s:\n%s", want, got)
		}
	}
	if strings.Contains(got, "unheard") || strings.Count(got, "\n") != 2 {
		t.Errorf("log has more than the two lines:\n%s", got)
	}
}

func TestAddrFileIsReplacedInOnePiece(t *testing.T) {
	path := t.TempDir() + "/addr"
	for _, text := range []string{"first\n", "second\n"} {
		if err := writeAtomically("--addr-file", path, text); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("got %q, %v; want %q", got, err, text)
		}
	}
	entries, err := os.ReadDir(path[:len(path)-len("/addr")])
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
