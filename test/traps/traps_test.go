// Package traps_test keeps the list of what the four providers' APIs and SDKs do
// to those who rely on them, what drwatch does about each, and which tests go
// red without it. The list is data; the tests here see to it that it does not
// rot, that docs/providers.md tells the same, and that our code does nothing of
// what a trap needs to snap shut. It knows names and source text, and nothing of
// how the countermeasures work.
package traps_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

var update = flag.Bool("update", false, "write the list in docs/providers.md anew")

// proven lists the tests of a package: "internal/provider/ebs TestA TestB".
type proven []string

// tests are the packages and functions that it names.
func (p proven) tests() map[string][]string {
	out := map[string][]string{}
	for _, line := range p {
		words := strings.Fields(line)
		out[words[0]] = append(out[words[0]], words[1:]...)
	}
	return out
}

// functions are the test functions of a package, by name.
func functions(t *testing.T, folder string) map[string]bool {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s has no tests (%v)", folder, err)
	}
	found := map[string]bool{}
	for _, path := range paths {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
				found[fn.Name.Name] = true
			}
		}
	}
	return found
}

func TestEveryTrapHasTestsThatExist(t *testing.T) {
	known := map[string]map[string]bool{}
	for i, trap := range traps() {
		if trap.number != i+1 || trap.does == "" || trap.guard == "" {
			t.Errorf("row %d has number %d, or lacks words", i+1, trap.number)
		}
		if len(trap.proof.tests()) == 0 {
			t.Errorf("trap %d has no test", trap.number)
		}
		for folder, names := range trap.proof.tests() {
			if known[folder] == nil {
				known[folder] = functions(t, folder)
			}
			for _, name := range names {
				if !known[folder][name] || !strings.HasPrefix(name, "Test") {
					t.Errorf("trap %d: %s has no test %s", trap.number, folder, name)
				}
			}
		}
	}
}

// The page tells the same list, between two marks.
func TestThePageTellsTheList(t *testing.T) {
	const page, begin, end = "docs/providers.md", "<!-- the list: begin -->\n", "<!-- the list: end -->\n"
	raw, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(raw), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s lacks the marks %q and %q", page, begin, end)
	}
	want := before + begin + table() + end + after
	if *update {
		if err := os.WriteFile(filepath.Join(root, page), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(raw) != want {
		t.Errorf("%s tells another list: go test ./test/traps -update", page)
	}
}

// table is the list in Markdown.
func table() string {
	var b strings.Builder
	b.WriteString("| | whose | what it does | what drwatch does | tests |\n| --- | --- | --- | --- | --- |\n")
	for _, trap := range traps() {
		var tests []string
		for _, line := range trap.proof {
			words := strings.Fields(line)
			tests = append(tests, fmt.Sprintf("%s: `%s`", strings.TrimPrefix(words[0], "internal/"), strings.Join(words[1:], "` `")))
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s |\n", trap.number, trap.whose, trap.does, trap.guard, strings.Join(tests, "<br>"))
	}
	return b.String()
}
