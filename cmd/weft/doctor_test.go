package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weftnet/weft/node"
)

func TestDoctorOnPorts(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	_, tcpPort, _ := net.SplitHostPort(tcp.Addr().String())
	_, udpPort, _ := net.SplitHostPort(udp.LocalAddr().String())
	for _, c := range []struct {
		listen  string
		running bool
		state   string
	}{
		{"/ip4/127.0.0.1/tcp/0", false, stateOK},
		{"/ip4/127.0.0.1/udp/0/quic-v1", false, stateOK},
		{"/ip4/127.0.0.1/tcp/" + tcpPort, false, stateFail},
		{"/ip4/127.0.0.1/udp/" + udpPort + "/quic-v1", false, stateFail},
		{"/ip4/127.0.0.1/tcp/" + tcpPort, true, stateOK}, // most likely the daemon's own
		{"/ip4/192.0.2.77/tcp/0", false, stateWarn},
		{"/p2p-circuit", false, stateWarn},
		{"nonsense", false, stateFail},
	} {
		if f := checkListen(c.listen, c.running); f.State != c.state {
			t.Errorf("%s (daemon running: %v): %+v, want %s", c.listen, c.running, f, c.state)
		}
	}
}

func TestDoctorOnTheClock(t *testing.T) {
	if f := checkClock(time.Unix(0, 0)); f.State != stateFail || !strings.Contains(f.Detail, "1970-01-01") {
		t.Errorf("in 1970: %+v", f)
	}
	if f := checkClock(earliest.Add(time.Hour)); f.State == stateFail {
		t.Errorf("after the release: %+v", f)
	}
}

func TestDoctorOnOpenFiles(t *testing.T) {
	if f := checkOpenFiles(1); f.State != stateOK {
		t.Errorf("for one peer: %+v", f)
	}
	if f := checkOpenFiles(1 << 40); f.State != stateFail || !strings.Contains(f.Remedy, "ulimit -n") {
		t.Errorf("for 2^40 peers: %+v", f)
	}
}

func TestDoctorOnTheUDPBuffer(t *testing.T) {
	if f := checkUDPBuffer([]string{"/ip4/127.0.0.1/tcp/0"}); f.State != stateOK || !strings.Contains(f.Detail, "not needed") {
		t.Errorf("without QUIC: %+v", f)
	}
	if f := checkUDPBuffer([]string{"/ip4/127.0.0.1/udp/0/quic-v1"}); f.State == stateFail {
		t.Errorf("a small buffer keeps nobody from running: %+v", f)
	}
}

func TestDoctorOnTheDataDirectory(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]finding{
		dir:                               {State: stateOK, Detail: "can be written"},
		filepath.Join(dir, "not", "yet"):  {State: stateOK, Detail: "will be made"},
		filepath.Join(file, "underneath"): {State: stateFail},
	} {
		f := checkDataDir(node.Config{DataDir: path})
		if f.State != want.State || !strings.Contains(f.Detail, want.Detail) {
			t.Errorf("%s: %+v, want %+v", path, f, want)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("the doctor left something behind: %v, %v", left, err)
	}
	if f := checkDataDir(node.Config{Ephemeral: true}); f.State != stateOK {
		t.Errorf("ephemeral: %+v", f)
	}
}
