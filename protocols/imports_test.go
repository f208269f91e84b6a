package protocols

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/weftnet/weft/"

// layers are the top-level folders, lowest first, and what each may import of
// the others.
var layers = map[string][]string{
	"protocols": {"protocols"},
	"adapters":  {"adapters", "protocols"},
	"node":      {"node", "adapters", "protocols"},
	"cmd":       {"cmd", "node", "adapters", "protocols"},
	"docker":    {},
	"docs":      {"node"},
}

// shared are the protocol packages that other protocol packages may import:
// they hold values, not behaviour.
var shared = []string{"core", "frame", "object", "claim", "bloom"}

// composers are the protocol packages that import their sisters: each makes one
// machine of them (docs/adr/0008-one-composed-machine.md).
var composers = []string{"discovery", "dissemination"}

// outside are the only imports of a protocol from beyond the standard library
// and this module.
var outside = []string{
	"google.golang.org/protobuf",
	"github.com/multiformats/go-multiaddr",
	"github.com/ipfs/go-cid",
	"github.com/libp2p/go-libp2p/core/peer",
	"github.com/libp2p/go-libp2p/core/crypto",
	"github.com/libp2p/go-libp2p/core/record",
}

// forbidden standard packages, and why.
var forbidden = map[string]string{
	"net":         "a protocol has no sockets: let an adapter do IO and hand in an event",
	"os":          "a protocol has no files: append core.Persist",
	"log/slog":    "a protocol does not log: append core.Notify or count in a stats struct",
	"context":     "a protocol never waits: deadlines are values that Deadline returns",
	"sync":        "a protocol is owned by one goroutine: it needs no locks",
	"sync/atomic": "a protocol is owned by one goroutine: it needs no atomics",
	"crypto/rand": "randomness is injected, so that a run can be repeated from its seed",
	"math/rand":   "use math/rand/v2 with an injected *rand.Rand",
}

// calls are the forbidden functions, and why.
var calls = map[string]map[string]string{
	"time": whyAll("time comes in as an argument, so that the simulator can own it",
		"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"),
	"rand": whyAll("draw from an injected *rand.Rand, so that a run can be repeated from its seed",
		"Int", "IntN", "Int32", "Int32N", "Int64", "Int64N", "N", "Uint32", "Uint32N", "Uint64", "Uint64N", "UintN",
		"Float32", "Float64", "NormFloat64", "ExpFloat64", "Perm", "Shuffle"),
}

func whyAll(why string, names ...string) map[string]string {
	m := make(map[string]string)
	for _, n := range names {
		m[n] = why
	}
	return m
}

func TestImportsRunOneWay(t *testing.T) {
	eachFile(t, "..", func(pkg string, f *ast.File, at func(ast.Node) token.Position) {
		layer, _, _ := strings.Cut(pkg, "/")
		for _, imp := range f.Imports {
			target, ours := strings.CutPrefix(importPath(imp), module)
			if !ours {
				continue
			}
			top, _, _ := strings.Cut(target, "/")
			if !slices.Contains(layers[layer], top) {
				t.Errorf("%s: %s imports %s: imports run cmd -> node -> adapters -> protocols, so that a protocol can be read and tested alone",
					at(imp), layer, target)
			}
		}
	})
}

func TestProtocolsArePure(t *testing.T) {
	eachFile(t, ".", func(pkg string, f *ast.File, at func(ast.Node) token.Position) {
		for _, imp := range f.Imports {
			if why := importFault(pkg, importPath(imp)); why != "" {
				t.Errorf("%s: imports %s: %s", at(imp), importPath(imp), why)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if why := nodeFault(n); why != "" {
				t.Errorf("%s: %s", at(n), why)
			}
			return true
		})
	})
}

func importFault(pkg, imp string) string {
	if why, bad := forbidden[imp]; bad {
		return why
	}
	if strings.HasPrefix(imp, "net/") || strings.HasPrefix(imp, "os/") {
		return forbidden[imp[:strings.Index(imp, "/")]]
	}
	if target, ours := strings.CutPrefix(imp, module+"protocols/"); ours {
		if slices.Contains(shared, target) || strings.HasPrefix(target, pkg+"/") || slices.Contains(composers, pkg) {
			return ""
		}
		return "protocols meet in " + strings.Join(composers, " and ") + " through actions, not by import; shared are only " + strings.Join(shared, ", ")
	}
	if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
		return ""
	}
	for _, ok := range outside {
		if imp == ok || strings.HasPrefix(imp, ok+"/") {
			return ""
		}
	}
	return "protocols import only the standard library and " + strings.Join(outside, ", ")
}

func nodeFault(n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "go statement: a protocol is run by the node's loop; ask for work by an effect"
	case *ast.SelectorExpr:
		if id, ok := n.X.(*ast.Ident); ok && id.Obj == nil {
			return calls[id.Name][n.Sel.Name]
		}
	}
	return ""
}

// The rules themselves must be able to fail.
func TestTheRulesCatchWhatTheyForbid(t *testing.T) {
	for _, imp := range []string{"net", "net/http", "os", "sync", "log/slog", module + "protocols/peerlist", "github.com/libp2p/go-libp2p/core/host"} {
		if importFault("claim", imp) == "" {
			t.Errorf("import of %s is not caught", imp)
		}
	}
	src := `package p; import ("time"; "math/rand/v2"); func f() { go f(); _ = time.Now(); _ = rand.IntN(3) }`
	f, err := parser.ParseFile(token.NewFileSet(), "p.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(f, func(n ast.Node) bool {
		if nodeFault(n) != "" {
			found++
		}
		return true
	})
	if found != 3 {
		t.Errorf("caught %d faults in %q, want 3", found, src)
	}
}

// eachFile parses every Go file below root that is neither a test nor generated;
// the simulator, which owns time and randomness, is exempt too.
func eachFile(t *testing.T, root string, visit func(pkg string, f *ast.File, at func(ast.Node) token.Position)) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{"testdata", "simtest", "node_modules", ".git"}, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, file, nil, parser.ParseComments)
		if err != nil || ast.IsGenerated(f) {
			return err
		}
		files++
		rel, err := filepath.Rel(root, file)
		visit(path.Dir(filepath.ToSlash(rel)), f, func(n ast.Node) token.Position { return set.Position(n.Pos()) })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 3 {
		t.Fatalf("only %d files found below %s: the test looks in the wrong place", files, root)
	}
}

func importPath(imp *ast.ImportSpec) string {
	p, _ := strconv.Unquote(imp.Path.Value)
	return p
}
