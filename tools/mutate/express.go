package main

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// expression makes the mutants of one expression.
func (f *finder) expression(e ast.Expr) {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		f.binary(e)
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			f.replace(e, f.code(e.X))
		}
	case *ast.BasicLit:
		f.number(e)
	case *ast.Ident, *ast.SelectorExpr:
		f.named(e)
	case *ast.CallExpr:
		f.call(e)
	case *ast.CompositeLit:
		f.composite(e)
	}
}

// neighbours are what a comparison may be mistaken for.
func neighbours(op token.Token) []string {
	switch op {
	case token.LSS:
		return []string{"<=", ">="}
	case token.LEQ:
		return []string{"<", ">"}
	case token.GTR:
		return []string{">=", "<="}
	case token.GEQ:
		return []string{">", "<"}
	case token.EQL:
		return []string{"!="}
	case token.NEQ:
		return []string{"=="}
	case token.ADD:
		return []string{"-"}
	case token.SUB:
		return []string{"+"}
	case token.MUL:
		return []string{"/"}
	case token.QUO:
		return []string{"*"}
	case token.SHL:
		return []string{">>"}
	case token.SHR:
		return []string{"<<"}
	case token.LAND:
		return []string{"||"}
	case token.LOR:
		return []string{"&&"}
	default:
		return nil
	}
}

// binary has another operator. Of two conditions each is also left out, and each
// that is no comparison is also turned round.
func (f *finder) binary(e *ast.BinaryExpr) {
	if isString(f.info.TypeOf(e)) {
		return // words that are put together
	}
	if f.info.Types[e].Value != nil && !f.rescales(e) {
		return
	}
	x, y := f.code(e.X), f.code(e.Y)
	logical := e.Op == token.LAND || e.Op == token.LOR
	var codes []string
	for _, op := range neighbours(e.Op) {
		if code := x + " " + op + " " + y; !logical {
			codes = append(codes, code)
		} else if e.Op == token.LOR && op == "&&" && (isLogical(e.X) || isLogical(e.Y)) {
			codes = append(codes, "("+x+") && ("+y+")")
		} else {
			codes = append(codes, code)
		}
	}
	if logical {
		codes = append(codes, x, y)
	}
	f.replace(e, codes...)
	if logical {
		for _, part := range []ast.Expr{e.X, e.Y} {
			if f.leaf(part) {
				f.replace(part, "!"+f.code(part))
			}
		}
	}
}

// rescales tells that a constant expression is a duration that is counted in a
// unit, as 2*time.Minute is: it may be another.
func (f *finder) rescales(e *ast.BinaryExpr) bool {
	return e.Op == token.MUL || e.Op == token.ADD || e.Op == token.SUB
}

func isLogical(e ast.Expr) bool {
	b, ok := e.(*ast.BinaryExpr)
	return ok && (b.Op == token.LAND || b.Op == token.LOR)
}

func isBool(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsBoolean != 0
}

func isString(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsString != 0
}

// number: none is one, one is none, and each is one more.
func (f *finder) number(e *ast.BasicLit) {
	if e.Kind != token.INT && e.Kind != token.FLOAT {
		return
	}
	switch e.Value {
	case "0":
		f.replace(e, "1")
	case "1":
		f.replace(e, "0", "2")
	default:
		f.replace(e, e.Value+" + 1")
	}
}

// constant is the constant that a name stands for, nil when it is no name of one.
func (f *finder) constant(e ast.Expr) *types.Const {
	switch e := e.(type) {
	case *ast.Ident:
		c, _ := f.info.Uses[e].(*types.Const)
		return c
	case *ast.SelectorExpr:
		c, _ := f.info.Uses[e.Sel].(*types.Const)
		return c
	}
	return nil
}

// named is another of the same kind where it names one of several constants, and
// more where it names a number.
func (f *finder) named(e ast.Expr) {
	c := f.constant(e)
	if c == nil {
		return
	}
	name := f.code(e)
	switch c.Name() {
	case "true":
		f.replace(e, "false")
		return
	case "false":
		f.replace(e, "true")
		return
	}
	if c.Pkg() == nil {
		return
	}
	if next := nextOf(c, f.types); next != "" {
		if sel, ok := e.(*ast.SelectorExpr); ok {
			next = f.code(sel.X) + "." + next
		}
		f.replace(e, next)
		return
	}
	switch c.Val().Kind() {
	case constant.Int:
		if t, ok := f.info.TypeOf(e).(*types.Named); ok && t.Obj().Name() == "Duration" {
			f.replace(e, "2*"+name)
		} else {
			f.replace(e, name+" + 1")
		}
	case constant.Float:
		f.replace(e, name+" / 2")
	default: // words
	}
}

// nextOf is the constant declared after c among those of its type, "" when c is not
// one of several of a type that is not Go's own or time's.
func nextOf(c *types.Const, here *types.Package) string {
	t, ok := c.Type().(*types.Named)
	if !ok || t.Obj().Pkg() == nil || t.Obj().Pkg() != c.Pkg() || c.Pkg().Path() == "time" {
		return ""
	}
	var all []*types.Const
	for _, name := range c.Pkg().Scope().Names() {
		if o, ok := c.Pkg().Scope().Lookup(name).(*types.Const); ok && types.Identical(o.Type(), t) && (o.Exported() || o.Pkg() == here) {
			all = append(all, o)
		}
	}
	slices.SortStableFunc(all, func(x, y *types.Const) int { return int(x.Pos() - y.Pos()) })
	i := slices.Index(all, c)
	if i < 0 || len(all) < 2 {
		return ""
	}
	return all[(i+1)%len(all)].Name()
}

// call: of max and min either side, of append what is added, of time.Time.Add the
// time itself.
func (f *finder) call(e *ast.CallExpr) {
	if id, ok := e.Fun.(*ast.Ident); ok {
		if _, builtin := f.info.Uses[id].(*types.Builtin); builtin {
			switch {
			case (id.Name == "max" || id.Name == "min") && len(e.Args) == 2:
				f.replace(e, f.code(e.Args[0]), f.code(e.Args[1]))
			case id.Name == "append" && (len(e.Args) > 2 || !f.addsToItself(e)):
				f.replace(e, f.without(f.code(e.Fun)+"(", e.Args, 1, ")", e.Ellipsis.IsValid())...)
			}
		}
		return
	}
	sel, ok := e.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "Add" || len(e.Args) != 1 {
		return
	}
	if types.TypeString(f.info.TypeOf(sel.X), nil) == "time.Time" {
		f.replace(e, f.code(sel.X))
	}
}

// addsToItself tells of x = append(x, y), whose removal is the same.
func (f *finder) addsToItself(e *ast.CallExpr) bool {
	if len(f.path) < 2 {
		return false
	}
	a, ok := f.path[len(f.path)-2].(*ast.AssignStmt)
	return ok && a.Tok == token.ASSIGN && len(a.Lhs) == 1 && f.code(a.Lhs[0]) == f.code(e.Args[0])
}

// without is a list in code once without each of its parts from the first that may
// go.
func (f *finder) without(open string, list []ast.Expr, first int, end string, spread bool) []string {
	var codes []string
	for i := first; i < len(list); i++ {
		var parts []string
		for j, e := range list {
			if j != i {
				parts = append(parts, f.code(e))
			}
		}
		tail := end
		if spread && i < len(list)-1 {
			tail = "..." + end
		}
		codes = append(codes, open+strings.Join(parts, ", ")+tail)
	}
	return codes
}

// composite: a list without each of its elements, a record without each of its
// fields.
func (f *finder) composite(e *ast.CompositeLit) {
	switch f.under(e).(type) {
	case *types.Slice:
		if e.Type != nil {
			f.elements(e)
		}
	case *types.Struct:
		for _, elt := range e.Elts {
			kv, ok := elt.(*ast.KeyValueExpr)
			if !ok {
				continue
			}
			f.field(kv.Value)
		}
	}
}

// elements takes each element out of a list. The change is told by the element
// alone: the list may be long.
func (f *finder) elements(e *ast.CompositeLit) {
	typ := f.info.TypeOf(e)
	for i, code := range f.without(f.code(e.Type)+"{", e.Elts, 0, "}", false) {
		m := f.add(e.Elts[i], f.code(e.Elts[i]), "(not in the list)", !f.compiles(e.Pos(), code, typ))
		if m.bad {
			continue
		}
		pl := f.at(value, f.offset(e.Pos()), f.offset(e.End()))
		pl.typ = typ
		pl.alts = append(pl.alts, alternative{m.id, code})
	}
}

func (f *finder) field(v ast.Expr) {
	tv := f.info.Types[v]
	_, lit := ast.Unparen(v).(*ast.FuncLit)
	switch {
	case lit || tv.IsNil() || tv.Type == nil:
	case tv.Value != nil && (tv.Value.Kind() == constant.Bool || tv.Value.Kind() == constant.String || constant.Compare(tv.Value, token.EQL, constant.MakeInt64(0))):
		// a bool is turned round by itself, and words are not changed
	default:
		f.replace(v, zeroOf)
	}
}
