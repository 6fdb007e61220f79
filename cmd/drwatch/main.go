// Command drwatch watches the disaster recovery of cloud storage and databases,
// and fails groups over when a site is lost. This package knows flags and exit
// codes only; what the commands do lives in internal/app.
package main

import (
	"fmt"
	"os"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run parses the command line and returns the exit code: 0, or 1 for a command
// line that cannot be understood.
func run(args []string) int {
	app := kingpin.New("drwatch", "Watches cloud disaster recovery and fails over when a site is lost.")
	app.UsageWriter(os.Stdout)
	app.HelpFlag.Short('h')
	app.Version(version.Print("drwatch"))

	if _, err := app.Parse(args); err != nil {
		fmt.Fprintf(os.Stderr, "drwatch: %v, try --help\n", err)
		return 1
	}
	return 0
}
