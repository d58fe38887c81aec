package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// peakMemory is the largest resident size that this process has had, less the pages of
// the program file. The program contains many clients, and the system keeps a varying
// part of it in memory. On other systems it is the memory that the Go runtime has
// taken, which never shrinks either.
//
// Linux's rusage is no help, since a child begins with the peak of its parent.
func peakMemory() int64 {
	if peak := peakMemoryOf("self"); peak > 0 {
		return peak
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}

// peakMemoryOf is the peak of a process by its id, or 0 where the system has no /proc.
func peakMemoryOf(pid string) int64 {
	status, _ := os.ReadFile("/proc/" + pid + "/status")
	var peak, file int64
	for line := range strings.Lines(string(status)) {
		_, _ = fmt.Sscanf(line, "VmHWM: %d kB", &peak)
		_, _ = fmt.Sscanf(line, "RssFile: %d kB", &file)
	}
	return max(peak-file, 0) << 10
}
