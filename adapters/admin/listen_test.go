package admin

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

func TestAPortInUseIsExplained(t *testing.T) {
	s := serve(t, &fakeNode{}, nil)
	_, err := Listen(ServerConfig{Addr: s.Addr()}, &fakeNode{})
	if !errors.Is(err, ErrAddrInUse) || !strings.Contains(err.Error(), s.Addr()) || !strings.Contains(err.Error(), "another weft node") {
		t.Errorf("second listen = %v", err)
	}
	_, err = Listen(ServerConfig{Addr: "127.0.0.1:0", MetricsAddr: s.Addr()}, &fakeNode{})
	if !errors.Is(err, ErrAddrInUse) || !strings.Contains(err.Error(), "metrics") {
		t.Errorf("metrics on the same port = %v", err)
	}
}

func TestAddressesThatCannotWorkSayWhatWould(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{
		"":                                      "write HOST:PORT",
		"127.0.0.1":                             "write HOST:PORT",
		"127.0.0.1:x":                           "number from 0 to 65535",
		"127.0.0.1:65536":                       "number from 0 to 65535",
		"unix://":                               "names no file",
		"unix:///" + strings.Repeat("x", 120):   "choose a shorter one",
		"unix://" + file:                        "is not a socket",
		"unix://" + dir + "/missing/dir/a.sock": "does not exist",
		"192.0.2.77:0":                          "set a token",
	} {
		if s, err := Listen(ServerConfig{Addr: addr}, &fakeNode{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Listen(%q) = %v, %v; want an error with %q", addr, s, err, want)
		}
	}
	if text, _ := os.ReadFile(file); string(text) != "keep" {
		t.Error("a file in the socket's place was touched")
	}
	_, err := Listen(ServerConfig{Addr: "192.0.2.77:0", Token: "x"}, &fakeNode{})
	if !errors.Is(err, ErrAddress) || !strings.Contains(err.Error(), "no address of this machine") {
		t.Errorf("a foreign address = %v", err)
	}
}

func TestSettingsThatCannotWorkAreRefused(t *testing.T) {
	ok := DefaultServerConfig()
	if err := ok.Validate(); err != nil {
		t.Error("the default:", err)
	}
	for name, spoil := range map[string]func(*ServerConfig){
		"token":   func(c *ServerConfig) { c.Token = "two words" },
		"token\n": func(c *ServerConfig) { c.Token = "line\n" },
		"token ü": func(c *ServerConfig) { c.Token = "schlüssel" },
		"host":    func(c *ServerConfig) { c.AllowHosts = []string{"http://x"} },
		"metrics": func(c *ServerConfig) { c.MetricsAddr = "9090" },
	} {
		c := DefaultServerConfig()
		spoil(&c)
		if err := c.Validate(); err == nil {
			t.Errorf("a bad %s passes", name)
		}
	}
}

func TestASocketIsForItsOwnerOnlyAndGoneAfterwards(t *testing.T) {
	path := filepath.Join(t.TempDir(), "api.sock")
	s := serve(t, &fakeNode{}, func(c *ServerConfig) { c.Addr = "unix:" + path })
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := s.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close: %v", err)
	}
}

func TestALivingSocketIsLeftAlone(t *testing.T) {
	path := "unix://" + filepath.Join(t.TempDir(), "api.sock")
	serve(t, &fakeNode{}, func(c *ServerConfig) { c.Addr = path })
	if _, err := Listen(ServerConfig{Addr: path}, &fakeNode{}); !errors.Is(err, ErrAddrInUse) {
		t.Errorf("second listen = %v", err)
	}
	if _, err := dial(t, path, "").Id(within(t), &weftv1.IdRequest{}); err != nil {
		t.Errorf("the first does not answer any more: %v", err)
	}
}

func TestASocketLeftBehindIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "api.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as after kill -9
	l.Close()
	s := serve(t, &fakeNode{}, func(c *ServerConfig) { c.Addr = "unix://" + path })
	if _, err := dial(t, s.Addr(), "").Id(within(t), &weftv1.IdRequest{}); err != nil {
		t.Error(err)
	}
}

func TestASocketOfALaterServerIsNotRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "api.sock")
	first := serve(t, &fakeNode{}, func(c *ServerConfig) { c.Addr = "unix://" + path })
	if err := os.Remove(path); err != nil { // somebody tidied up
		t.Fatal(err)
	}
	second := serve(t, &fakeNode{}, func(c *ServerConfig) { c.Addr = "unix://" + path })
	if err := first.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, second.Addr(), "").Id(within(t), &weftv1.IdRequest{}); err != nil {
		t.Error(err)
	}
}

func FuzzParseAddr(f *testing.F) {
	for _, s := range []string{DefaultAddr, "unix:///run/weft.sock", "unix:x", "[::1]:1", ":0", "http://h:1/p", "https://h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAddr(s)
		if err == nil {
			if again, err := parseAddr(a.String()); err != nil || again != a {
				t.Errorf("%q -> %v -> %v, %v", s, a, again, err)
			}
		} else if !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %v", s, err)
		}
		if c, err := Dial(s, ""); err == nil && c == nil {
			t.Error(fmt.Sprint("no client for ", s))
		}
	})
}
