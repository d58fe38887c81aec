module github.com/ambient-scribe/ambient-go

go 1.26
