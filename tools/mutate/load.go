package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// source is one file that is to be changed.
type source struct {
	path string // as it was named, relative to the root
	text []byte
	file *ast.File
}

// pack is a package with the files of it that are to be changed.
type pack struct {
	dir     string // absolute
	name    string
	fset    *token.FileSet
	types   *types.Package
	info    *types.Info
	sources []*source
}

// listed is what `go list` tells of a package.
type listed struct {
	ImportPath, Dir, Export, Name string
	GoFiles                       []string
}

// load reads and type-checks the packages of the named files. Paths are relative to
// root, the directory of the module.
func load(ctx context.Context, root string, files []string) ([]*pack, error) {
	var dirs []string
	for _, f := range files {
		if dir := "./" + filepath.ToSlash(filepath.Dir(f)); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	all, err := list(ctx, root, dirs)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, l := range all {
		exports[l.ImportPath] = l.Export
	}
	lookup := func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("package %s is not compiled", path)
		}
		return os.Open(exports[path])
	}
	var packs []*pack
	for _, dir := range dirs {
		i := slices.IndexFunc(all, func(l listed) bool { return l.Dir == filepath.Join(root, dir) })
		if i < 0 {
			return nil, fmt.Errorf("%s is no package", dir)
		}
		fset := token.NewFileSet()
		p, err := check(fset, root, all[i], files, importer.ForCompiler(fset, "gc", lookup))
		if err != nil {
			return nil, err
		}
		packs = append(packs, p)
	}
	return packs, nil
}

func list(ctx context.Context, root string, dirs []string) ([]listed, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Dir,Export,Name,GoFiles"}, dirs...)...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading what go list printed: %w", err)
		}
		all = append(all, l)
	}
}

func check(fset *token.FileSet, root string, l listed, wanted []string, imp types.Importer) (*pack, error) {
	p := &pack{dir: l.Dir, name: l.Name, fset: fset, info: &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{},
	}}
	var files []*ast.File
	for _, name := range l.GoFiles {
		full := filepath.Join(l.Dir, name)
		text, err := os.ReadFile(full)
		if err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(root, full)
		if err != nil {
			return nil, err
		}
		rel = filepath.ToSlash(rel)
		f, err := parser.ParseFile(fset, rel, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		if slices.ContainsFunc(wanted, func(w string) bool { return filepath.ToSlash(filepath.Clean(w)) == rel }) {
			p.sources = append(p.sources, &source{path: rel, text: text, file: f})
		}
	}
	var err error
	p.types, err = (&types.Config{Importer: imp}).Check(l.ImportPath, fset, files, p.info)
	if err != nil {
		return nil, fmt.Errorf("type-checking: %w", err)
	}
	return p, nil
}

// funcName is a function's name as a person writes it.
func funcName(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return d.Name.Name
	}
	return strings.TrimLeft(types.ExprString(d.Recv.List[0].Type), "*") + "." + d.Name.Name
}
