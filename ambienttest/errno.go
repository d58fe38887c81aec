//go:build !plan9

package ambienttest

import "syscall"

// What the system says of a lost connection.
const (
	errRefused = syscall.ECONNREFUSED
	errReset   = syscall.ECONNRESET
)
