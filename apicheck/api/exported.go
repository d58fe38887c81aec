package main

import (
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// exported lists what the package exports, one line each, in the order of the alphabet.
func exported(dir, path string) ([]string, error) {
	files, err := exportData(dir, path)
	if err != nil {
		return nil, err
	}
	open := func(path string) (io.ReadCloser, error) { return os.Open(files[path]) }
	pkg, err := importer.ForCompiler(token.NewFileSet(), "gc", open).Import(path)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, name := range pkg.Scope().Names() {
		if object := pkg.Scope().Lookup(name); object.Exported() {
			lines = append(lines, describe(object)...)
		}
	}
	slices.Sort(lines)
	return lines, nil
}

// exportData returns the file of each package that path needs, as the compiler wrote it.
func exportData(dir, path string) (map[string]string, error) {
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", path)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		files[path] = file
	}
	return files, nil
}

// describe returns the lines of one declaration. The value of a constant may change.
func describe(object types.Object) []string {
	switch o := object.(type) {
	case *types.Const:
		return []string{"const " + o.Name() + " " + typeText(o.Type())}
	case *types.Var:
		return []string{"var " + o.Name() + " " + typeText(o.Type())}
	case *types.Func:
		return []string{"func " + o.Name() + signatureText(o)}
	case *types.TypeName:
		return describeType(o)
	}
	return nil
}

func describeType(o *types.TypeName) []string {
	head := "type " + o.Name()
	if o.IsAlias() {
		return []string{head + " = " + typeText(types.Unalias(o.Type()))}
	}
	if i, ok := o.Type().Underlying().(*types.Interface); ok && sealed(i) {
		return append([]string{head + " interface that this module alone implements"}, methods(o)...)
	}
	s, ok := o.Type().Underlying().(*types.Struct)
	if !ok {
		return append([]string{head + " " + typeText(o.Type().Underlying())}, methods(o)...)
	}
	lines := []string{head + " struct"}
	for field := range s.Fields() {
		if field.Exported() {
			lines = append(lines, head+" struct, "+field.Name()+" "+typeText(field.Type()))
		}
	}
	return append(lines, methods(o)...)
}

// sealed reports whether no other module can implement i, which then may get methods.
func sealed(i *types.Interface) bool {
	for method := range i.Methods() {
		if !method.Exported() {
			return true
		}
	}
	return false
}

// methods lists the methods of a type, those of embedded fields included.
func methods(o *types.TypeName) []string {
	if i, ok := o.Type().Underlying().(*types.Interface); ok && !sealed(i) {
		return nil // its line has them
	}
	var lines []string
	value := types.NewMethodSet(o.Type())
	for selection := range types.NewMethodSet(types.NewPointer(o.Type())).Methods() {
		method := selection.Obj().(*types.Func)
		if !method.Exported() {
			continue
		}
		receiver := "*" + o.Name()
		if value.Lookup(method.Pkg(), method.Name()) != nil {
			receiver = o.Name()
		}
		lines = append(lines, "method ("+receiver+") "+method.Name()+signatureText(method))
	}
	return lines
}

func signatureText(f *types.Func) string {
	return strings.TrimPrefix(typeText(f.Type()), "func")
}

func typeText(t types.Type) string {
	return types.TypeString(withoutNames(t), (*types.Package).Name)
}

// withoutNames drops the names of parameters, which callers do not use.
func withoutNames(t types.Type) types.Type {
	s, ok := t.(*types.Signature)
	if !ok {
		return t
	}
	return types.NewSignatureType(nil, nil, nil, unnamed(s.Params()), unnamed(s.Results()), s.Variadic())
}

func unnamed(t *types.Tuple) *types.Tuple {
	var vars []*types.Var
	for v := range t.Variables() {
		vars = append(vars, types.NewParam(token.NoPos, nil, "", withoutNames(v.Type())))
	}
	return types.NewTuple(vars...)
}
