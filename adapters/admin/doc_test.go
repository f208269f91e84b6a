package admin

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/descriptorpb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

// The package documentation's own lines, given to the real curl.
func TestEveryDocumentedCurlLineWorks(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	node := &fakeNode{messages: make([]*weftv1.SubscribeResponse, 10)}
	for i := range node.messages {
		node.messages[i] = message("hello")
	}
	socket := "unix://" + filepath.Join(t.TempDir(), "s")
	plain := serve(t, node, nil)
	local := serve(t, node, func(c *ServerConfig) { c.Addr = socket })
	open := serve(t, node, func(c *ServerConfig) { c.Addr, c.Token = "0.0.0.0:0", "secret" })
	here := strings.NewReplacer(
		"192.0.2.1:30304", strings.Replace(open.Addr(), "[::]", "127.0.0.1", 1), "$TOKEN", "secret",
		DefaultAddr, plain.Addr(),
		"/run/weft.sock", strings.TrimPrefix(local.Addr(), "unix://"),
		"/v1/events?", "/v1/events?count=1&",
	)
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^//\t(curl .*?)(   also: .*)?$`).FindAllSubmatch(doc, -1)
	if len(lines) < 8 {
		t.Fatalf("only %d curl lines are documented", len(lines))
	}
	for _, l := range lines {
		line := here.Replace(string(l[1]))
		out, err := exec.CommandContext(within(t), "sh", "-c", line+" --silent --show-error --fail-with-body").CombinedOutput()
		if text := string(out); err != nil || !strings.HasPrefix(text, "{") {
			t.Errorf("%s\n%v\n%s", line, err, text)
		}
	}
}

// What a field means, and in which unit, is found where it is defined.
func TestEveryFieldOfTheProtoIsDescribed(t *testing.T) {
	source, err := os.ReadFile("weft/v1/weft.proto")
	if err != nil {
		t.Fatal(err)
	}
	plain := []string{"peer_id", "topic", "name"} // what the file's head explains, or the message's comment
	field := regexp.MustCompile(`^  (?:repeated )?[\w.]+ (\w+) = \d+;`)
	before := ""
	for line := range strings.Lines(string(source)) {
		if m := field.FindStringSubmatch(line); m != nil && !strings.HasPrefix(strings.TrimSpace(before), "//") {
			if !strings.Contains(strings.Join(plain, " "), m[1]) && m[1] != "mean" && m[1] != "max" {
				t.Errorf("field %s has no comment", m[1])
			}
		}
		before = line
	}
}

// Methods are POST only: an idempotent one would also be a GET, which any web page
// may send without asking.
func TestNoMethodIsServedByGET(t *testing.T) {
	methods := weftv1.File_weft_v1_weft_proto.Services().ByName("NodeService").Methods()
	for i := range methods.Len() {
		m := methods.Get(i)
		if o, _ := m.Options().(*descriptorpb.MethodOptions); o.GetIdempotencyLevel() != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN {
			t.Errorf("%s declares an idempotency level", m.Name())
		}
	}
}

func TestTheGeneratedCodeIsUpToDate(t *testing.T) {
	version, err := exec.Command("protoc", "--version").Output()
	if err != nil || strings.TrimSpace(string(version)) != "libprotoc 3.21.12" {
		t.Skipf("protoc 3.21.12 is not installed (%s, %v)", version, err)
	}
	if _, err := os.Stat("/usr/include/google/protobuf/duration.proto"); err != nil {
		t.Skip("libprotobuf-dev is not installed")
	}
	dir := t.TempDir()
	gen := exec.CommandContext(within(t), "./generate.sh", dir)
	if out, err := gen.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{"weft/v1/weft.pb.go", "weft/v1/weftv1connect/weft.connect.go"} {
		want, _ := os.ReadFile(filepath.Join(dir, name))
		if got, err := os.ReadFile(name); err != nil || string(got) != string(want) || len(got) == 0 {
			t.Errorf("%s differs from what ./generate.sh makes (%v)", name, err)
		}
	}
}
