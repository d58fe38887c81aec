package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// peakMemory is the most that this process has had resident. Where the system
// does not tell, it is what the Go runtime has taken from it, which never
// shrinks either.
//
// Linux's rusage would not do: there a child begins with its parent's peak.
func peakMemory() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
