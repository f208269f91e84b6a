package libp2phost

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/weftnet/weft/adapters/regular"
)

// What can be wrong with a key file. Every error says which file and what to do.
var (
	ErrKeyMissing     = errors.New("no key file")
	ErrKeyPermissions = errors.New("key file is readable by others")
	ErrKeyUnreadable  = errors.New("key file cannot be read")
	ErrKeyCorrupt     = errors.New("key file is damaged")
	ErrKeyType        = errors.New("key is not Ed25519")
	ErrKeyExists      = errors.New("key file exists already")
	ErrKeyNotWritable = errors.New("key file cannot be written")
)

const (
	keyFileMode fs.FileMode = 0o600 // its owner alone
	keyDirMode  fs.FileMode = 0o700 // a directory that is made for a key is private too
	othersMask  fs.FileMode = 0o077 // any right of group or others

	// maxKeyFileBytes bounds what is read: a marshalled Ed25519 key has 68 bytes.
	maxKeyFileBytes = 4096
)

// NewKey makes a fresh Ed25519 identity.
func NewKey() (crypto.PrivKey, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	return key, err
}

// Fingerprint is the SHA-256 of the raw public key, in hex.
func Fingerprint(pub crypto.PubKey) string {
	raw, err := pub.Raw()
	if err != nil { // only foreign key types can fail
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// LoadKey reads an identity that LoadOrCreateKey or SaveKey wrote.
func LoadKey(path string) (crypto.PrivKey, error) {
	raw, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	key, err := crypto.UnmarshalPrivateKey(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %s holds no complete private key (%d bytes): restore it from a backup, "+
			"or move it away to start with a new identity", ErrKeyCorrupt, path, len(raw))
	}
	if err := checkKeyType(key); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// LoadConsensusKey reads the key of a consensus identity, which is kept like a
// node's and never made on the way: a node without it must not pass for another.
func LoadConsensusKey(path string) (ed25519.PrivateKey, error) {
	key, err := LoadKey(path)
	if errors.Is(err, ErrKeyMissing) {
		return nil, fmt.Errorf("%w at %s: make one with `weft key consensus %s`", ErrKeyMissing, path, path)
	}
	if err != nil {
		return nil, err
	}
	raw, err := key.Raw()
	return raw, err
}

// LoadOrCreateKey reads the identity at path, or makes one there.
func LoadOrCreateKey(path string) (crypto.PrivKey, error) {
	key, err := LoadKey(path)
	if !errors.Is(err, ErrKeyMissing) {
		return key, err
	}
	if key, err = NewKey(); err != nil {
		return nil, err
	}
	if err := SaveKey(path, key); err != nil {
		return nil, err
	}
	return key, nil
}

// SaveKey writes a key to a new file that only its owner may read. It never
// overwrites one.
func SaveKey(path string, key crypto.PrivKey) error {
	if err := checkKeyType(key); err != nil {
		return err
	}
	raw, err := crypto.MarshalPrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), keyDirMode); err != nil {
		return notWritable(path, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, keyFileMode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s: it is never overwritten; name another file, or move it away", ErrKeyExists, path)
	}
	if err != nil {
		return notWritable(path, err)
	}
	if err := writeDurably(f, raw); err != nil {
		return notWritable(path, errors.Join(err, os.Remove(path)))
	}
	return syncDir(filepath.Dir(path))
}

func checkKeyType(key crypto.PrivKey) error {
	if key.Type() != crypto.Ed25519 {
		return fmt.Errorf("%w but %s: weft peers are Ed25519; make a key with `weft key new`", ErrKeyType, key.Type())
	}
	return nil
}

func readKeyFile(path string) ([]byte, error) {
	f, err := regular.Open(path)
	switch {
	case errors.Is(err, regular.ErrNotRegular):
		return nil, fmt.Errorf("%w: %w: name another, or move it away", ErrKeyUnreadable, err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w at %s: make one with `weft key new %s`", ErrKeyMissing, path, path)
	case err != nil:
		return nil, unreadable(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, unreadable(path, err)
	}
	if mode := info.Mode().Perm(); mode&othersMask != 0 {
		return nil, fmt.Errorf("%w: %s has mode %04o: run `chmod 600 %s`, and make a new key if others may have seen it",
			ErrKeyPermissions, path, mode, path)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxKeyFileBytes))
	if err != nil {
		return nil, unreadable(path, err)
	}
	return raw, nil
}

// writeDurably writes, syncs and closes f.
func writeDurably(f *os.File, raw []byte) error {
	_, err := f.Write(raw)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir makes a new directory entry survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func unreadable(path string, err error) error {
	return fmt.Errorf("%w by uid %d: %w: %s", ErrKeyUnreadable, os.Getuid(), err,
		accessRemedy(err, filepath.Dir(path), filepath.Dir(path), path))
}

func notWritable(path string, err error) error {
	return fmt.Errorf("%w by uid %d: %w: %s", ErrKeyNotWritable, os.Getuid(), err,
		accessRemedy(err, filepath.Dir(path), filepath.Dir(path)))
}

// accessRemedy says how this user gets at files in a directory.
func accessRemedy(err error, dir string, files ...string) string {
	if errors.Is(err, syscall.ENOTDIR) {
		return dir + " must be a directory: name another"
	}
	return fmt.Sprintf("give it to this user with `chown %d %s`, or name another directory", os.Getuid(), strings.Join(files, " "))
}
