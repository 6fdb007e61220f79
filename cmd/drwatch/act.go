package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/alecthomas/kingpin/v2"
	"golang.org/x/term"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/client"
	"github.com/drwatch/drwatch/internal/console"
	"github.com/drwatch/drwatch/internal/replication"
)

// acting is one action that a person asks for.
type acting struct {
	asking
	action  replication.Action
	account string
	group   string
	reason  string
	drill   string
	yes     bool
	dryRun  bool
	without withoutStore
}

// actionCommands are a person's actions on a group: each shows its plan, asks,
// and follows what it started to the end.
func actionCommands(app *kingpin.Application, add func(*kingpin.CmdClause, action)) {
	command := func(cmd *kingpin.CmdClause, does replication.Action) *acting {
		a := &acting{action: does}
		a.flags(cmd)
		add(cmd, a.run)
		return a
	}
	failing := app.Command("failover", "Fail a group over by hand: what was not replicated yet is lost.")
	command(failing, replication.Failover).without.flags(failing)
	command(app.Command("switchover", "Move production of a group to its other site as planned, without loss."), replication.Switchover)
	command(app.Command("reprotect", "Replicate again after a failover, over the data at the site that was left."), replication.Reprotect)

	protection := app.Command("protection", "Start or stop the replication of a group.")
	command(protection.Command("start", "Start replication, or let it go on."), replication.Start)
	command(protection.Command("stop", "Stop replication: until it is started again, a lost site loses what was written since."), replication.Stop)

	drill := app.Command("drill", "Rehearse on copies at the recovery site.")
	command(drill.Command("start", "Make copies at the recovery site; they are billed until the drill is cleared."), replication.StartDrill)
	clearing := drill.Command("clear", "Remove the copies of a drill.")
	a := command(clearing, replication.ClearDrill)
	clearing.Flag("drill", "The id of the drill, where there are several.").StringVar(&a.drill)
}

func (a *acting) flags(cmd *kingpin.CmdClause) {
	a.asking.flags(cmd)
	a.outputFlag(cmd)
	cmd.Arg("group", "The group's name or provider id.").Required().StringVar(&a.group)
	cmd.Flag("account", "The account, where the name is not unique.").StringVar(&a.account)
	cmd.Flag("reason", "Why; written into the journal. Required unless --dry-run.").StringVar(&a.reason)
	cmd.Flag("yes", "Do not ask before it is done.").BoolVar(&a.yes)
	cmd.Flag("dry-run", "Only show the plan and what blocks it.").BoolVar(&a.dryRun)
}

// run shows the plan, asks, starts, and follows to the end.
func (a *acting) run(ctx context.Context) error {
	if !a.dryRun && strings.TrimSpace(a.reason) == "" {
		return errors.New("--reason is required: it goes into the journal (or --dry-run, which only shows the plan)")
	}
	if err := a.without.check(a); err != nil {
		return err
	}
	if a.without.asked {
		return a.withoutStore(ctx)
	}
	if a.output == "json" && !a.dryRun && !a.yes {
		return errors.New("-o json asks no questions: give --yes, or --dry-run to see the plan")
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	asked, err := c.Act(ctx, api.Ask{Account: a.account, Group: a.group, Action: a.action, Reason: a.reason, Who: who(), DryRun: true, Drill: a.drill})
	if err != nil {
		return errors.Join(a.show(asked.Plan, true), err)
	}
	if err := a.show(asked.Plan, a.dryRun || !asked.Plan.OK); err != nil {
		return err
	}
	switch {
	case !asked.Plan.OK:
		return blocked(asked.Plan)
	case a.dryRun:
		return nil
	case !a.yes:
		if err := a.question(ctx, asked.Plan); err != nil {
			return err
		}
	}
	return a.start(ctx, c, asked.Plan)
}

// show prints a plan; as JSON only when it is the last that is printed, so that
// there is one document.
func (a *acting) show(p api.Plan, last bool) error {
	switch {
	case p.Group == "": // a refusal that came without one
		return nil
	case a.output == "table":
		return console.Plan(screen(), p)
	case last:
		return console.JSON(os.Stdout, p)
	}
	return nil
}

func blocked(p api.Plan) error {
	why := console.Blocking(p)
	if len(why) == 0 {
		why = []string{"the plan says so without a reason"}
	}
	return exit{code: 1, msg: "drwatch: not possible now, nothing was done:\n  " + strings.Join(why, "\n  ")}
}

// errNothingDone ends a command whose question was not answered with a yes.
var errNothingDone = errors.New("nothing was done")

// question asks the person at the terminal. What moves production, or overwrites
// one side's data, wants the group's name: a name is not typed by habit.
func (a *acting) question(ctx context.Context, p api.Plan) error {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return fmt.Errorf("%w: there is no terminal to ask at; give --yes to go on without a question", errNothingDone)
	}
	byName := p.Action.Moves() || p.Action == replication.Reprotect
	if byName {
		fmt.Fprint(os.Stderr, "\nType the group's name to go on: ")
	} else {
		fmt.Fprint(os.Stderr, "\nGo on? [y/N] ")
	}
	answer, err := typedLine(ctx, os.Stdin)
	if errors.Is(err, io.EOF) {
		err = errors.New("the input ended without an answer")
	}
	answer = strings.TrimSpace(answer)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr)
		return fmt.Errorf("%w: %w", errNothingDone, err)
	case byName && answer != cmp.Or(p.Name, p.Group):
		return fmt.Errorf("%w: %q is not the group's name", errNothingDone, answer)
	case !byName && !strings.EqualFold(answer, "y") && !strings.EqualFold(answer, "yes"):
		return errNothingDone
	}
	return nil
}

// typedLine is one line as it was typed, without its end; io.EOF when the input ends
// before. It ends with ctx: a terminal's read cannot be cancelled, so it is left
// behind with the process.
func typedLine(ctx context.Context, r io.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		line, err := bufio.NewReader(r).ReadString('\n')
		read <- result{strings.TrimRight(line, "\r\n"), err}
	}()
	select {
	case <-ctx.Done():
		return "", errors.New("interrupted")
	case got := <-read:
		return got.line, got.err
	}
}

// start asks for the very thing that the plan was about: that group by its id,
// with production where the plan saw it.
func (a *acting) start(ctx context.Context, c *client.Client, p api.Plan) error {
	asked, err := c.Act(ctx, api.Ask{Account: p.Account, Group: p.Group, Action: a.action, Reason: a.reason, Who: who(), Active: p.Active, Drill: p.Drill})
	var op *net.OpError
	switch {
	case errors.Is(err, client.ErrUnreachable) && (!errors.As(err, &op) || op.Op != "dial"):
		return fmt.Errorf("%w\nit is not known whether it was started: look at `drwatch incidents%s`", err, a.at())
	case err != nil:
		return errors.Join(a.show(asked.Plan, true), err)
	case asked.Incident == nil:
		return errors.New("drwatch answered without an incident: look at `drwatch incidents" + a.at() + "`")
	}
	return a.follow(ctx, c, asked.Incident.ID)
}

// at are the flags that lead another command to the same daemon.
func (a *acting) at() string {
	var flags string
	if a.url != defaultURL {
		flags += " --url " + a.url
	}
	if a.httpConfig != "" {
		flags += " --http.config.file " + a.httpConfig
	}
	return flags
}
