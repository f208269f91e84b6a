//go:build docker

package docker_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const (
	commandLimit = 2 * time.Minute        // for one docker command; chosen well above what a busy machine takes
	pollPause    = 200 * time.Millisecond // between two looks at a container; each costs a process
)

var (
	runName = "weft-test-" + strings.ToLower(rand.Text()[:8])
	image   = runName + ":image"
)

func TestMain(m *testing.M) { os.Exit(withImage(m)) }

// withImage builds the image as users do, runs the tests, and removes it.
func withImage(m *testing.M) int {
	ctx := context.Background()
	if _, err := output(ctx, nil, nil, "make", "-C", "..", "image", "IMAGE="+image); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if _, err := output(ctx, nil, nil, "docker", "rmi", "-f", image); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return m.Run()
}

// output runs a command and returns its stdout. The error holds both streams.
func output(ctx context.Context, env []string, stdin []byte, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("%s: %w\n%s%s", cmd, err, &stderr, &stdout)
	}
	return stdout.Bytes(), nil
}

// docker runs a docker command that must succeed.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := output(t.Context(), nil, nil, "docker", args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// eventually calls check until it returns nil; at the limit the test fails with
// the last error.
func eventually(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	start := time.Now()
	for err := check(); err != nil; err = check() {
		if time.Since(start) > limit {
			t.Fatalf("not within %s: %v", limit, err)
		}
		time.Sleep(pollPause)
	}
}

// container is a running container of the image.
type container struct {
	t  *testing.T
	id string
}

// start runs a container by itself, with docker's options before the image's name
// and weft's arguments after it, and removes it at the end.
func start(t *testing.T, options []string, args ...string) container {
	t.Helper()
	line := append([]string{"run", "-d", "--network", ownNetwork(t)}, options...)
	c := container{t, docker(t, append(append(line, image), args...)...)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of %s:\n%s", c.id, c.logs())
		}
		remove(t, "rm", "-f", "-v", c.id)
	})
	return c
}

// ownNetwork makes a network for one test, so that nothing depends on what other
// containers of this machine do.
func ownNetwork(t *testing.T) string {
	t.Helper()
	id := docker(t, "network", "create", fmt.Sprintf("%s-%s", runName, strings.ToLower(rand.Text()[:4])))
	t.Cleanup(func() { remove(t, "network", "rm", id) })
	return id
}

// remove runs after the test, when its context is done already.
func remove(t *testing.T, args ...string) {
	if _, err := output(context.Background(), nil, nil, "docker", args...); err != nil {
		t.Error(err)
	}
}

// logs are both streams of the container.
func (c container) logs() string {
	out, err := exec.Command("docker", "logs", "--tail", "60", c.id).CombinedOutput()
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// inspect returns one field of the container's state.
func (c container) inspect(format string) string {
	c.t.Helper()
	return docker(c.t, "inspect", "--format", format, c.id)
}

// weft runs a weft command inside the container.
func (c container) weft(stdin []byte, args ...string) ([]byte, error) {
	return output(c.t.Context(), nil, stdin, "docker", append([]string{"exec", "-i", c.id, "/weft"}, args...)...)
}

// ask runs a weft command with JSON output.
func (c container) ask(answer any, args ...string) error {
	out, err := c.weft(nil, append(args, "-o", "json")...)
	if err != nil {
		return err
	}
	return json.Unmarshal(out, answer)
}

// healthIs waits for Docker's word on the container's health.
func (c container) healthIs(want string) {
	c.t.Helper()
	eventually(c.t, healthLimit, func() error {
		if got := c.inspect("{{.State.Health.Status}}"); got != want {
			return fmt.Errorf("health is %q, want %q", got, want)
		}
		return nil
	})
}
