//go:build docker

package docker_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	healthLimit = time.Minute     // start period and three failed checks take 25 s (Dockerfile)
	stopLimit   = 5 * time.Second // half of what `docker stop` grants
)

func TestSIGTERMEndsTheNodeCleanlyAndSoon(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.healthIs("healthy")
	began := time.Now()
	docker(t, "stop", "-t", "30", c.id)
	if took := time.Since(began); took > stopLimit {
		t.Errorf("stopped after %s, want under %s", took, stopLimit)
	}
	if code := c.inspect("{{.State.ExitCode}}"); code != "0" {
		t.Errorf("exit code %s, want 0", code)
	}
}

func TestHealthcheckTellsANodeThatHasNotJoined(t *testing.T) {
	t.Parallel()
	start(t, nil, "run", "--bootstrap", "@/shared/missing").healthIs("unhealthy")
}

func TestReadOnlyRootFilesystemWithoutPrivileges(t *testing.T) {
	t.Parallel()
	c := start(t, []string{"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"})
	c.healthIs("healthy")
	if user := c.inspect("{{.Config.User}}"); user != "65532:65532" {
		t.Errorf("runs as %q, want 65532:65532", user)
	}
}

func TestEphemeralNodeNeedsNoVolume(t *testing.T) {
	t.Parallel()
	start(t, []string{"--read-only"}, "run", "--ephemeral").healthIs("healthy")
}

// A bind mount keeps the host's owner, and an image without a shell cannot change
// it: the message must say who needs the folder and how to give it.
func TestUnwritableBindMountNamesTheUserAndTheRemedy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := output(t.Context(), nil, nil, "docker", "run", "--rm", "--network", "none", "-v", dir+":/data", image)
	if err == nil {
		t.Fatal("a node started on a folder that it cannot write to")
	}
	for _, want := range []string{"/data", "65532", "chown"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}

func TestBindMountThatBelongsToTheUserIsUsed(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder to another user")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 65532, 65532); err != nil {
		t.Fatal(err)
	}
	start(t, []string{"-v", dir + ":/data"}).healthIs("healthy")
	if _, err := os.Stat(filepath.Join(dir, "identity.key")); err != nil {
		t.Error(err)
	}
}
