package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrDataDir is a data directory that the node should not trust.
var ErrDataDir = errors.New("the data directory is writable by everyone")

// CheckDataDir refuses a directory that every user may write to, as sshd does
// with its files: whoever can write there can put another identity in place of
// the node's, though none can read it. One that does not exist is fine, as the
// node makes it for its own user alone. Writing by a group is the owner's choice:
// volumes are shared so.
func CheckDataDir(dir string) error {
	const othersWrite fs.FileMode = 0o002
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() || info.Mode().Perm()&othersWrite == 0 {
		return nil //nolint:nilerr // what is wrong with the path, opening will tell
	}
	return fmt.Errorf("%w: %s has mode %04o, so anyone could replace the node's identity: run `chmod o-w %[2]s`, or name a directory below it, which will be made private",
		ErrDataDir, dir, info.Mode().Perm())
}
