package main

import (
	"context"
	"fmt"
	"os"

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
		for _, f := range *files {
			all = append(all, app.CheckConfig(f)...)
		}
		return verdict(*files, all, *strict)
	})

	cmd = check.Command("rules", "Check rule files.")
	rules := cmd.Arg("file", "Rule file.").Required().Strings()
	config := cmd.Flag("config.file", "Check the rules against the sites and accounts of this configuration.").String()
	strictRules := cmd.Flag("strict", "Exit 3 when there are only warnings.").Bool()
	add(cmd, func(context.Context) error {
		return verdict(*rules, app.CheckRules(*rules, *config), *strictRules)
	})
}

// verdict prints what was found, a line each, and picks the exit code.
func verdict(files []string, found strictyaml.Problems, strict bool) error {
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
	}
	return nil
}
