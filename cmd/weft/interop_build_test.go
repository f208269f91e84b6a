//go:build interop

package main_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// interopDir holds the scripts and modules of the foreign software.
const interopDir = "testdata/interop"

// buildTimeout is for kubo on an empty build cache with two slow cores: minutes, not seconds.
const buildTimeout = 20 * time.Minute

// weftBinary builds weft, once for all tests, and returns its path.
// WEFT_INTEROP_BINARY names a built one to test instead.
var weftBinary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("WEFT_INTEROP_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	return goBuild(".", "weft", ".")
})

// goBuild builds pkg in the module of dir. The binary stays in the cache, so
// the next run links it again only when something has changed.
func goBuild(dir, name, pkg string) (string, error) {
	cache, err := interopCache()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, name)
	return path, runBuild(dir, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, pkg)
}

// interopCache is where built binaries and installed npm packages are kept between runs.
func interopCache() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, "weft-interop")
	return dir, os.MkdirAll(dir, 0o755)
}

// nodeModules installs what package-lock.json pins, outside the repository,
// under a name made of the lock file's hash.
var nodeModules = sync.OnceValues(func() (string, error) {
	lock, err := os.ReadFile(filepath.Join(interopDir, "js", "package-lock.json"))
	if err != nil {
		return "", err
	}
	cache, err := interopCache()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(lock)
	dir := filepath.Join(cache, "js-"+hex.EncodeToString(sum[:6]))
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules, nil
	}
	return modules, npmInstall(cache, dir)
})

// npmInstall fills a fresh directory and then renames it to dir, so that an
// interrupted install is never taken for a complete one.
func npmInstall(cache, dir string) error {
	fresh, err := os.MkdirTemp(cache, "npm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		if err := copyFile(filepath.Join(interopDir, "js", name), filepath.Join(fresh, name)); err != nil {
			return err
		}
	}
	if err := runBuild(fresh, "npm", "ci", "--ignore-scripts"); err != nil {
		return err
	}
	err = os.Rename(fresh, dir)
	if errors.Is(err, os.ErrExist) { // another run was faster
		return nil
	}
	return err
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

func runBuild(dir, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return &buildError{cmd.String(), string(out), err}
	}
	return nil
}

type buildError struct {
	command, output string
	cause           error
}

func (e *buildError) Error() string {
	return e.command + ": " + e.cause.Error() + "\n" + e.output
}

func (e *buildError) Unwrap() error { return e.cause }

// built fails the test with the tool's own output when a build did not succeed.
func built(t *testing.T, build func() (string, error)) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
