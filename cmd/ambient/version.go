package main

import (
	"context"
	"crypto/fips140"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	ambient "github.com/ambient-scribe/ambient-go"
)

// versions is what a report of a problem needs to say of the program.
type versions struct {
	Ambient string `json:"ambient"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
	System  string `json:"system"`
	FIPS    bool   `json:"fips140"`
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  exactly(0, "version takes no arguments"),
		RunE: runner(func(context.Context, []string) error {
			return a.print(versionText(), ownVersions())
		}),
	}
}

func ownVersions() versions {
	v := versions{Ambient: ambient.Version, Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, FIPS: fips140.Enabled()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Commit = s.Value
			}
		}
	}
	return v
}

func versionText() string {
	v := ownVersions()
	text := fmt.Sprintf("ambient %s (%s, %s", v.Ambient, v.Go, v.System)
	if v.Commit != "" {
		text += ", commit " + v.Commit[:min(len(v.Commit), 12)]
	}
	if v.FIPS {
		text += ", FIPS 140-3 mode"
	}
	return text + ")"
}
