package settings

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

func testSchema() Schema {
	return Schema{
		{Key: FileKey, Kind: Text, Default: ""},
		{Key: "network", Kind: Text, Default: "weft", Check: func(v any) error {
			if strings.Contains(v.(string), " ") {
				return errors.New("no blanks, please")
			}
			return nil
		}},
		{Key: "max_peers", Kind: Count, Default: 50},
		{Key: "ephemeral", Kind: Switch, Default: false},
		{Key: "dial_timeout", Kind: Period, Default: 10 * time.Second},
		{Key: "max_message", Kind: Size, Default: uint64(1 << 20)},
		{Key: "topic", Kind: List, Default: []string(nil)},
		{Key: "api_token", Kind: Text, Default: "", Secret: true},
	}
}

// load runs Load with a file of the given text, if any, as weft.toml in the
// working directory.
func load(t *testing.T, file string, environ []string, args ...string) (*Values, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if file != "" {
		if err := os.WriteFile("weft.toml", []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"--config", "weft.toml"}, args...)
	}
	fs := pflag.NewFlagSet("weft", pflag.ContinueOnError)
	testSchema().Flags(fs)
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	return Load(testSchema(), environ, fs)
}

func TestLaterLayersWin(t *testing.T) {
	const file = "network = 'file'\nmax_peers = 1\n"
	env := []string{"WEFT_NETWORK=env", "WEFT_MAX_PEERS=2", "HOME=/root"}
	flags := []string{"--network", "flag", "--max-peers=3"}
	for _, c := range []struct {
		name    string
		file    string
		env     []string
		args    []string
		network string
		peers   int
		origin  string
	}{
		{"nothing set", "", nil, nil, "weft", 50, "default"},
		{"file over default", file, nil, nil, "file", 1, "weft.toml:2"},
		{"environment over default", "", env, nil, "env", 2, "environment"},
		{"environment over file", file, env, nil, "env", 2, "environment"},
		{"flag over default", "", nil, flags, "flag", 3, "flag --max-peers"},
		{"flag over file", file, nil, flags, "flag", 3, "flag --max-peers"},
		{"flag over all", file, env, flags, "flag", 3, "flag --max-peers"},
		{"each key by itself", "network = 'file'", []string{"WEFT_EPHEMERAL=1"}, []string{"--max-peers", "7"}, "file", 7, "flag --max-peers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := load(t, c.file, c.env, c.args...)
			if err != nil {
				t.Fatal(err)
			}
			if v.Text("network") != c.network || v.Count("max_peers") != c.peers || v.Origin("max_peers") != c.origin {
				t.Errorf("got network %s, max_peers %d from %s; want %s, %d from %s",
					v.Text("network"), v.Count("max_peers"), v.Origin("max_peers"), c.network, c.peers, c.origin)
			}
		})
	}
}

// Every kind reads the same from a file, a variable and a flag.
func TestEveryKindReadsAlikeInEveryLayer(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		env  []string
		args []string
	}{
		"file": {file: "ephemeral = true\ndial_timeout = '90s'\nmax_message = '16MiB'\ntopic = ['a', 'b']\nmax_peers = 9"},
		"environment": {env: []string{"WEFT_EPHEMERAL=true", "WEFT_DIAL_TIMEOUT=90s", "WEFT_MAX_MESSAGE=16MiB",
			"WEFT_TOPIC=a, b", "WEFT_MAX_PEERS=9"}},
		"flags": {args: []string{"--ephemeral", "--dial-timeout=90s", "--max-message=16MiB", "--topic=a", "--topic=b", "--max-peers=9"}},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := load(t, c.file, c.env, c.args...)
			if err != nil {
				t.Fatal(err)
			}
			got := []any{v.Switch("ephemeral"), v.Period("dial_timeout"), v.Size("max_message"), v.List("topic"), v.Count("max_peers")}
			want := []any{true, 90 * time.Second, uint64(16 << 20), []string{"a", "b"}, 9}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAFlagTakesItsArgumentWhole(t *testing.T) {
	v, err := load(t, "", nil, "--topic", "a,b c")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a,b c"}, v.List("topic")); d != "" {
		t.Error(d)
	}
}

func TestBadSettingsAreNamedWithTheirOrigin(t *testing.T) {
	for _, c := range []struct {
		name string
		file string
		env  []string
		args []string
		want string
	}{
		{"unknown key in file", "\nmax_peer = 3", nil, nil,
			"setting max_peer (weft.toml:2): there is no such setting; did you mean max_peers?"},
		{"table in file", "[node]\nnetwork = 'x'", nil, nil,
			"setting node.network (weft.toml:2): there is no such setting; `weft config show` lists them"},
		{"unknown variable", "", []string{"WEFT_NETWROK=x"}, nil,
			"setting WEFT_NETWROK (environment): there is no such setting; did you mean WEFT_NETWORK?"},
		{"bad number in file", "network = 'a'\nmax_peers = 'many'", nil, nil,
			`setting max_peers (weft.toml:2): "many" is not a whole number, as 50`},
		{"bad number in environment", "", []string{"WEFT_MAX_PEERS=many"}, nil,
			`setting WEFT_MAX_PEERS (environment): "many" is not a whole number, as 50`},
		{"bad number in flag", "", nil, []string{"--max-peers", "many"},
			`setting max_peers (flag --max-peers): "many" is not a whole number, as 50`},
		{"duration without unit", "dial_timeout = 10", nil, nil,
			`setting dial_timeout (weft.toml:1): 10 is not a duration with its unit, as "10s" or "1m30s"`},
		{"size", "", []string{"WEFT_MAX_MESSAGE=big"}, nil, `WEFT_MAX_MESSAGE (environment): "big" is not a size`},
		{"list of numbers", "topic = [1]", nil, nil, "setting topic (weft.toml:1): 1 is not text; write it in quotes"},
		{"number for text", "network = 5", nil, nil, "setting network (weft.toml:1): 5 is not text; write it in quotes"},
		{"value that its check refuses", "", []string{"WEFT_NETWORK=a b"}, nil, "setting WEFT_NETWORK (environment): no blanks, please"},
		{"check of a flag", "", nil, []string{"--network", "a b"}, "setting network (flag --network): no blanks, please"},
		{"broken TOML", "network = \n", nil, nil, "setting config (weft.toml:1:11): "},
		{"file naming a file", "config = 'other.toml'", nil, nil, "setting config (weft.toml:1): a file cannot name another"},
		{"no such file", "", []string{"WEFT_CONFIG=nowhere.toml"}, nil, "setting config (nowhere.toml): the file cannot be read: no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(t, c.file, c.env, c.args...)
			var se *Error
			if !errors.As(err, &se) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %s\nwant %s", err, c.want)
			}
		})
	}
}

// A Kubernetes service called weft injects variables that look like ours.
func TestServiceLinksAreNotSettings(t *testing.T) {
	_, err := load(t, "", []string{"WEFT_SERVICE_HOST=10.0.0.1", "WEFT_SERVICE_PORT_API=1", "WEFT_PORT=tcp://10.0.0.1:30303",
		"WEFT_PORT_30303_TCP=tcp://10.0.0.1:30303", "WEFT_PORT_30303_TCP_ADDR=10.0.0.1", "WEFT_API_PORT_30304_UDP_PROTO=udp", "WEFT_NETWORK="})
	if err != nil {
		t.Error(err)
	}
}

func TestSecretsAreHidden(t *testing.T) {
	v, err := load(t, "api_token = 'hunter2'", nil)
	if err != nil {
		t.Fatal(err)
	}
	shown := v.All()
	got := shown[len(shown)-1]
	if d := cmp.Diff(Shown{"api_token", hidden, "weft.toml:1"}, got); d != "" || v.Text("api_token") != "hunter2" {
		t.Error(d)
	}
}

func TestDerivedDefaultsYieldToWhatIsSet(t *testing.T) {
	v, err := load(t, "", []string{"WEFT_MAX_PEERS=7"})
	if err != nil {
		t.Fatal(err)
	}
	v.Derive("max_peers", 1)
	v.Derive("network", "derived")
	if v.Count("max_peers") != 7 || v.Text("network") != "derived" {
		t.Errorf("got %d and %s", v.Count("max_peers"), v.Text("network"))
	}
}

// A weak layer lies between the defaults and the file, and names where it is from.
func TestAWeakValueYieldsToWhatIsSet(t *testing.T) {
	v, err := load(t, "max_peers = 7", nil)
	if err != nil {
		t.Fatal(err)
	}
	v.Weakly("max_peers", 1, "elsewhere")
	v.Weakly("network", "weak", "elsewhere")
	v.Weakly("network", "weaker", "nowhere")
	if v.Count("max_peers") != 7 || v.Text("network") != "weak" || v.Origin("network") != "elsewhere" {
		t.Errorf("got %d, and %s from %s", v.Count("max_peers"), v.Text("network"), v.Origin("network"))
	}
	v.Replace("network", "meant", "a file")
	if got, want := v.Error("network", "is bad").Error(), "setting network (a file): is bad"; got != want || v.Text("network") != "meant" {
		t.Errorf("got %q for %s, want %q", got, v.Text("network"), want)
	}
}

func TestAFileOfItsOwnHasASchemaOfItsOwn(t *testing.T) {
	t.Chdir(t.TempDir())
	schema := Schema{{Key: "name", Kind: Text, Default: ""}, {Key: "size", Kind: Count, Default: 1}}
	for text, want := range map[string]string{
		"name = 'a'\n":             "",
		"name = 'a'\ncolour = 'b'": "setting colour (own.toml:2): there is no such setting; there are name, size",
		"nam = 'a'":                "setting nam (own.toml:1): there is no such setting; did you mean name?",
		"size = 'a'":               `setting size (own.toml:1): "a" is not a whole number, as 50`,
		"name = 'a":                "setting own (own.toml:1:9): ",
		strings.Repeat("#", 101):   "setting own (own.toml): the file cannot be read: file too large",
	} {
		if err := os.WriteFile("own.toml", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		v, err := LoadFile(schema, "own", "own.toml", 100)
		switch {
		case want == "" && (err != nil || v.Text("name") != "a" || v.Origin("name") != "own.toml:1" || v.Origin("size") != Default):
			t.Errorf("%q: got %+v, %v", text, v, err)
		case want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)):
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestFlagsKnowTheirGroupAndTheirWords(t *testing.T) {
	fs := pflag.NewFlagSet("weft", pflag.ContinueOnError)
	Schema{{Key: "topology", Kind: Text, Default: "a", Form: "a|b", Group: "Network"}}.Flags(fs)
	fs.Bool("other", false, "")
	f := fs.Lookup("topology")
	if Group(f) != "Network" || strings.Join(Choices(f), " ") != "a b" || f.Value.Type() != "a|b" {
		t.Errorf("group %q, choices %v, form %s", Group(f), Choices(f), f.Value.Type())
	}
	if f := fs.Lookup("other"); Group(f) != "" || Choices(f) != nil {
		t.Errorf("another flag: group %q, choices %v", Group(f), Choices(f))
	}
}

func TestSizesReadBackAsShown(t *testing.T) {
	for _, text := range []string{"0", "7", "64KiB", "1MiB", "16MiB", "3GiB", "1025"} {
		v, err := Size.Parse(text)
		if err != nil || Size.Format(v) != text {
			t.Errorf("%s: got %s, %v", text, Size.Format(v), err)
		}
	}
	for _, text := range []string{"", "-1", "1.5MiB", "99999999999999999999", "MiB", "5000000000GiB"} {
		if v, err := Size.Parse(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, v)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"publish", "peers", "ping", "subscribe"}
	for word, want := range map[string]string{"pubish": "publish", "peer": "peers", "pign": "ping", "subscibe": "subscribe", "xyzzy": "", "p": ""} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
}

func TestKeysAreFoundAtTheirLines(t *testing.T) {
	doc := "# head\nnetwork = 'a'\n\ntopic = [\n 'x',\n 'y'] # tail\n[a.b]\n\"c\" = 1\n"
	want := map[string]int{"network": 2, "topic": 4, "a.b": 7, "a.b.c": 8}
	if d := cmp.Diff(want, keyLines([]byte(doc))); d != "" {
		t.Error(d)
	}
	if len(keyLines([]byte("= "))) != 0 {
		t.Error("broken documents have no keys")
	}
}
