package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// mutant is one small change of the source.
type mutant struct {
	id        int
	file, fun string
	line      int
	was, is   string
	nth       int  // of several in the function that read the same: which
	bad       bool // does not compile
}

// form is how a change is switched on.
type form int

const (
	value form = iota // an expression: another is evaluated instead
	guard             // statements: they are passed over
	turns             // the body of a loop: it ends at its first turn
)

// place is a stretch of a file that mutants change.
type place struct {
	form     form
	from, to int // offsets; of turns both are just behind the opening brace
	typ      types.Type
	alts     []alternative // of a guard and of turns the code is ""
}

// alternative is what stands at a place while a mutant is on.
type alternative struct {
	id   int
	code string
}

// finder looks for what can be changed in one file.
type finder struct {
	*pack
	src    *source
	ids    *int
	fun    *ast.FuncDecl
	path   []ast.Node // from the function down to the node that is looked at
	places map[[3]int]*place
	found  []*mutant
}

// find lists the mutants of a file and where they are. ids counts over all files.
func find(p *pack, src *source, ids *int) ([]*mutant, []*place) {
	f := &finder{pack: p, src: src, ids: ids, places: map[[3]int]*place{}}
	for _, d := range src.file.Decls {
		fun, ok := d.(*ast.FuncDecl)
		if !ok || fun.Body == nil {
			continue
		}
		f.fun = fun
		ast.Inspect(fun.Body, f.visit)
	}
	same := map[string]int{}
	for _, m := range f.found {
		key := m.fun + "\x00" + m.was + "\x00" + m.is
		m.nth = same[key]
		same[key]++
	}
	places := make([]*place, 0, len(f.places))
	for _, pl := range f.places {
		places = append(places, pl)
	}
	return f.found, places
}

func (f *finder) visit(n ast.Node) bool {
	if n == nil {
		f.path = f.path[:len(f.path)-1]
		return true
	}
	if f.skipped(n) {
		return false
	}
	f.path = append(f.path, n)
	f.look(n)
	if sel, ok := n.(*ast.SelectorExpr); ok && f.constant(sel) != nil {
		f.path = f.path[:len(f.path)-1]
		return false // its parts are names
	}
	return true
}

// under is the type below the name of an expression's type, nil when it has none.
func (f *finder) under(e ast.Expr) types.Type {
	if t := f.info.TypeOf(e); t != nil {
		return t.Underlying()
	}
	return nil
}

func (f *finder) offset(p token.Pos) int { return f.fset.Position(p).Offset }

func (f *finder) code(n ast.Node) string {
	return string(f.src.text[f.offset(n.Pos()):f.offset(n.End())])
}

func (f *finder) at(form form, from, to int) *place {
	key := [3]int{int(form), from, to}
	if f.places[key] == nil {
		f.places[key] = &place{form: form, from: from, to: to}
	}
	return f.places[key]
}

// add takes down a mutant and gives it its number.
func (f *finder) add(n ast.Node, was, is string, bad bool) *mutant {
	*f.ids++
	m := &mutant{id: *f.ids, file: f.src.path, fun: funcName(f.fun), line: f.fset.Position(n.Pos()).Line, was: flat(was), is: flat(is), bad: bad}
	f.found = append(f.found, m)
	return m
}

// replace makes mutants of an expression, one for each code that may stand there.
func (f *finder) replace(e ast.Expr, codes ...string) {
	if typ := f.info.TypeOf(e); typ != nil {
		f.replaceAs(e, types.Default(typ), codes...)
	}
}

// replaceAs is replace of an expression that is wanted as that type.
func (f *finder) replaceAs(e ast.Expr, typ types.Type, codes ...string) {
	if _, tuple := typ.(*types.Tuple); tuple {
		return
	}
	was := f.code(e)
	from, to := f.offset(e.Pos()), f.offset(e.End())
	cf, ct := f.context(from, to)
	for _, code := range codes {
		if flat(code) == flat(was) {
			continue
		}
		shown := code
		if strings.HasPrefix(code, zeroOf) {
			shown = "(its zero value)"
		}
		m := f.add(e, string(f.src.text[cf:ct]), string(f.src.text[cf:from])+shown+string(f.src.text[to:ct]), !f.compiles(e.Pos(), code, typ))
		if m.bad {
			continue
		}
		pl := f.at(value, from, to)
		pl.typ = typ
		pl.alts = append(pl.alts, alternative{m.id, code})
	}
}

// remove makes a mutant that passes over the statements.
func (f *finder) remove(from, to ast.Node, was, is string, bad bool) {
	m := f.add(from, was, is, bad)
	if !bad {
		pl := f.at(guard, f.offset(from.Pos()), f.offset(to.End()))
		pl.alts = append(pl.alts, alternative{id: m.id})
	}
}

const (
	zeroOf = "*new(" // an alternative that is the zero value begins so; its type is filled in later
	anErr  = "mutantErr"
)

// compiles tells whether an expression of that type could be the code instead.
func (f *finder) compiles(pos token.Pos, code string, typ types.Type) bool {
	if strings.HasPrefix(code, zeroOf) || code == anErr {
		return true
	}
	e, err := parser.ParseExpr(code)
	if err != nil {
		return false
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	if err := types.CheckExpr(f.fset, f.types, pos, e, info); err != nil {
		return false
	}
	got := info.Types[e].Type
	if b, ok := got.(*types.Basic); ok && b.Info()&types.IsUntyped != 0 {
		return b.Kind() == types.UntypedNil || types.ConvertibleTo(types.Default(got), typ)
	}
	return types.AssignableTo(got, typ)
}

// widest is how long the text around a change may be that tells which it is.
const widest = 90

// context is the stretch around a change that a person reads: the largest
// expression or simple statement of one short line that holds it.
func (f *finder) context(from, to int) (cf, ct int) {
	cf, ct = from, to
	for _, n := range slices.Backward(f.path) {
		switch n.(type) {
		case ast.Expr, *ast.AssignStmt, *ast.ReturnStmt, *ast.ExprStmt:
		default:
			return cf, ct
		}
		a, b := f.offset(n.Pos()), f.offset(n.End())
		if b-a > widest || strings.Contains(string(f.src.text[a:b]), "\n") {
			return cf, ct
		}
		cf, ct = a, b
	}
	return cf, ct
}

// longest is how much of a statement tells which it is.
const longest = 160

// flat is code on one line, cut.
func flat(code string) string {
	s := strings.Join(strings.Fields(code), " ")
	if r := []rune(s); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return s
}
