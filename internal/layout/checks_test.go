package layout_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// The checks themselves: each is shown a fault and must name it.
func TestFaultsAreFound(t *testing.T) {
	files := []string{"x.go"}
	parse := func(text string) (*token.FileSet, *ast.File) {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, "x.go", "package x\n"+text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		return fset, f
	}
	source := func(text string) []string {
		fset, f := parse(text)
		return stateless(fset, []*ast.File{f})
	}
	tests := func(text string) []string {
		_, f := parse(text)
		return leaks(pkg{ImportPath: module + "internal/x"}, []*ast.File{f})
	}
	for _, tt := range []struct {
		name string
		got  []string
		want string // part of the one fault; "" for none
	}{
		{
			"forward",
			arrows(pkg{ImportPath: module + "internal/policy", GoFiles: files, Imports: []string{module + "internal/series", "fmt"}}),
			"",
		},
		{
			"backward",
			arrows(pkg{ImportPath: module + "internal/series", GoFiles: files, Imports: []string{module + "internal/policy"}}),
			"internal/series imports internal/policy",
		},
		{
			"unknown package",
			arrows(pkg{ImportPath: module + "internal/utils", GoFiles: files}),
			"internal/utils is not in the import table",
		},
		{
			"app takes all",
			arrows(pkg{ImportPath: module + "internal/app", GoFiles: files, Imports: []string{module + "internal/policy"}}),
			"",
		},
		{
			"SDK in its place",
			foreign(pkg{ImportPath: module + "internal/provider/ebs", Imports: []string{"github.com/aliyun/alibaba-cloud-sdk-go/sdk"}}),
			"",
		},
		{
			"SDK out of place",
			foreign(pkg{ImportPath: module + "internal/cloudsim", Imports: []string{"github.com/aliyun/alibaba-cloud-sdk-go/sdk"}}),
			"stays behind [internal/provider/ebs]",
		},
		{"pure core", coreFaults(pkg{}, []string{"os", "fmt", module + "internal/replication"}), ""},
		{"core opens files", coreFaults(pkg{Imports: []string{"os"}}, nil), "imports os"},
		{"core reaches the network", coreFaults(pkg{}, []string{"net/http"}), "reaches net/http"},
		{"core reaches a module", coreFaults(pkg{}, []string{"go.etcd.io/etcd/client/v3"}), "reaches go.etcd.io/"},
		{"no package comment", documented(pkg{ImportPath: module + "internal/x", Name: "x"}, nil), `begins "Package x "`},
		{"no command comment", documented(pkg{ImportPath: module + "cmd/drwatch", Name: "main"}, nil), `begins "Command drwatch "`},
		{"init", source("func init() {}"), "init()"},
		{"method named init", source("type t int\nfunc (t) init() {}"), ""},
		{"table", source(`var names = map[string]int{"a": 1}`), ""},
		{"regexp and error", source("import (\"errors\"; \"regexp\")\nvar a, b = regexp.MustCompile(`x`), errors.New(`y`)"), ""},
		{"another's error", source("import \"io/fs\"\nvar ErrNotThere = fs.ErrNotExist"), ""},
		{"assertion", source("type t int\nvar _ any = t(0)"), ""},
		{"embedded", source("//go:embed page.html\nvar page string"), ""},
		{"no value", source("var count int"), "count is package state"},
		{"replaceable function", source("import \"time\"\nvar now = time.Now"), "now is package state"},
		{"pointer", source("type t struct{}\nvar shared = &t{}"), "shared is package state"},
		{"element set", source("var names = map[string]int{}\nfunc f() { names[`a`] = 1 }"), "names is a package-level variable"},
		{"element deleted", source("var names = map[string]int{}\nfunc f() { delete(names, `a`) }"), "names is a package-level variable"},
		{"field counted up", source("var c = struct{ n int }{}\nfunc f() { c.n++ }"), "c is a package-level variable"},
		{"local of the same name", source("var names = []int{}\nfunc f() { names := []int{1}; names[0] = 2; _ = names }"), ""},
		{"no tests", leaks(pkg{}, nil), ""},
		{"leaks unseen", tests("func TestX(t *testing.T) {}"), "do not look for goroutines"},
		{"leaks seen", tests("func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }"), ""},
		{"leaks seen, with more", tests("func TestMain(m *testing.M) { goleak.VerifyTestMain(more{m}, goleak.Cleanup(f)) }"), ""},
		{"members unseen", tests("func TestMain(m *testing.M) { if member() { os.Exit(quorum.MemberMain(nil)) }; goleak.VerifyTestMain(m) }"), "do not look whether they are gone"},
		{"members seen", tests("func TestMain(m *testing.M) { if member() { os.Exit(quorum.MemberMain(nil)) }; goleak.VerifyTestMain(m, goleak.Cleanup(leftover.Exit())) }"), ""},
		{"sleeping test", sleeps(parse("func TestX(t *testing.T) { time.Sleep(1) }")), "x.go:2:28: time.Sleep on the real clock"},
		{"virtual sleep", sleeps(parse("func TestX(t *testing.T) { synctest.Test(t, func(*testing.T) { time.Sleep(1) }) }")), ""},
		{"virtual sleep in a helper", sleeps(parse("func wait() { time.Sleep(1); synctest.Wait() }")), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			switch {
			case tt.want == "" && len(tt.got) != 0:
				t.Errorf("found %q, want nothing", tt.got)
			case tt.want != "" && (len(tt.got) != 1 || !strings.Contains(tt.got[0], tt.want)):
				t.Errorf("found %q, want one that says %q", tt.got, tt.want)
			}
		})
	}
}
