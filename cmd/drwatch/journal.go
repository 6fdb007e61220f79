package main

import (
	"context"
	"os"

	"github.com/alecthomas/kingpin/v2"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/console"
)

// journalCommands check what drwatch has written down. With --storage.path no
// daemon is needed.
func journalCommands(cli *kingpin.Application, add func(*kingpin.CmdClause, action)) {
	journal := cli.Command("journal", "Check the journals of incidents.")
	cmd, a := journal.Command("verify", "Check that every journal is as it was written: a running drwatch's, or with --storage.path the archive in that folder."), &asking{}
	a.flags(cmd)
	a.outputFlag(cmd)
	storage := cmd.Flag("storage.path", "Check the archive in this folder without asking a daemon.").String()
	add(cmd, func(ctx context.Context) error {
		check, err := a.checkJournal(ctx, *storage)
		if err != nil {
			return err
		}
		if a.output == "json" {
			err = console.JSON(os.Stdout, check)
		} else {
			err = console.JournalCheck(os.Stdout, check)
		}
		if err == nil && !check.OK {
			return exit{code: 1}
		}
		return err
	})
}

func (a *asking) checkJournal(ctx context.Context, storage string) (api.JournalCheck, error) {
	if storage != "" {
		return app.CheckJournal(storage)
	}
	c, err := a.client()
	if err != nil {
		return api.JournalCheck{}, err
	}
	return c.CheckJournal(ctx)
}

// replayCommand makes an incident's decisions again.
func replayCommand(cli *kingpin.Application, add func(*kingpin.CmdClause, action)) {
	cmd, a := cli.Command("replay", "Make the decision of an incident again from its journal, and say what differs."), &asking{}
	a.flags(cmd)
	a.outputFlag(cmd)
	id := cmd.Arg("id", "The incident.").Required().String()
	storage := cmd.Flag("storage.path", "Read it from the archive in this folder without asking a daemon.").String()
	add(cmd, func(ctx context.Context) error {
		incident, err := a.incident(ctx, *storage, *id)
		if err != nil {
			return err
		}
		replayed := app.Replay(incident)
		if a.output == "json" {
			err = console.JSON(os.Stdout, replayed)
		} else {
			err = console.Replay(os.Stdout, replayed)
		}
		if err == nil && !replayed.OK {
			return exit{code: 1}
		}
		return err
	})
}

func (a *asking) incident(ctx context.Context, storage, id string) (api.Incident, error) {
	if storage != "" {
		return app.ArchivedIncident(storage, id)
	}
	c, err := a.client()
	if err != nil {
		return api.Incident{}, err
	}
	return c.Incident(ctx, id)
}
