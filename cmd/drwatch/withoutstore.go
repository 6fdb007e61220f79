package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
	"golang.org/x/term"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/console"
	"github.com/drwatch/drwatch/internal/replication"
)

// withoutStore are the flags of the break-glass.
type withoutStore struct {
	asked      bool
	configFile string
	storage    string
}

func (w *withoutStore) flags(cmd *kingpin.CmdClause) {
	cmd.Flag("without-store", "The break-glass, for when the coordination store has no majority: this command itself reads the provider, asks for the group's name, and calls once.").BoolVar(&w.asked)
	cmd.Flag("config.file", "With --without-store: the configuration file (drwatch.yml).").StringVar(&w.configFile)
	cmd.Flag("storage.path", "With --without-store: the folder of this machine's drwatch, where the local journal is kept (data/).").StringVar(&w.storage)
}

// check refuses flags that do not go together.
func (w *withoutStore) check(a *acting) error {
	switch {
	case !w.asked && (w.configFile != "" || w.storage != ""):
		return errors.New("--config.file and --storage.path are for --without-store: without it the running drwatch is asked")
	case w.asked && a.yes:
		return errors.New("--without-store knows no --yes: the group's name is typed, or comes as a line on the standard input")
	case w.asked && a.output == "json":
		return errors.New("--without-store prints for a person only: leave -o json out")
	}
	return nil
}

func (a *acting) withoutStore(ctx context.Context) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	from := "the command line of this machine"
	if host, err := os.Hostname(); err == nil {
		from = "the command line of " + host
	}
	return app.FailoverWithoutStore(ctx, app.WithoutStore{
		ConfigFile: cmp.Or(a.without.configFile, "drwatch.yml"), StoragePath: cmp.Or(a.without.storage, "data/"), Version: version.Version,
		Freeze: os.Getenv("DRWATCH_FREEZE"), Group: a.group, Account: a.account, DryRun: a.dryRun, Daemon: c, Person: atTerminal{},
		Asked:  replication.Person{Who: who(), From: from, Reason: strings.TrimSpace(a.reason)},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
}

// atTerminal is the person who has typed the command.
type atTerminal struct{}

// Show prints the plan, with every value whole, however narrow the terminal.
func (atTerminal) Show(p api.Plan) error { return console.Plan(os.Stdout, p) }

// Tell prints one line.
func (atTerminal) Tell(line string) { console.Say(os.Stdout, line) }

// Ask wants the name exactly. Where there is no terminal it is the first line of
// the standard input; one that is closed is a no.
func (atTerminal) Ask(ctx context.Context, name string) error {
	if term.IsTerminal(int(os.Stdin.Fd())) {
		fmt.Fprint(os.Stderr, "\nType the group's name to send the call, once: ")
	}
	answer, err := typedLine(ctx, os.Stdin)
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the group's name was not typed: the input ended before a whole line; type the name, or give it as a line on the standard input")
	case err != nil:
		return fmt.Errorf("the group's name was not typed: %w", err)
	case answer != name:
		return fmt.Errorf("%q is not the group's name", answer)
	}
	return nil
}
