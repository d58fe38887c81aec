package harness

import "syscall"

const (
	ErrRefused = syscall.ErrorString("connection refused")
	ErrReset   = syscall.ErrorString("connection reset")
)
