package main

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// look makes the mutants of one node.
func (f *finder) look(n ast.Node) {
	switch n := n.(type) {
	case *ast.BlockStmt:
		f.statements(n.List)
	case *ast.CaseClause:
		f.statements(n.Body)
	case *ast.CommClause:
		f.statements(n.Body)
	case *ast.IfStmt:
		f.replace(n.Cond, "true", "false")
	case *ast.ForStmt:
		if n.Cond != nil {
			f.replace(n.Cond, "false")
		}
	case *ast.RangeStmt:
		m := f.add(n, "for … range "+f.code(n.X), "(no turn)", false)
		pl := f.at(turns, f.offset(n.Body.Lbrace)+1, f.offset(n.Body.Lbrace)+1)
		pl.alts = append(pl.alts, alternative{id: m.id})
	case *ast.SwitchStmt:
		f.cases(n, n.Tag != nil, n.Body.List)
	case *ast.TypeSwitchStmt:
		f.cases(n, true, n.Body.List)
	case *ast.ReturnStmt:
		fails := f.fails(n)
		for i, e := range n.Results {
			if i == len(n.Results)-1 || !fails {
				f.result(e, i)
			}
		}
	case ast.Expr:
		f.expression(n)
	}
}

// statements are passed over one by one: calls, assignments to what exists,
// counting, and the leaving of loops.
func (f *finder) statements(list []ast.Stmt) {
	for _, s := range list {
		if f.removable(s) {
			f.remove(s, s, f.code(s), "(nothing)", false)
		}
	}
}

func (f *finder) removable(s ast.Stmt) bool {
	switch s := s.(type) {
	case *ast.ExprStmt:
		call, ok := s.X.(*ast.CallExpr)
		return ok && !f.skipped(call)
	case *ast.DeferStmt:
		return !f.skipped(s.Call)
	case *ast.AssignStmt:
		return s.Tok != token.DEFINE && !(len(s.Lhs) == 1 && f.code(s.Lhs[0]) == "_")
	case *ast.BranchStmt:
		return s.Tok == token.BREAK || s.Tok == token.CONTINUE
	case *ast.IncDecStmt, *ast.GoStmt:
		return true
	}
	return false
}

// cases are made never and always where they are conditions. Of those that list
// values each value is taken out, and the body of each is passed over.
func (f *finder) cases(sw ast.Stmt, tagged bool, list []ast.Stmt) {
	for _, s := range list {
		c, ok := s.(*ast.CaseClause)
		if !ok {
			continue
		}
		for i, e := range c.List {
			switch _, types := sw.(*ast.TypeSwitchStmt); {
			case !tagged:
				f.replace(e, "true", "false")
			case len(c.List) > 1 && !types:
				f.replace(e, f.code(c.List[(i+1)%len(c.List)]))
			}
		}
		if len(c.Body) == 0 || !tagged && c.List != nil || len(c.Body) == 1 && f.removable(c.Body[0]) || fallsThrough(c.Body) {
			continue
		}
		head := "default:"
		if c.List != nil {
			head = string(f.src.text[f.offset(c.Case) : f.offset(c.Colon)+1])
		}
		f.remove(c.Body[0], c.Body[len(c.Body)-1], head+" …", head+" (nothing)", f.last(sw))
	}
}

func fallsThrough(body []ast.Stmt) bool {
	b, ok := body[len(body)-1].(*ast.BranchStmt)
	return ok && b.Tok == token.FALLTHROUGH
}

// last tells that nothing stands behind a statement in a function that returns
// something: were a part of it passed over, the function would lack a return.
func (f *finder) last(s ast.Stmt) bool {
	var inner ast.Node
	for _, n := range slices.Backward(f.path) {
		if n == ast.Node(s) {
			inner = n
			continue
		}
		switch n := n.(type) {
		case *ast.BlockStmt:
			if n.List[len(n.List)-1] != inner {
				return false
			}
		case *ast.CaseClause:
			if n.Body[len(n.Body)-1] != inner {
				return false
			}
		case *ast.FuncLit:
			return n.Type.Results != nil
		case *ast.ForStmt, *ast.RangeStmt:
			return false
		}
		inner = n
	}
	return f.fun.Type.Results != nil
}

// fails tells that a return surely returns an error: it makes one, or stands where
// one was found. Nobody may look at what else it returns.
func (f *finder) fails(n *ast.ReturnStmt) bool {
	results := f.signature().Results()
	if results.Len() < 2 || len(n.Results) != results.Len() || !types.Identical(results.At(results.Len()-1).Type(), types.Universe.Lookup("error").Type()) {
		return false
	}
	switch e := n.Results[len(n.Results)-1].(type) {
	case *ast.CallExpr:
		return f.text(e)
	case *ast.UnaryExpr:
		return e.Op == token.AND
	case *ast.Ident:
		for _, above := range slices.Backward(f.path) {
			if in, ok := above.(*ast.IfStmt); ok {
				return f.code(in.Cond) == e.Name+" != nil"
			}
		}
	}
	return false
}

// result is one value of a return: an error is none and none is one, what is true
// is not, and anything else is nothing.
func (f *finder) result(e ast.Expr, i int) {
	tv := f.info.Types[e]
	if _, tuple := tv.Type.(*types.Tuple); tuple {
		return // all that a call returns
	}
	_, lit := ast.Unparen(e).(*ast.FuncLit)
	want := f.signature().Results().At(i).Type()
	isErr := types.Identical(want, types.Universe.Lookup("error").Type())
	switch {
	case isErr && tv.IsNil():
		f.replaceAs(e, want, anErr)
	case isErr:
		f.replaceAs(e, want, "nil")
	case tv.Value != nil || tv.IsNil() || lit: // a constant is changed by itself
	case isBool(tv.Type):
		if f.leaf(e) {
			f.replace(e, "!"+f.code(e))
		}
	default:
		if c, ok := e.(*ast.CompositeLit); ok && len(c.Elts) == 0 {
			return
		}
		f.replace(e, zeroOf)
	}
}

// signature is that of the function, with a name or without, that is looked at.
func (f *finder) signature() *types.Signature {
	var t types.Type
	for _, n := range slices.Backward(f.path) {
		if lit, ok := n.(*ast.FuncLit); ok {
			t = f.info.TypeOf(lit)
			break
		}
	}
	if t == nil {
		t = f.info.Defs[f.fun.Name].Type()
	}
	sig, _ := t.Underlying().(*types.Signature)
	return sig
}

// leaf tells that a condition is no comparison and no composition of others.
func (f *finder) leaf(e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident, *ast.SelectorExpr, *ast.CallExpr, *ast.IndexExpr, *ast.StarExpr:
		return f.info.Types[e].Value == nil
	}
	return false
}
