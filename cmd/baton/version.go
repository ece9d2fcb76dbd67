package main

import (
	"cmp"

	"github.com/prometheus/common/version"
	"github.com/urfave/cli/v2"
)

// build is what is known of this binary.
type build struct {
	Version   string `json:"version"`
	Revision  string `json:"revision"`
	Branch    string `json:"branch"`
	BuildDate string `json:"build_date"`
	Go        string `json:"go"`
	Platform  string `json:"platform"`
}

func versionCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "say which version this is", Description: example("Says which version this binary is; by default in words.", "baton version"),
		Action: t.offline(func(s *session) error {
			b := build{
				Version: programVersion(), Revision: version.GetRevision(), Branch: version.Branch, BuildDate: version.BuildDate,
				Go: version.GoVersion, Platform: version.GoOS + "/" + version.GoArch,
			}
			return s.show(b, func() { s.printf("%s\n", version.Print("baton")) })
		}),
	}
}

// programVersion is the version that was stamped into the binary, or a word for one that was not.
func programVersion() string { return cmp.Or(version.Version, "dev") }
