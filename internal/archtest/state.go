package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// noState wants no package-level variable that changes: two of a thing must be able to live in one process. Tables that are written once, where
// they are declared, are fine; so is sync.Pool, in which nobody can see a change.
func noState(p *pkg, report report) {
	for _, file := range p.files {
		if file.test {
			continue
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				p.changes(d, func(name *ast.Ident, how string) {
					report(file.name, p.line(name.Pos()), "%s is a package-level variable and is %s here; make it a field of something", name.Name, how)
				})
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if v, ok := s.(*ast.ValueSpec); ok && d.Tok == token.VAR && p.isMutable(v) {
						report(file.name, p.line(v.Pos()), "%s is a package-level variable that exists to be changed; make it a field of something", v.Names[0].Name)
					}
				}
			}
		}
	}
}

// changes calls f for every place in a function where a package-level variable, or a part of one, is changed.
func (p *pkg) changes(in *ast.FuncDecl, f func(name *ast.Ident, how string)) {
	check := func(e ast.Expr, how string) {
		if name := base(e); name != nil && p.vars[p.uses[name]] {
			f(name, how)
		}
	}
	ast.Inspect(in, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				check(left, "assigned to")
			}
		case *ast.IncDecStmt:
			check(n.X, "counted")
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				check(n.Key, "assigned to")
				check(n.Value, "assigned to")
			}
		case *ast.SendStmt:
			check(n.Chan, "sent to")
		case *ast.CallExpr:
			for _, a := range n.Args {
				if at, ok := a.(*ast.UnaryExpr); ok && at.Op == token.AND {
					check(at.X, "given away")
				}
			}
			if name, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 && slices.Contains([]string{"delete", "clear", "copy", "close"}, name.Name) {
				if _, builtin := p.uses[name].(*types.Builtin); builtin {
					check(n.Args[0], "changed by "+name.Name)
				}
			}
		}
		return true
	})
}

// base is the variable of which an expression is a part.
func base(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// isMutable reports whether a variable is of a type that is of no use unless it changes: a lock, an atomic value, a channel.
func (p *pkg) isMutable(v *ast.ValueSpec) bool {
	kind := v.Type
	if kind == nil && len(v.Values) == 1 {
		switch value := v.Values[0].(type) {
		case *ast.CompositeLit:
			kind = value.Type
		case *ast.CallExpr:
			if name, ok := value.Fun.(*ast.Ident); ok && name.Name == "make" && len(value.Args) > 0 {
				if _, channel := value.Args[0].(*ast.ChanType); channel {
					return true
				}
			}
		}
	}
	if generic, ok := kind.(*ast.IndexExpr); ok {
		kind = generic.X
	}
	switch kind := kind.(type) {
	case *ast.ChanType:
		return true
	case *ast.SelectorExpr:
		return p.isPackage(kind.X, "sync/atomic") || p.isPackage(kind.X, "sync") && kind.Sel.Name != "Pool"
	}
	return false
}

// isPackage reports whether an expression is the name under which a file imports a package.
func (p *pkg) isPackage(e ast.Expr, importPath string) bool {
	name, ok := e.(*ast.Ident)
	if !ok {
		return false
	}
	imported, ok := p.uses[name].(*types.PkgName)
	return ok && imported.Imported().Path() == importPath
}
