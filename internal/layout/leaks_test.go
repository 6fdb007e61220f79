package layout_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"testing"
)

// TestEveryPackageLooksForLeaks holds each package with tests to ending them with
// goleak, and those whose tests are also other programs to leaving no process.
func TestEveryPackageLooksForLeaks(t *testing.T) {
	for _, p := range packages(t) {
		var files []*ast.File
		for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		report(t, leaks(p, files))
	}
}

// leaks tells what the package's tests may leave behind without being seen.
func leaks(p pkg, tests []*ast.File) []string {
	const line = "func TestMain(m *testing.M) { goleak.VerifyTestMain(m%s) }"
	verifies := used(tests, "goleak.VerifyTestMain")
	switch {
	case len(tests) == 0:
		return nil
	case !verifies:
		return []string{fmt.Sprintf("the tests of %s do not look for goroutines that they leave: add main_test.go with "+line, p.path(), "")}
	case used(tests, "quorum.MemberMain") && !used(tests, "leftover.Exit"):
		return []string{fmt.Sprintf("the tests of %s start processes and do not look whether they are gone: make its TestMain "+line,
			p.path(), ", goleak.Cleanup(leftover.Exit())")}
	}
	return nil
}

// used tells whether a name of another package is used in the files.
func used(files []*ast.File, name string) bool {
	found := false
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			found = found || ok && types.ExprString(sel) == name
			return !found
		})
	}
	return found
}
