package main

import (
	"go/ast"
	"go/types"
	"strings"
)

// What is not changed, by rule:
//
//   - texts: the arguments of fmt.Sprint, Sprintf, Sprintln and Errorf and of
//     errors.New, and string literals. What a message says is not what is decided;
//     golden files and the tests of each command hold the words.
//   - the log: calls of a Logger, whole.
//   - locks: Lock, Unlock and their like. A test that finds a missing lock is the
//     race detector's, and no single run of it does so surely.
//   - roundings: the argument of Round and Truncate, which is how exactly a person
//     is told a duration.
//   - names: declarations, types, constants where they are declared (they are
//     changed where they are used), and assignments that declare (:=), whose right
//     side is changed within.
//   - what is returned beside an error: nobody may look at it.
//   - what is an element of a map, and a channel's send and receive.
//
// skipped tells that nothing is changed in n and below.
func (f *finder) skipped(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl, *ast.ArrayType, *ast.MapType, *ast.FuncType, *ast.StructType:
		return true
	case *ast.CompositeLit:
		_, ok := f.under(n).(*types.Map)
		return ok
	case *ast.CallExpr:
		return f.text(n) || locks(n) || logs(n)
	}
	if call, ok := f.parent().(*ast.CallExpr); ok && rounds(call) {
		return n == call.Args[0]
	}
	return false
}

// parent is the node above the one that is looked at next.
func (f *finder) parent() ast.Node {
	if len(f.path) == 0 {
		return nil
	}
	return f.path[len(f.path)-1]
}

// text tells that a call only makes words.
func (f *finder) text(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	fun, ok := f.info.Uses[sel.Sel].(*types.Func)
	if !ok || fun.Pkg() == nil {
		return false
	}
	switch fun.Pkg().Path() + "." + fun.Name() {
	case "fmt.Sprint", "fmt.Sprintf", "fmt.Sprintln", "fmt.Errorf", "errors.New":
		return true
	}
	return false
}

func locks(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) > 0 {
		return false
	}
	switch sel.Sel.Name {
	case "Lock", "Unlock", "RLock", "RUnlock":
		return true
	}
	return false
}

func logs(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && strings.HasSuffix(types.ExprString(sel.X), "Logger")
}

// rounds tells that a call says how exactly a duration is told.
func rounds(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && len(call.Args) == 1 && (sel.Sel.Name == "Round" || sel.Sel.Name == "Truncate")
}
