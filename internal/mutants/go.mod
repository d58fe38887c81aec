module github.com/ambient-scribe/ambient-go/internal/mutants

go 1.26.0
