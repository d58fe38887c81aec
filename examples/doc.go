// Package examples has a program in each of its folders, and the test that runs
// the README's.
package examples
