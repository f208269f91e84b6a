package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

const (
	// patience bounds every wait of a script; chosen far above what a step takes,
	// for a machine that does other things too.
	patience = 30 * time.Second
	// lookEvery paces what can only be asked for again.
	lookEvery = 50 * time.Millisecond
)

// TestMain makes this test binary be weft when it is called by that name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"weft": main})
}

// TestScripts runs testdata/script/*.txtar against real daemons on loopback. To
// the commands of testscript they add:
//
//	daemon NAME [ARG...]        runs `weft run`, waits until it can be dialled, sets
//	                            $NAME (its address), $NAME_id, $NAME_api, $NAME_listen
//	stop [-SIGNAL] NAME [CODE]  ends it (by SIGTERM) and expects its exit code (0)
//	exits CODE PROGRAM [ARG...] runs a program and expects its exit code; when a weft
//	                            command fails, exactly one line "weft: …" on stderr
//	unprivileged CODE PROGRAM…  the same, without root's right to ignore file modes
//	eventually CODE PROGRAM…    the same, again and again until the code is right
//	until REGEXP PROGRAM…       the same with code 0, until its output matches
//	random FILE BYTES           makes a file
//	extract FILE REGEXP VAR     sets $VAR to what the group of the expression matches
//	name VAR FILE               sets $VAR to the first line of a file
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		Setup:         setupScript,
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"daemon":       cmdDaemon,
			"stop":         cmdStop,
			"exits":        cmdExits,
			"unprivileged": cmdUnprivileged,
			"eventually":   cmdEventually,
			"random":       cmdRandom,
			"name":         cmdName,
			"until":        cmdUntil,
			"extract":      cmdExtract,
		},
	})
}

type daemonsKey struct{}

func setupScript(env *testscript.Env) error {
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("WEFT_API", "unix://"+filepath.Join(env.WorkDir, "none.sock"))
	env.Values[daemonsKey{}] = map[string]*daemon{}
	return nil
}

// daemon is a running `weft run`.
type daemon struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer // complete once ended is closed
	ended          chan struct{}
}

func cmdDaemon(ts *testscript.TestScript, _ bool, args []string) {
	name := args[0]
	api, addrs := "unix://"+ts.MkAbs(name+".sock"), ts.MkAbs(name+".addr")
	flags := []string{"run", "--listen", "/ip4/127.0.0.1/tcp/0", "--api", api, "--addr-file", addrs}
	if !slices.Contains(args, "--ephemeral") {
		flags = append(flags, "--data-dir", ts.MkAbs(name))
	}
	d := start(ts, append(flags, args[1:]...))
	ts.Value(daemonsKey{}).(map[string]*daemon)[name] = d
	ts.Defer(d.kill)
	ts.Setenv(name, d.awaitAddr(ts, addrs))
	info, err := peer.AddrInfoFromString(ts.Getenv(name))
	ts.Check(err)
	ts.Setenv(name+"_id", info.ID.String())
	ts.Setenv(name+"_listen", info.Addrs[0].String())
	ts.Setenv(name+"_api", api)
}

func start(ts *testscript.TestScript, args []string) *daemon {
	path, err := exec.LookPath("weft")
	ts.Check(err)
	d := &daemon{cmd: exec.Command(path, args...), ended: make(chan struct{})}
	d.cmd.Dir, d.cmd.Env = ts.MkAbs("."), scriptEnv(ts)
	d.cmd.Stdout, d.cmd.Stderr = &d.stdout, &d.stderr
	ts.Check(d.cmd.Start())
	go func() {
		defer close(d.ended)
		_ = d.cmd.Wait() // the exit code is in ProcessState
	}()
	return d
}

// scriptEnv is what a daemon gets of the script's environment.
func scriptEnv(ts *testscript.TestScript) (env []string) {
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "WEFT_CONFIG", "GOCOVERDIR"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func (d *daemon) awaitAddr(ts *testscript.TestScript, file string) string {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(lookEvery) {
		if text, err := os.ReadFile(file); err == nil {
			return strings.SplitN(string(text), "\n", 2)[0]
		}
		select {
		case <-d.ended:
			ts.Fatalf("%v ended before it could be dialled:\n%s", d.cmd.Args, d.stderr.String())
		default:
		}
	}
	ts.Fatalf("%v cannot be dialled after %s", d.cmd.Args, patience)
	return ""
}

func (d *daemon) kill() {
	_ = d.cmd.Process.Kill() // it may have ended
	<-d.ended
}

func cmdStop(ts *testscript.TestScript, _ bool, args []string) {
	signal, code := syscall.SIGTERM, 0
	if named, given := strings.CutPrefix(args[0], "-"); given {
		signal, args = unix.SignalNum("SIG"+named), args[1:]
	}
	if len(args) == 2 {
		code = atoi(ts, args[1])
	}
	d := ts.Value(daemonsKey{}).(map[string]*daemon)[args[0]]
	ts.Check(d.cmd.Process.Signal(signal))
	select {
	case <-d.ended:
	case <-time.After(patience):
		ts.Fatalf("%s runs on %s after %v", args[0], patience, signal)
	}
	_, _ = ts.Stdout().Write(d.stdout.Bytes())
	_, _ = ts.Stderr().Write(d.stderr.Bytes())
	if got := d.cmd.ProcessState.ExitCode(); got != code {
		ts.Fatalf("exit code %d, want %d; stderr:\n%s", got, code, d.stderr.String())
	}
}

func atoi(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}

func cmdExits(ts *testscript.TestScript, _ bool, args []string) {
	want := atoi(ts, args[0])
	got := exitOf(ts, ts.Exec(args[1], args[2:]...))
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	checkStderr(ts, want, args[1:], ts.ReadFile("stderr"))
}

func exitOf(ts *testscript.TestScript, err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

// checkStderr holds every failing command to one line that says what happened.
// A daemon may have logged before.
func checkStderr(ts *testscript.TestScript, code int, args []string, stderr string) {
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	last := lines[len(lines)-1]
	isDaemon := len(args) > 1 && (args[1] == "run" || args[1] == "devnet")
	switch {
	case args[0] != "weft":
	case code == 0 && strings.Contains(stderr, "weft: "):
		ts.Fatalf("an error on stderr, but exit code 0")
	case code != 0 && !strings.HasPrefix(last, "weft: "):
		ts.Fatalf("stderr does not end in a line that begins with \"weft: \"")
	case code != 0 && !isDaemon && len(lines) != 1:
		ts.Fatalf("%d lines on stderr, want one", len(lines))
	}
}

// cmdUnprivileged drops the rights by which root ignores file modes from one
// thread, and starts the program from it. The thread is never unlocked, so it
// ends with the goroutine.
func cmdUnprivileged(ts *testscript.TestScript, _ bool, args []string) {
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	cmd := exec.Command(path, args[2:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), scriptEnv(ts)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- errors.Join(dropFileRights(), cmd.Run())
	}()
	err = <-done
	_, _ = ts.Stdout().Write(stdout.Bytes())
	_, _ = ts.Stderr().Write(stderr.Bytes())
	want := atoi(ts, args[0])
	if got := exitOf(ts, err); got != want {
		ts.Fatalf("exit code %d, want %d; stderr:\n%s", got, want, stderr.String())
	}
	checkStderr(ts, want, args[1:], stderr.String())
}

func cmdEventually(ts *testscript.TestScript, _ bool, args []string) {
	want := atoi(ts, args[0])
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for got := -1; got != want; {
		if ctx.Err() != nil {
			ts.Fatalf("exit code %d after %s, want %d", got, patience, want)
		}
		time.Sleep(lookEvery)
		got = exitOf(ts, ts.Exec(args[1], args[2:]...))
	}
	checkStderr(ts, want, args[1:], ts.ReadFile("stderr"))
}

func cmdRandom(ts *testscript.TestScript, _ bool, args []string) {
	data := make([]byte, atoi(ts, args[1]))
	_, err := rand.Read(data)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

func cmdName(ts *testscript.TestScript, _ bool, args []string) {
	line, _, _ := strings.Cut(ts.ReadFile(args[1]), "\n")
	ts.Setenv(args[0], line)
}

func cmdUntil(ts *testscript.TestScript, _ bool, args []string) {
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for deadline := time.Now().Add(patience); ; time.Sleep(lookEvery) {
		code := exitOf(ts, ts.Exec(args[1], args[2:]...))
		if code == 0 && want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no match for %s after %s", args[0], patience)
		}
	}
}

func cmdExtract(ts *testscript.TestScript, _ bool, args []string) {
	want, err := regexp.Compile(args[1])
	ts.Check(err)
	m := want.FindStringSubmatch(ts.ReadFile(args[0]))
	if len(m) != 2 {
		ts.Fatalf("%s does not have one group, or %s no match", args[1], args[0])
	}
	ts.Setenv(args[2], m[1])
}
