package discovery

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/reputation"
)

// Every offence that a protocol can report has a weight that somebody chose.
func TestEveryOffenceIsWeighed(t *testing.T) {
	for _, pkg := range []string{"core", "handshake", "peerlist", "uptime", "infect", "fetch", "catchup", "broadcast", "discovery"} {
		found := offencesOf(t, filepath.Join("..", pkg))
		if len(found) == 0 {
			t.Errorf("no offences are found in %s: the test looks in the wrong place", pkg)
		}
		for _, o := range found {
			if !reputation.Weighed(o) {
				t.Errorf("%s has no weight in reputation: choose one", o)
			}
		}
	}
	if reputation.Weighed("nobody.knows") {
		t.Error("an unknown offence counts as weighed")
	}
}

// offencesOf reads the constants of the type core.Offence in a package.
func offencesOf(t *testing.T, dir string) (all []core.Offence) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, file.Name()), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && isOffence(spec.Type) {
				for _, v := range spec.Values {
					text, err := strconv.Unquote(v.(*ast.BasicLit).Value)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, core.Offence(text))
				}
			}
			return true
		})
	}
	return all
}

func isOffence(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "Offence"
	case *ast.SelectorExpr:
		return e.Sel.Name == "Offence"
	}
	return false
}
