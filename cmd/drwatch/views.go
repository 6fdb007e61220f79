package main

import (
	"context"
	"io"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/client"
	"github.com/drwatch/drwatch/internal/console"
	"github.com/drwatch/drwatch/internal/replication"
)

// viewCommands are the commands that only look at a running daemon.
func viewCommands(app *kingpin.Application, add func(*kingpin.CmdClause, action)) {
	view := func(name, help string) (*kingpin.CmdClause, *asking) {
		cmd, a := app.Command(name, help), &asking{}
		a.flags(cmd)
		a.outputFlag(cmd)
		return cmd, a
	}
	cmd, a := view("status", "Show what a running drwatch says of itself, its sites and its accounts.")
	add(cmd, show(a, func(ctx context.Context, c *client.Client) (api.Status, error) { return c.Status(ctx) }, console.Status))

	cmd, a = view("groups", "Show the replication groups a running drwatch sees.")
	add(cmd, show(a, func(ctx context.Context, c *client.Client) ([]api.Group, error) { return c.Groups(ctx) }, console.Groups))

	cmd, a = view("rules", "Show the failover rules, their triggers, and what holds them back.")
	add(cmd, show(a, func(ctx context.Context, c *client.Client) ([]api.Rule, error) { return c.Rules(ctx) }, console.Rules))

	incidentsCommand(view, add)
	explainCommand(view, add)
}

func incidentsCommand(view func(string, string) (*kingpin.CmdClause, *asking), add func(*kingpin.CmdClause, action)) {
	cmd, a := view("incidents", "Show the incidents, newest first, or one with its journal.")
	id := cmd.Arg("id", "The incident.").String()
	limit := cmd.Flag("limit", "How many to show at most, newest first.").Default("1000").Int()
	all := show(a, func(ctx context.Context, c *client.Client) ([]replication.Incident, error) {
		return c.Incidents(ctx, *limit)
	},
		func(w io.Writer, is []replication.Incident, _ time.Time) error { return console.Incidents(w, is) })
	one := show(a, func(ctx context.Context, c *client.Client) (api.Incident, error) { return c.Incident(ctx, *id) },
		func(w io.Writer, i api.Incident, _ time.Time) error { return console.Incident(w, i) })
	add(cmd, func(ctx context.Context) error {
		if *id == "" {
			return all(ctx)
		}
		return one(ctx)
	})
}

func explainCommand(view func(string, string) (*kingpin.CmdClause, *asking), add func(*kingpin.CmdClause, action)) {
	cmd, a := view("explain", "Say why a group has or has not been failed over: every rule, condition and vote.")
	group := cmd.Arg("group", "The group's name or provider id.").Required().String()
	account := cmd.Flag("account", "The account, where the name is not unique.").String()
	add(cmd, show(a, func(ctx context.Context, c *client.Client) (api.Explain, error) {
		return c.Explain(ctx, *account, *group)
	}, console.Explain))
}
