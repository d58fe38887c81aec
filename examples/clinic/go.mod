module github.com/ambient-scribe/ambient-go/examples/clinic

go 1.26.0

replace github.com/ambient-scribe/ambient-go => ../..

require github.com/stretchr/testify v1.12.1

require go.yaml.in/yaml/v3 v3.0.5 // indirect
