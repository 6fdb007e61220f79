// Package layout_test keeps the house in order: who may import whom, what the
// decision may reach, and what no package may hold. The rules are plain data in
// table_test.go. It knows the source tree and nothing of what the code does.
package layout_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/drwatch/drwatch/"
	root   = "../.."
)

// pkg is one package of ours, as `go list -json` tells it.
type pkg struct {
	Dir          string
	ImportPath   string
	Name         string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
}

// path is the package's path within the module.
func (p pkg) path() string { return strings.TrimPrefix(p.ImportPath, module) }

// goList runs `go list` in the module's root.
func goList(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		t.Fatalf("go list %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// packages lists all packages of the module.
func packages(t *testing.T) []pkg {
	t.Helper()
	touchTree(t)
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(goList(t, "-json", "./..."))); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("reading what go list printed: %v", err)
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < 2 {
		t.Fatalf("go list found %d packages: the test looks at the wrong tree", len(pkgs))
	}
	return pkgs
}

// touchTree reads every folder of ours. Go reuses a test's result while what the
// test process itself has opened is as it was, and does not see what `go list`
// opens: without this a new package would pass on the old result.
func touchTree(t *testing.T) {
	t.Helper()
	for _, top := range []string{"cmd", "internal", "bench", "test", "tools"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if _, err := os.ReadFile(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
}

func report(t *testing.T, faults []string) {
	t.Helper()
	for _, f := range faults {
		t.Error(f)
	}
}

func TestImportsFollowTheArrows(t *testing.T) {
	for _, p := range packages(t) {
		report(t, arrows(p))
		report(t, foreign(p))
	}
}

// arrows tells which imports of our own packages are not in the table.
func arrows(p pkg) []string {
	// A package of tests alone may look at anything; so may programs that
	// compare us with a peer.
	if len(p.GoFiles) == 0 || strings.HasPrefix(p.path(), "bench/") {
		return nil
	}
	allowed, known := mayImport[p.path()]
	if !known {
		return []string{fmt.Sprintf("%s is not in the import table: add one line for it to mayImport in internal/layout/table_test.go "+
			"that says which of our packages it may import, or put its code into a package that is there", p.path())}
	}
	var faults []string
	for _, imported := range p.Imports {
		to, ours := strings.CutPrefix(imported, module)
		if !ours || slices.Contains(allowed, to) || slices.Contains(allowed, everything) {
			continue
		}
		faults = append(faults, fmt.Sprintf("%s imports %s, which the import table does not allow: declare a small interface in %s "+
			"and let internal/app pass the other in, or move what both need to internal/replication", p.path(), to, p.path()))
	}
	return faults
}

// foreign tells which foreign modules the package must leave to others.
func foreign(p pkg) []string {
	var faults []string
	for _, imported := range p.Imports {
		longest := ""
		for prefix := range onlyIn {
			if strings.HasPrefix(imported+"/", prefix) && len(prefix) > len(longest) {
				longest = prefix
			}
		}
		if longest != "" && !slices.Contains(onlyIn[longest], p.path()) {
			faults = append(faults, fmt.Sprintf("%s imports %s, which stays behind %v (onlyIn in internal/layout/table_test.go)",
				p.path(), imported, onlyIn[longest]))
		}
	}
	return faults
}

func TestDecisionReachesNoInputOutput(t *testing.T) {
	for _, p := range packages(t) {
		if p.path() == core {
			report(t, coreFaults(p, strings.Fields(goList(t, "-deps", module+core))))
			return
		}
	}
	t.Fatalf("%s is not there: say in internal/layout/table_test.go where the decision went", core)
}

// coreFaults tells what the decision imports or reaches and must not.
func coreFaults(p pkg, deps []string) []string {
	var faults []string
	for _, imported := range p.Imports {
		if matches(imported, coreNeverDirect) {
			faults = append(faults, fmt.Sprintf("%s imports %s: the decision is a pure function, pass in what it needs", p.path(), imported))
		}
	}
	for _, dep := range deps {
		first, _, _ := strings.Cut(dep, "/")
		isForeign := strings.Contains(first, ".") && !strings.HasPrefix(dep, module)
		if isForeign || matches(dep, coreNever) {
			faults = append(faults, fmt.Sprintf("%s reaches %s through its imports: the decision has no I/O and no foreign module", p.path(), dep))
		}
	}
	return faults
}

func TestNothingHeavyIsLinked(t *testing.T) {
	for dep := range strings.FieldsSeq(goList(t, "-deps", "./...")) {
		if matches(dep, neverLinked) {
			t.Errorf("%s is linked in: find who imports it with `go list -deps -f '{{.ImportPath}}: {{.Imports}}' ./... | grep %s`", dep, dep)
		}
	}
}

// matches tells whether path is one of the list; an entry that ends in a slash
// covers all below it.
func matches(path string, list []string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		return path == entry || strings.HasSuffix(entry, "/") && strings.HasPrefix(path, entry)
	})
}

func TestFilesAreShort(t *testing.T) {
	for _, p := range packages(t) {
		for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(text), "\n"); n > maxLines {
				t.Errorf("%s/%s has %d lines, over %d: split it by what it knows", p.path(), name, n, maxLines)
			}
		}
	}
}
