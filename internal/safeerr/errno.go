//go:build !plan9

package safeerr

import (
	"errors"
	"syscall"
)

// isErrno reports whether err is an error number, which has a fixed text.
func isErrno(err error) bool {
	_, ok := err.(syscall.Errno)
	return ok
}

// errnoText is the text of the error number that err wraps.
func errnoText(err error) (text string, ok bool) {
	errno, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return "", false
	}
	return errno.Error(), true
}
