// Package examples has a program in each of its folders. Its tests run the programs
// in the README and in the package documentation.
package examples
