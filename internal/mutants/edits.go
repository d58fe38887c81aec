package main

import (
	"go/ast"
	"go/token"
)

// swapped are the operators that a change puts in place of others.
var swapped = map[token.Token]string{
	token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">",
	token.EQL: "!=", token.NEQ: "==",
	token.ADD: "-", token.SUB: "+", token.MUL: "/", token.QUO: "*", token.REM: "*",
}

// swappedNames are the same for names.
var swappedNames = map[string]string{"true": "false", "false": "true", "min": "max", "max": "min"}

// An editor collects the edits of one function.
type editor struct {
	source []byte
	offset func(token.Pos) int
	edits  []edit
}

func editsOf(f *ast.FuncDecl, source []byte, offset func(token.Pos) int) []edit {
	e := &editor{source: source, offset: offset}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			e.negate(n.Cond)
		case *ast.BinaryExpr:
			e.binary(n)
		case *ast.Ident:
			if other := swappedNames[n.Name]; other != "" {
				e.replace(n, other)
			}
		case *ast.ReturnStmt:
			e.returned(f, n)
		case *ast.CaseClause:
			e.clause(n)
		case *ast.BranchStmt:
			e.branch(n)
		case ast.Stmt:
			e.statement(n)
		}
		return true
	})
	return e.edits
}

func (e *editor) text(n ast.Node) string {
	return string(e.source[e.offset(n.Pos()):e.offset(n.End())])
}

func (e *editor) replace(n ast.Node, text string) {
	e.edits = append(e.edits, edit{e.offset(n.Pos()), e.offset(n.End()), text})
}

// negate leaves a comparison alone that binary turns around.
func (e *editor) negate(cond ast.Expr) {
	if b, ok := cond.(*ast.BinaryExpr); ok && (b.Op == token.EQL || b.Op == token.NEQ) {
		return
	}
	e.replace(cond, "!("+e.text(cond)+")")
}

// binary swaps an operator. Of && and || it leaves one side, since each must matter.
func (e *editor) binary(b *ast.BinaryExpr) {
	if b.Op == token.LAND || b.Op == token.LOR {
		e.replace(b, "("+e.text(b.X)+")")
		e.replace(b, "("+e.text(b.Y)+")")
		return
	}
	if other := swapped[b.Op]; other != "" {
		e.replace(b, e.text(b.X)+" "+other+" "+e.text(b.Y))
	}
}

// returned loses an error, and turns a truth around that binary does not.
func (e *editor) returned(f *ast.FuncDecl, r *ast.ReturnStmt) {
	for _, x := range r.Results {
		if id, ok := x.(*ast.Ident); ok && id.Name == "err" {
			e.replace(x, "nil")
		}
	}
	results := f.Type.Results
	if results == nil || len(results.List) != 1 || len(r.Results) != 1 {
		return
	}
	if id, ok := results.List[0].Type.(*ast.Ident); !ok || id.Name != "bool" {
		return
	}
	switch r.Results[0].(type) {
	case *ast.CallExpr, *ast.UnaryExpr, *ast.SelectorExpr:
		e.replace(r.Results[0], "!("+e.text(r.Results[0])+")")
	}
}

// clause loses one of the values, and then the whole clause.
func (e *editor) clause(c *ast.CaseClause) {
	for i := range c.List {
		if len(c.List) > 1 {
			from, to := c.List[i].Pos(), c.List[i].End()
			if i > 0 {
				from = c.List[i-1].End()
			} else {
				to = c.List[1].Pos()
			}
			e.edits = append(e.edits, edit{e.offset(from), e.offset(to), ""})
		}
	}
	e.edits = append(e.edits, edit{e.offset(c.Pos()), e.offset(c.End()), ""})
}

func (e *editor) branch(b *ast.BranchStmt) {
	switch b.Tok {
	case token.BREAK:
		e.replace(b, "continue")
	case token.CONTINUE:
		e.replace(b, "break")
	}
}

// statement leaves a statement out that something else compiles without.
func (e *editor) statement(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.ExprStmt, *ast.IncDecStmt, *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt:
		e.replace(s, "")
	case *ast.AssignStmt:
		if s.Tok != token.DEFINE {
			e.replace(s, "")
		}
	}
}
