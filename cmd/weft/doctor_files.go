package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/adapters/libp2phost"
	"github.com/weftnet/weft/node"
)

func checkDataDir(cfg node.Config) finding {
	if cfg.Ephemeral {
		return fine("not needed: --ephemeral")
	}
	dir, exists := nearestDir(cfg.DataDir)
	probe, err := os.CreateTemp(dir, ".weft-doctor-")
	if err != nil {
		return failure(writableRemedy(dir), "%s: %v", cfg.DataDir, err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return failure(writableRemedy(dir), "%s: %v", cfg.DataDir, err)
	}
	if err := node.CheckDataDir(cfg.DataDir); err != nil {
		return failure("", "%v", err)
	}
	if !exists {
		return fine("%s will be made", cfg.DataDir)
	}
	return fine("%s can be written", cfg.DataDir)
}

func writableRemedy(dir string) string {
	return fmt.Sprintf("give uid %d a directory it can write: `chown %d %s`, or choose another by --data-dir", os.Getuid(), os.Getuid(), dir)
}

// nearestDir is the directory itself, or else the deepest that exists above it.
func nearestDir(dir string) (nearest string, itself bool) {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			return at, at == filepath.Clean(dir)
		}
	}
}

// checkKey looks at the identity; the ID is empty when there is none yet.
func checkKey(cfg node.Config) (finding, peer.ID) {
	if cfg.Ephemeral {
		return fine("not needed: --ephemeral"), ""
	}
	path := filepath.Join(cfg.DataDir, node.KeyFile)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return fine("%s will be made", path), ""
	}
	key, err := libp2phost.LoadKey(path)
	if err != nil {
		return failure("", "%v", err), ""
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return failure("make another by `weft key new`", "%v", err), ""
	}
	return fine("%s", id), id
}
