package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/alecthomas/kingpin/v2"

	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

// exitWarnings is the exit code of a check with --strict that found only
// warnings.
const exitWarnings = 3

func checkCommands(cli *kingpin.Application, add func(*kingpin.CmdClause, action)) {
	check := cli.Command("check", "Check files without starting anything.")

	cmd := check.Command("config", "Check configuration files and the rule files they name.")
	files := cmd.Arg("file", "Configuration file.").Required().Strings()
	strict := cmd.Flag("strict", "Exit 3 when there are only warnings.").Bool()
	add(cmd, func(context.Context) error {
		var all strictyaml.Problems
		costs := map[string][]app.Forecast{}
		for _, f := range *files {
			found, cost := app.CheckConfig(f)
			all, costs[f] = append(all, found...), cost
		}
		return verdict(*files, all, *strict, costs)
	})

	cmd = check.Command("rules", "Check rule files.")
	rules := cmd.Arg("file", "Rule file.").Required().Strings()
	config := cmd.Flag("config.file", "Check the rules against the sites and accounts of this configuration.").String()
	strictRules := cmd.Flag("strict", "Exit 3 when there are only warnings.").Bool()
	add(cmd, func(context.Context) error {
		return verdict(*rules, app.CheckRules(*rules, *config), *strictRules, nil)
	})
}

// verdict prints what was found, a line each, and picks the exit code. What the
// accounts of a good file cost is printed below it.
func verdict(files []string, found strictyaml.Problems, strict bool, costs map[string][]app.Forecast) error {
	for _, p := range found {
		fmt.Fprintln(os.Stderr, p)
	}
	switch {
	case found.HasErrors():
		return exit{code: 1}
	case len(found) > 0 && strict:
		return exit{code: exitWarnings}
	}
	for _, f := range files {
		fmt.Printf("%s: ok\n", f)
		if err := forecast(os.Stdout, costs[f]); err != nil {
			return err
		}
	}
	return nil
}

// forecast is a table of the calls that polls make in an hour, and of those for
// what changes slowly.
func forecast(w io.Writer, costs []app.Forecast) error {
	if len(costs) == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "ACCOUNT\tCALLS/HOUR\tAND MORE\tSLOW FACTS")
	for _, c := range costs {
		fmt.Fprintf(tw, "%s\tat least %d\t%s\t%s\n", c.Account, c.Polls.PerHour(c.Polls.Call.Least), more(c.Polls), slow(c.Facts))
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("writing the forecast: %w", err)
	}
	return nil
}

// more is what depends on how much the account holds.
func more(c app.Cost) string {
	if n := c.Call.PerGroup; n > 0 {
		return fmt.Sprintf("up to %d for each group: %d per group and poll", c.PerHour(n), n)
	}
	return fmt.Sprintf("%d for each further page of a list, of %d items", c.PerHour(1), c.Call.Page)
}

// slow is what is asked for besides the polls.
func slow(c app.Cost) string {
	switch {
	case c.Call.Least == 0:
		return "none"
	case c.Call.PerGroup > 0:
		return fmt.Sprintf("at least %d, and %d for each of up to %d groups", c.PerHour(c.Call.Least), c.PerHour(c.Call.PerGroup), c.Call.MostGroups)
	}
	return fmt.Sprintf("at least %d", c.PerHour(c.Call.Least))
}
