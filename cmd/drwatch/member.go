package main

import (
	"context"
	"io"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/client"
	"github.com/drwatch/drwatch/internal/console"
)

// memberCommands are about who makes up the coordination store.
func memberCommands(app *kingpin.Application, add func(*kingpin.CmdClause, action)) {
	member := app.Command("member", "See and change the members of the coordination store, one for each observer.")

	cmd, a := member.Command("list", "Show the members."), &asking{}
	a.flags(cmd)
	a.outputFlag(cmd)
	add(cmd, show(a, func(ctx context.Context, c *client.Client) (api.Members, error) { return c.Members(ctx) },
		func(w io.Writer, m api.Members, _ time.Time) error { return console.Members(w, m) }))

	for _, change := range []struct{ verb, help, done string }{
		{"replace", "Let an observer that has lost its data begin anew, or add one that initial_cluster names. Ask a healthy observer.", "%s joins as soon as it runs with an empty directory\n"},
		{"remove", "Take the member of an observer out that will not come back. Ask a healthy observer.", "%s is no member any more\n"},
	} {
		verb := change.verb
		cmd, a := member.Command(verb, change.help), &asking{}
		a.flags(cmd)
		name := cmd.Arg("name", "The observer.").Required().String()
		reason := cmd.Flag("reason", "Why; written into the journal.").Required().String()
		add(cmd, a.send(change.done, name, func(ctx context.Context, c *client.Client) error {
			return c.ChangeMember(ctx, verb, *name, api.Reason{Who: who(), Reason: *reason})
		}))
	}
}
