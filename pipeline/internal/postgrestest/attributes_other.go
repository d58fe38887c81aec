//go:build !linux

package postgrestest

import "syscall"

// attributes are none, since only Linux ends a process with the one that started it.
func attributes(*account) *syscall.SysProcAttr { return nil }
