//go:build !linux

package blackbox

import "syscall"

func withParent() *syscall.SysProcAttr { return nil }
