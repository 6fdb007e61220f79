// Command drwatch watches the disaster recovery of cloud storage and databases,
// and fails groups over when a site is lost. This package knows flags, signals
// and exit codes only; what the commands do lives in internal/.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // time zones of providers, also where the machine has none

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"

	"github.com/drwatch/drwatch/internal/demo"
	"github.com/drwatch/drwatch/internal/quorum"
)

func main() {
	// With DEBUG set, one of the vendors' SDKs prints signed URLs.
	if err := os.Unsetenv("DEBUG"); err != nil {
		fmt.Fprintf(os.Stderr, "drwatch: %v\n", err)
	}
	// The coordination store's member is this same binary, started by `serve` as
	// a child of its own. It is no command for a person.
	if len(os.Args) > 1 && os.Args[1] == memberCommand {
		os.Exit(quorum.MemberMain(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == demoObserver {
		os.Exit(demo.ObserverMain(os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(run(os.Args[1:]))
}

const memberCommand = "etcd-member"

// action is what a command does.
type action func(ctx context.Context) error

// exit is an error that wants an exit code of its own. Without a message nothing
// is printed: the command has said it all.
type exit struct {
	code int
	msg  string
}

func (e exit) Error() string { return e.msg }

// run parses the command line, runs the command and returns the exit code.
func run(args []string) int {
	app := kingpin.New("drwatch", "Watches cloud disaster recovery and fails over when a site is lost.")
	app.UsageWriter(os.Stdout)
	app.HelpFlag.Short('h')
	app.Version(version.Print("drwatch"))

	actions := map[string]action{}
	add := func(cmd *kingpin.CmdClause, a action) { actions[cmd.FullCommand()] = a }
	serveCommand(app, add)
	demoCommand(app, add)
	checkCommands(app, add)
	testCommands(app, add)
	viewCommands(app, add)
	answerCommands(app, add)
	memberCommands(app, add)
	actionCommands(app, add)
	journalCommands(app, add)
	replayCommand(app, add)
	simCommand(app, add)

	name, err := app.Parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "drwatch: %s%v, try --help\n", flagOf(app, args, err), err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = actions[name](ctx)
	var want exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &want):
		if want.msg != "" {
			fmt.Fprintln(os.Stderr, want.msg)
		}
		return want.code
	}
	fmt.Fprintf(os.Stderr, "drwatch: %v\n", err)
	return codeOf(err)
}

// flagOf names the flag whose value is wrong: kingpin's error tells the value only.
func flagOf(app *kingpin.Application, args []string, err error) string {
	parsed, _ := app.ParseContext(args)
	if parsed == nil {
		return ""
	}
	for _, e := range parsed.Elements {
		flag, ok := e.Clause.(*kingpin.FlagClause)
		if ok && e.Value != nil && *e.Value != "" && strings.Contains(err.Error(), *e.Value) && !strings.Contains(err.Error(), "--"+flag.Model().Name) {
			return "--" + flag.Model().Name + ": "
		}
	}
	return ""
}
