package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weftnet/weft/node"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  takes(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			platform := runtime.GOOS + "/" + runtime.GOARCH
			if a.json() {
				return a.printJSON(map[string]string{"version": strings.TrimPrefix(node.UserAgent(), "weft/"), "agent": node.UserAgent(), "go": runtime.Version(), "platform": platform})
			}
			return a.print(fmt.Sprintf("%s %s %s", node.UserAgent(), runtime.Version(), platform))
		},
	}
}
