package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/client"
	"github.com/drwatch/drwatch/internal/console"
	"github.com/drwatch/drwatch/internal/replication"
)

// An incident is looked at every lookAgain. A daemon may restart meanwhile, and
// another observer go on: only when nobody has answered for lostAfter is the
// following given up.
const (
	lookAgain = time.Second
	lostAfter = time.Minute
	sayAgain  = 15 * time.Second // how often it is said that nobody answers
)

// follow prints what happens to an incident until it ends. Ending the command
// ends the following alone.
func (a *acting) follow(ctx context.Context, c *client.Client, id string) error {
	if a.output == "table" {
		fmt.Printf("\nincident %s\n", id)
	}
	every := time.NewTicker(lookAgain)
	defer every.Stop()
	var last api.Incident
	heard, said, seen := time.Now(), time.Time{}, 0
	for {
		i, err := c.Incident(ctx, id)
		switch {
		case ctx.Err() != nil:
			return a.leave(last, id)
		case err == nil:
			last, heard, said = i, time.Now(), time.Time{}
			if seen = a.news(i, seen); i.Phase.Ended() {
				return a.ended(ctx, c, i)
			}
		case time.Since(heard) > lostAfter:
			return fmt.Errorf("%w\nwhat was started does not need this command: look at `drwatch incidents %s%s`", err, id, a.at())
		case time.Since(said) > sayAgain:
			said = time.Now()
			left := (lostAfter - time.Since(heard)).Round(time.Second)
			fmt.Fprintf(os.Stderr, "drwatch: %v; still trying, for %s more; what was started does not need this command\n", err, left)
		}
		select {
		case <-ctx.Done():
			return a.leave(last, id)
		case <-every.C:
		}
	}
}

// news prints the lines of the journal after seq and returns the last one's.
func (a *acting) news(i api.Incident, seq int) int {
	for _, e := range i.Journal {
		if e.Seq > seq {
			seq = e.Seq
			if a.output == "table" {
				console.Entry(os.Stdout, e)
			}
		}
	}
	return seq
}

// leave ends the following of what goes on.
func (a *acting) leave(last api.Incident, id string) error {
	if a.output == "json" && last.ID != "" {
		if err := console.JSON(os.Stdout, last); err != nil {
			return err
		}
	}
	return exit{code: 1, msg: fmt.Sprintf("\ndrwatch goes on with it; only the following has ended. How far it is, and how to end it before its next call:\n"+
		"  drwatch incidents %[1]s%[2]s\n  drwatch abort %[1]s --reason …%[2]s", id, a.at())}
}

// ended prints how it went, and picks the exit code.
func (a *acting) ended(ctx context.Context, c *client.Client, i api.Incident) error {
	now := after(ctx, c, i)
	if a.output == "json" {
		doc := struct {
			api.Incident
			Drill *api.Drill `json:"drill,omitempty"` // the one that was started
		}{i, console.Started(i.Incident, now)}
		if err := console.JSON(os.Stdout, doc); err != nil {
			return err
		}
	}
	ending := console.Ending(i.Incident, now)
	if i.Phase != replication.Succeeded {
		return exit{code: 1, msg: "drwatch: " + ending}
	}
	if a.output == "table" {
		fmt.Println(ending)
	}
	return nil
}

// after is a plan that is never carried out, for what it tells of the group and
// its drills now that an action has succeeded. nil when there is nothing to tell:
// the action has succeeded all the same.
func after(ctx context.Context, c *client.Client, i api.Incident) *api.Plan {
	look := i.Action
	switch i.Action {
	case replication.Switchover, replication.Reprotect, replication.Start:
	case replication.StartDrill:
		look = replication.ClearDrill
	default:
		return nil
	}
	if i.Phase != replication.Succeeded {
		return nil
	}
	asked, err := c.Act(ctx, api.Ask{Account: i.Account, Group: i.Group, Action: look, Who: who(), DryRun: true})
	if err != nil || asked.Plan.Group != i.Group {
		return nil
	}
	return &asked.Plan
}
