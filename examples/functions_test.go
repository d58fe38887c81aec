package examples

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// spoken are the methods by which fmt, errors, log/slog and encoding/json speak to
// a value: nobody calls them, and an example of them would teach nothing.
var spoken = map[string]bool{
	"Error": true, "Unwrap": true, "Is": true, "Timeout": true, "Temporary": true, "Format": true, "String": true,
	"LogValue": true, "MarshalText": true, "MarshalJSON": true, "UnmarshalJSON": true,
}

// Every exported function and method has an example, and every example's output
// is checked.
func TestEveryFunctionHasAnExample(t *testing.T) {
	for _, dir := range []string{"..", "../ambienttest"} {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range names {
			file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
			require.NoError(t, err)
			files = append(files, file)
		}
		pkg, err := doc.NewFromFiles(fset, files, "github.com/ambient-scribe/ambient-go")
		require.NoError(t, err)

		check := func(name string, examples []*doc.Example) {
			assert.NotEmpty(t, examples, "%s of package %s has no example", name, pkg.Name)
			for _, e := range examples {
				assert.True(t, e.Output != "" || e.EmptyOutput, "the example %s of %s has no output to check", e.Suffix, name)
			}
		}
		check("the package", pkg.Examples)
		for _, f := range pkg.Funcs {
			check(f.Name, f.Examples)
		}
		for _, typ := range pkg.Types {
			for _, f := range typ.Funcs {
				check(f.Name, f.Examples)
			}
			for _, m := range typ.Methods {
				embedded := m.Name == "Body" && ofStatus(typ) // APIError's, for which nil is safe
				if !spoken[m.Name] && !embedded {
					check(typ.Name+"."+m.Name, m.Examples)
				}
			}
		}
	}
}

// ofStatus reports whether a type is that of one status.
func ofStatus(typ *doc.Type) bool {
	for _, spec := range typ.Decl.Specs {
		s, ok := spec.(*ast.TypeSpec).Type.(*ast.StructType)
		if ok && s.Fields.NumFields() > 0 && s.Fields.List[0].Names == nil {
			return true
		}
	}
	return false
}
