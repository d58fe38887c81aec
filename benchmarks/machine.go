package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
)

const oursModule = "github.com/ambient-scribe/ambient-go"

// machine names the processor, its cores, the system and Go.
func machine() string {
	model := "unknown processor"
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("%s, %d cores, %s/%s, %s", model, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// commit is that of the SDK in this checkout, and whether it was changed since.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// versionOf is the version of a module in this program.
func versionOf(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, dep := range info.Deps {
		if dep.Path == module {
			return dep.Version
		}
	}
	return "unknown"
}

// rivalModules are the modules that are measured beside this SDK.
var rivalModules = []string{
	"github.com/hashicorp/go-retryablehttp",
	"github.com/google/go-github/v93",
	"github.com/stripe/stripe-go/v85",
	"github.com/openai/openai-go/v3",
	"github.com/hetznercloud/hcloud-go/v2",
	"github.com/AssemblyAI/assemblyai-go-sdk",
	"github.com/failsafe-go/failsafe-go",
	"github.com/go-resty/resty/v2",
	"resty.dev/v3",
	"github.com/aws/aws-sdk-go-v2",
	"github.com/Azure/azure-sdk-for-go/sdk/azcore",
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",
}
