package main

import (
	"context"
	"fmt"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/client"
)

// answerCommands are a person's answers to a running daemon. Each wants a
// reason: it goes into the journal.
func answerCommands(app *kingpin.Application, add func(*kingpin.CmdClause, action)) {
	for _, answer := range []struct{ verb, help string }{
		{"approve", "Approve an incident that waits for a person."},
		{"abort", "Abort an incident that has sent nothing yet, or end the wait for a proof that does not come."},
		{"ack", "Acknowledge an ended incident, or a group that was latched without one: release it, and let its rule act on it again."},
	} {
		verb, help := answer.verb, answer.help
		cmd, a := app.Command(verb, help), &asking{}
		a.flags(cmd)
		id := cmd.Arg("id", "The incident (ack also takes the name of a group).").Required().String()
		reason := cmd.Flag("reason", "Why; written into the journal.").Required().String()
		add(cmd, a.send(verb+" "+"%s: done\n", id, func(ctx context.Context, c *client.Client) error {
			return c.Answer(ctx, verb, *id, api.Reason{Who: who(), Reason: *reason})
		}))
	}
	freezeCommands(app, add)
}

func freezeCommands(app *kingpin.Application, add func(*kingpin.CmdClause, action)) {
	cmd, freeze := app.Command("freeze", "Stop everything that sends, on every observer, until unfreeze: what rules do and what persons ask for."), &asking{}
	freeze.flags(cmd)
	reason := cmd.Flag("reason", "Why; shown to everybody while it lasts.").Required().String()
	add(cmd, func(ctx context.Context) error {
		c, err := freeze.client()
		if err != nil {
			return err
		}
		frozen, err := c.Freeze(ctx, api.Reason{Who: who(), Reason: *reason})
		if err != nil {
			return err
		}
		if f := frozen.Already; f != nil {
			fmt.Printf("frozen already, by %s at %s: %s\nThat freeze stays with its reason; nothing was changed.\n", f.Who, f.At.UTC().Format(time.RFC3339), f.Reason)
			return nil
		}
		fmt.Println("frozen: nothing is sent, for no rule and no person, until `drwatch unfreeze`")
		return nil
	})
	cmd, unfreeze := app.Command("unfreeze", "Let drwatch act again."), &asking{}
	unfreeze.flags(cmd)
	why := cmd.Flag("reason", "Why; written into the log.").Default("unfreeze").String()
	reset := cmd.Flag("store-was-reset", "The coordination store was lost or restored, and is right as it is now.").Bool()
	add(cmd, func(ctx context.Context) error {
		c, err := unfreeze.client()
		if err != nil {
			return err
		}
		done, err := c.Unfreeze(ctx, api.Reason{Who: who(), Reason: *why, StoreWasReset: *reset})
		if err != nil {
			return err
		}
		if *reset {
			fmt.Println("the coordination store is taken as it is now")
		}
		if f := done.Lifted; f != nil {
			fmt.Printf("not frozen any more; it was frozen by %s: %s\n", f.Who, f.Reason)
		} else {
			fmt.Println("nobody had frozen it")
		}
		if s, err := c.Status(ctx); err == nil && s.LocalFreeze != nil {
			fmt.Printf("%s is still frozen by itself, by %s: %s; take that away where it stands\n", s.Observer, s.LocalFreeze.Who, s.LocalFreeze.Reason)
		}
		return nil
	})
}

// send makes one mutating call and says that it was done.
func (a *asking) send(done string, arg *string, call func(context.Context, *client.Client) error) action {
	return func(ctx context.Context) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		if err := call(ctx, c); err != nil {
			return err
		}
		fmt.Printf(done, *arg)
		return nil
	}
}
