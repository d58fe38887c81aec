//go:build !plan9

package harness

import "syscall"

// What the system says of a lost connection.
const (
	ErrRefused = syscall.ECONNREFUSED
	ErrReset   = syscall.ECONNRESET
)
