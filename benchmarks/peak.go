package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// peakMemory is the most that this process has had resident, less the pages of
// the program's own file: it holds many clients, and how much of it the system
// keeps at hand is chance. Where the system does not tell, it is what the Go
// runtime has taken, which never shrinks either.
//
// Linux's rusage would not do: there a child begins with its parent's peak.
func peakMemory() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	var peak, file int64
	for line := range strings.Lines(string(status)) {
		_, _ = fmt.Sscanf(line, "VmHWM: %d kB", &peak)
		_, _ = fmt.Sscanf(line, "RssFile: %d kB", &file)
	}
	if peak > 0 && file > 0 {
		return (peak - file) << 10
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
