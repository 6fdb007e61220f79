package main

import (
	"context"
	"fmt"
	"os"

	"github.com/alecthomas/kingpin/v2"

	"github.com/drwatch/drwatch/internal/app"
)

func testCommands(cli *kingpin.Application, add func(*kingpin.CmdClause, action)) {
	test := cli.Command("test", "Run unit tests.")
	cmd := test.Command("rules", "Run unit tests of failover rules, on a virtual clock and without a cloud.")
	files := cmd.Arg("file", "File with tests of rules.").Required().Strings()
	add(cmd, func(ctx context.Context) error { return testRules(ctx, *files) })
}

// testRules prints what was not as expected, file by file.
func testRules(ctx context.Context, paths []string) error {
	tested, problems, err := app.TestRules(ctx, paths)
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, p)
	}
	if err != nil {
		return err
	}
	failed := problems.HasErrors()
	for _, f := range tested {
		for _, text := range f.Failed {
			fmt.Print(text)
		}
		if len(f.Failed) > 0 {
			failed = true
			fmt.Printf("%s: FAILED\n", f.File)
			continue
		}
		fmt.Printf("%s: ok, %s\n", f.File, tests(f.Tests))
	}
	if failed {
		return exit{code: 1}
	}
	return nil
}

func tests(n int) string {
	if n == 1 {
		return "1 test"
	}
	return fmt.Sprintf("%d tests", n)
}
