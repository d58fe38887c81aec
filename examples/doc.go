// Package examples has a program in each of its folders. Its tests run the programs
// in the README and in the package documentation. The folders clinic and telemetry are
// modules with their own go.mod, since they need more than this SDK.
package examples
