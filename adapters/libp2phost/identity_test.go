package libp2phost

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
)

func TestAKeyIsMadeOnceAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "identity.key")
	made, err := LoadOrCreateKey(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadOrCreateKey(path)
	if err != nil || !again.Equals(made) {
		t.Fatalf("the second start has another key, %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
}

func TestAKeyFileIsNeverOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity.key")
	first := testKey(t)
	if err := SaveKey(path, first); err != nil {
		t.Fatal(err)
	}
	if err := SaveKey(path, testKey(t)); !errors.Is(err, ErrKeyExists) {
		t.Fatalf("got %v", err)
	}
	if kept, err := LoadKey(path); err != nil || !kept.Equals(first) {
		t.Fatalf("the first key is gone: %v", err)
	}
}

func TestBadKeyFilesAreRefusedWithARemedyAndLeftAlone(t *testing.T) {
	good, err := crypto.MarshalPrivateKey(testKey(t))
	if err != nil {
		t.Fatal(err)
	}
	rsa, _, err := crypto.GenerateKeyPairWithReader(crypto.RSA, 2048, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := crypto.MarshalPrivateKey(rsa)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		raw    []byte
		mode   fs.FileMode
		want   error
		remedy string
	}{
		"readable by group":  {good, 0o640, ErrKeyPermissions, "chmod 600"},
		"readable by others": {good, 0o604, ErrKeyPermissions, "chmod 600"},
		"writable by others": {good, 0o602, ErrKeyPermissions, "chmod 600"},
		"truncated":          {good[:len(good)/2], 0o600, ErrKeyCorrupt, "backup"},
		"empty":              {nil, 0o600, ErrKeyCorrupt, "backup"},
		"garbage":            {[]byte("not a key"), 0o600, ErrKeyCorrupt, "backup"},
		"RSA":                {foreign, 0o600, ErrKeyType, "weft key new"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "identity.key")
			if err := os.WriteFile(path, tc.raw, tc.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tc.mode); err != nil { // the umask may have taken bits
				t.Fatal(err)
			}
			_, err := LoadOrCreateKey(path)
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.remedy) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v", err)
			}
			if now, _ := os.ReadFile(path); string(now) != string(tc.raw) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestAKeyThatIsNoFileIsRefusedAtOnce(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, dir} {
		if _, err := LoadOrCreateKey(path); !errors.Is(err, ErrKeyUnreadable) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v", err)
		}
	}
}

func TestAMissingKeySaysHowToMakeOne(t *testing.T) {
	_, err := LoadKey(filepath.Join(t.TempDir(), "identity.key"))
	if !errors.Is(err, ErrKeyMissing) || !strings.Contains(err.Error(), "weft key new") {
		t.Fatalf("got %v", err)
	}
}

// asNobody runs f with the file rights of an ordinary user. The thread keeps
// them, so it is not given back.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	const nobody = 65534
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		runtime.LockOSThread()
		if os.Getuid() == 0 {
			if err := syscall.Setfsuid(nobody); err != nil {
				t.Error(err)
			}
		}
		f()
	}()
	<-finished
}

// sharedDir is a directory that other users can reach.
func sharedDir(t *testing.T, mode fs.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	for path, mode := range map[string]fs.FileMode{dir: mode, filepath.Dir(dir): 0o755} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAnUnwritableDirectoryIsNamedWithTheUserAndTheRemedy(t *testing.T) {
	dir := sharedDir(t, 0o555)
	asNobody(t, func() {
		_, err := LoadOrCreateKey(filepath.Join(dir, "identity.key"))
		uid := fmt.Sprintf("uid %d", os.Getuid())
		if !errors.Is(err, ErrKeyNotWritable) || !strings.Contains(err.Error(), uid) || !strings.Contains(err.Error(), "chown") {
			t.Errorf("got %v", err)
		}
	})
}

func TestAnUnreadableKeyIsNamedWithTheUserAndTheRemedy(t *testing.T) {
	path := filepath.Join(sharedDir(t, 0o755), "identity.key")
	if err := SaveKey(path, testKey(t)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		_, err := LoadOrCreateKey(path)
		if !errors.Is(err, ErrKeyUnreadable) || !strings.Contains(err.Error(), "chown") {
			t.Errorf("got %v", err)
		}
	})
}

func TestTheFingerprintIsTheHashOfTheRawKey(t *testing.T) {
	raw := make([]byte, 32)
	pub, err := crypto.UnmarshalEd25519PublicKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	// SHA-256 of 32 zero bytes.
	if got := Fingerprint(pub); got != "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925" {
		t.Fatal(got)
	}
}

func TestAConsensusKeySignsForItsPublicPart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "consensus.key")
	if _, err := LoadConsensusKey(path); !errors.Is(err, ErrKeyMissing) || !strings.Contains(err.Error(), "weft key consensus") {
		t.Errorf("without a file: %v", err)
	}
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := SaveKey(path, key); err != nil {
		t.Fatal(err)
	}
	private, err := LoadConsensusKey(path)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.GetPublic().Raw()
	if err != nil || !ed25519.Verify(public, []byte("message"), ed25519.Sign(private, []byte("message"))) {
		t.Errorf("the signature is not the key's: %v", err)
	}
}
