package layout_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPackagesSayWhatTheyAreAndHoldNoState(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if !ast.IsGenerated(f) {
				files = append(files, f)
			}
		}
		report(t, documented(p, files))
		report(t, stateless(fset, files))
	}
}

func TestTestsDoNotSleep(t *testing.T) {
	for _, p := range packages(t) {
		fset := token.NewFileSet()
		for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			report(t, sleeps(fset, f))
		}
	}
}

// sleeps tells where a function may sleep on the real clock: where nothing in it
// shows that it runs under testing/synctest.
func sleeps(fset *token.FileSet, f *ast.File) []string {
	var faults []string
	for _, decl := range f.Decls {
		virtual := false
		var found []string
		ast.Inspect(decl, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				switch types.ExprString(sel) {
				case "synctest.Test", "synctest.Wait": // Wait panics outside a bubble
					virtual = true
				case "time.Sleep":
					found = append(found, fset.Position(sel.Pos()).String()+
						": time.Sleep on the real clock: wait on a channel or a condition, or put the test under synctest.Test")
				}
			}
			return true
		})
		if !virtual {
			faults = append(faults, found...)
		}
	}
	return faults
}

// documented tells whether the package lacks its comment.
func documented(p pkg, files []*ast.File) []string {
	want := "Package " + p.Name + " "
	if p.Name == "main" {
		want = "Command " + path.Base(p.ImportPath) + " "
	}
	for _, f := range files {
		if strings.HasPrefix(f.Doc.Text(), want) {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s has no package comment: write one that begins %q and says what it knows and what it does not", p.path(), want)}
}

// stateless tells where a package has an init function, or a package-level
// variable that is changed or that could be.
func stateless(fset *token.FileSet, files []*ast.File) []string {
	var faults []string
	fault := func(pos token.Pos, format string, args ...any) {
		faults = append(faults, fset.Position(pos).String()+": "+fmt.Sprintf(format, args...))
	}
	for _, f := range files {
		for _, decl := range f.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.Name == "init" && d.Recv == nil {
					fault(d.Pos(), "init() runs before main knows what is wanted: make it a function that is called")
				}
			case *ast.GenDecl:
				for _, name := range mutable(d) {
					fault(name.Pos(), "%s is package state: pass it down, or make it a const, a table, a regexp or an error", name.Name)
				}
			}
		}
	}
	for _, id := range changed(fset, files) {
		fault(id.Pos(), "%s is a package-level variable and is changed here: pass it down", id.Name)
	}
	return faults
}

// mutable lists the variables of a declaration that are not built once from
// data: anything but composite literals, other packages' errors and immutableCalls.
func mutable(d *ast.GenDecl) []*ast.Ident {
	if d.Tok != token.VAR || embeds(d.Doc) {
		return nil
	}
	var found []*ast.Ident
	for _, spec := range d.Specs {
		s := spec.(*ast.ValueSpec)
		if embeds(s.Doc) {
			continue
		}
		for i, name := range s.Names {
			if name.Name == "_" { // an interface assertion
				continue
			}
			if i >= len(s.Values) || !immutable(s.Values[i]) {
				found = append(found, name)
			}
		}
	}
	return found
}

func embeds(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

func immutable(value ast.Expr) bool {
	switch v := value.(type) {
	case *ast.CompositeLit:
		return true
	case *ast.SelectorExpr: // another package's error under our name
		return strings.HasPrefix(v.Sel.Name, "Err")
	case *ast.CallExpr:
		fun := v.Fun
		if index, ok := fun.(*ast.IndexExpr); ok {
			fun = index.X
		}
		return slices.Contains(immutableCalls, types.ExprString(fun))
	}
	return false
}

// changed lists the places where a package-level variable is assigned to,
// counted up, or has an element set, deleted or cleared.
func changed(fset *token.FileSet, files []*ast.File) []*ast.Ident {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{
		// Only our own names matter: imports stay empty, and what cannot be
		// resolved for it is no fault.
		Importer: emptyImporter{},
		Error:    func(error) {},
	}
	checked, _ := conf.Check("p", fset, files, info)

	var found []*ast.Ident
	look := func(target ast.Expr) {
		if id := rootOf(target); id != nil {
			if v, ok := info.Uses[id].(*types.Var); ok && v.Parent() == checked.Scope() {
				found = append(found, id)
			}
		}
	}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, lhs := range n.Lhs {
					look(lhs)
				}
			case *ast.IncDecStmt:
				look(n.X)
			case *ast.CallExpr:
				if fun, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 && (fun.Name == "delete" || fun.Name == "clear") {
					look(n.Args[0])
				}
			}
			return true
		})
	}
	return found
}

// rootOf is the identifier that an assignable expression starts with, or nil.
func rootOf(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// emptyImporter answers every import with a package that has no names.
type emptyImporter struct{}

func (emptyImporter) Import(importPath string) (*types.Package, error) {
	p := types.NewPackage(importPath, path.Base(importPath))
	p.MarkComplete()
	return p, nil
}
