package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by the linker: -ldflags "-X main.version=1.2.3"; make build takes it
// from git.
var version string

type versionInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

// currentVersion is what this was built as: what the linker was told, or else the commit
// where the toolchain has noted one, or else "dev".
func currentVersion() versionInfo {
	info := versionInfo{Version: version, Go: runtime.Version()}
	build, _ := debug.ReadBuildInfo()
	if build == nil {
		build = &debug.BuildInfo{}
	}
	changed := ""
	for _, s := range build.Settings {
		switch {
		case s.Key == "vcs.revision":
			info.Commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "-dirty"
		}
	}
	if info.Version == "" {
		info.Version = "dev"
		if len(info.Commit) >= 12 {
			info.Version = info.Commit[:12] + changed
		}
	}
	return info
}

var (
	semantic    = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)([-+][0-9A-Za-z.+-]+)?$`)
	notSemantic = regexp.MustCompile(`[^0-9A-Za-z-]+`)
)

// semanticVersion is a version in the form that NATS's micro framework demands: a tag
// without its v, and a bare commit behind 0.0.0-dev. Two builds that differ in one
// differ in the other.
func semanticVersion(version string) string {
	bare := strings.TrimPrefix(version, "v")
	switch {
	case semantic.MatchString(bare):
		return bare
	case version == "dev":
		return "0.0.0-dev"
	}
	return "0.0.0-dev+" + notSemantic.ReplaceAllString(version, "-")
}

func versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := currentVersion()
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(v)
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "admitone", v.Version, v.Commit, v.Go)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
