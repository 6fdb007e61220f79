package layout_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTheDecisionIsPure looks at the source of all that Decide may reach in this
// module: the import table says what a package may do, and the package of the
// decision holds its execution too.
func TestTheDecisionIsPure(t *testing.T) {
	touchTree(t)
	m := newSources(token.NewFileSet(), func(path string) ([]string, error) {
		files, err := filepath.Glob(filepath.Join(root, strings.TrimPrefix(path, module), "*.go"))
		return slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") }), err
	})
	reached, faults := m.pure(module+core, "Decide")
	report(t, faults)
	if len(reached) < 30 {
		t.Errorf("Decide is seen to reach %d functions: the test does not see them any more: %v", len(reached), reached)
	}
}

func TestWhatIsNotPureIsFound(t *testing.T) {
	for _, tt := range []struct{ name, code, want string }{
		{"clock", `import "time"; func Decide() { _ = time.Now() }`, "time.Now"},
		{"clock, not called", `import "time"; func Decide() { f := time.Since; _ = f }`, "time.Since"},
		{"duration", `import "time"; func Decide() { _ = time.Duration(1).Seconds(); _ = 2 * time.Second }`, ""},
		{"timer", `import "time"; func Decide() { time.AfterFunc(1, nil) }`, "time.AfterFunc"},
		{"chance", `import "math/rand"; func Decide() { rand.Int() }`, "math/rand"},
		{"output", `import "fmt"; func Decide() { fmt.Println() }`, "fmt.Println"},
		{"text", `import "fmt"; func Decide() { _ = fmt.Sprintf("%d", 1) }`, ""},
		{"goroutine", `func Decide() { go func() {}() }`, "goroutine"},
		{"receive", `func Decide() { <-make(chan int) }`, "channel"},
		{"send", `func Decide() { make(chan int) <- 1 }`, "channel"},
		{"select", `func Decide() { select {} }`, "channel"},
		{"lock", `import "sync"; func Decide() { var m sync.Mutex; m.Lock() }`, "sync"},
		{"map", `func Decide() { for range map[string]int{} {} }`, "order of a map"},
		{"map of another's type", `type set map[string]bool; type s struct { m set }; func Decide() { for range (s{}).m {} }`, "order of a map"},
		{"keys of a map", `import "maps"; func Decide() { for range maps.Keys(map[string]int{}) {} }`, "maps.Keys"},
		{"sorted keys of a map", `import ("maps"; "slices"); func Decide() { for range slices.Sorted(maps.Keys(map[string]int{})) {} }`, ""},
		{"slice", `func Decide() { for range []int{} {} }`, ""},
		{"through a function", `import "time"; func Decide() { f() }; func f() { g() }; func g() { time.Now() }`, "time.Now"},
		{"through a method", `import "time"; type t int; func Decide() { t(0).m() }; func (t) m() { time.Now() }`, "time.Now"},
		{"through a value", `import "time"; func Decide() { f := g; f() }; func g() { time.Now() }`, "time.Now"},
		{"through an interface", `type i interface { m() }; func Decide(x i) { x.m() }`, "interface"},
		{"not reached", `import "time"; func Decide() {}; func g() { time.Now() }`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newSources(token.NewFileSet(), nil)
			f, err := parser.ParseFile(m.fset, "x.go", "package x; "+tt.code, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			m.check(module+"x", []*ast.File{f})
			_, faults := m.pure(module+"x", "Decide")
			if tt.want == "" && len(faults) > 0 || tt.want != "" && (len(faults) != 1 || !strings.Contains(faults[0], tt.want)) {
				t.Errorf("found %q, want one that says %q", faults, tt.want)
			}
		})
	}
}

// sources are packages of this module, with what their names mean. What is not of
// this module has names and no types: enough to tell who calls what.
type sources struct {
	fset  *token.FileSet
	files func(path string) ([]string, error)
	info  types.Info
	pkgs  map[string]*types.Package
	decls map[types.Object]*ast.FuncDecl
}

func newSources(fset *token.FileSet, files func(string) ([]string, error)) *sources {
	return &sources{
		fset: fset, files: files, pkgs: map[string]*types.Package{}, decls: map[types.Object]*ast.FuncDecl{},
		info: types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}, Selections: map[*ast.SelectorExpr]*types.Selection{}},
	}
}

// Import reads a package of this module, and makes an empty one of any other.
func (m *sources) Import(path string) (*types.Package, error) {
	if p := m.pkgs[path]; p != nil {
		return p, nil
	}
	if !strings.HasPrefix(path, module) {
		p, err := emptyImporter{}.Import(path)
		m.pkgs[path] = p
		return p, err
	}
	names, err := m.files(path)
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(m.fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return m.check(path, files), nil
}

func (m *sources) check(path string, files []*ast.File) *types.Package {
	conf := types.Config{Importer: m, Error: func(error) {}}
	p, _ := conf.Check(path, m.fset, files, &m.info)
	m.pkgs[path] = p
	for _, f := range files {
		for _, d := range f.Decls {
			if fun, ok := d.(*ast.FuncDecl); ok {
				m.decls[m.info.Defs[fun.Name]] = fun
			}
		}
	}
	return p
}

// pure lists the functions that one may reach, itself among them, and what in them
// is not a function of their arguments alone. Whatever is named counts as called.
func (m *sources) pure(path, name string) (reached, faults []string) {
	p, err := m.Import(path)
	if err != nil {
		return nil, []string{err.Error()}
	}
	todo, seen := []types.Object{p.Scope().Lookup(name)}, map[types.Object]bool{}
	for len(todo) > 0 {
		fun := todo[0]
		todo = todo[1:]
		decl := m.decls[fun]
		if seen[fun] || decl == nil {
			continue
		}
		seen[fun] = true
		reached = append(reached, fun.Name())
		faults = append(faults, m.impure(decl)...)
		ast.Inspect(decl, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				if f, ok := m.info.Uses[id].(*types.Func); ok {
					todo = append(todo, f.Origin())
				}
			}
			return true
		})
	}
	return reached, faults
}

// impure tells what in a function does more than compute.
func (m *sources) impure(decl *ast.FuncDecl) (faults []string) {
	fault := func(n ast.Node, what string) {
		faults = append(faults, fmt.Sprintf("%s: %s: what Decide reaches is a pure function of its snapshot", m.fset.Position(n.Pos()), what))
	}
	sorted := map[ast.Node]bool{} // maps.Keys and such, where they are sorted at once
	ast.Inspect(decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			fault(n, "a goroutine")
		case *ast.SelectStmt, *ast.SendStmt:
			fault(n, "a channel")
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				fault(n, "a channel")
			}
		case *ast.RangeStmt:
			switch m.under(n.X).(type) {
			case *types.Map:
				fault(n, "the order of a map")
			case *types.Chan:
				fault(n, "a channel")
			}
		case *ast.CallExpr:
			if types.ExprString(n.Fun) == "slices.Sorted" && len(n.Args) == 1 {
				if inner, ok := n.Args[0].(*ast.CallExpr); ok {
					sorted[inner.Fun] = true
				}
			}
		case *ast.SelectorExpr:
			if s := m.info.Selections[n]; s != nil && s.Kind() == types.MethodVal && types.IsInterface(s.Recv()) {
				fault(n, "a method of an interface, which may be anything")
			}
			if what := m.foreignName(n); what != "" && !allowed(what) && !sorted[n] {
				fault(n, what)
			}
		}
		return true
	})
	return faults
}

func (m *sources) under(e ast.Expr) types.Type {
	if t := m.info.Types[e].Type; t != nil {
		return t.Underlying()
	}
	return nil
}

// foreignName is "path.Name" of a name of a package that is not of this module.
func (m *sources) foreignName(sel *ast.SelectorExpr) string {
	id, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	p, ok := m.info.Uses[id].(*types.PkgName)
	if !ok || strings.HasPrefix(p.Imported().Path(), module) {
		return ""
	}
	return p.Imported().Path() + "." + sel.Sel.Name
}

// allowed tells whether what is named computes and does nothing else.
func allowed(name string) bool {
	path, _, _ := strings.Cut(name, ".")
	return slices.Contains(coreComputes, path) || slices.Contains(coreComputes, name)
}

// coreComputes are the packages, and the names of others, that the decision may use:
// they have no clock, no chance and no order of a map.
var coreComputes = []string{
	"cmp", "math", "slices", "strconv", "strings", "fmt.Sprint", "fmt.Sprintf",
	"time.Time", "time.Duration", "time.Hour", "time.Minute", "time.Second", "time.Millisecond",
}
