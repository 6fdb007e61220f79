package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
	"golang.org/x/term"

	"github.com/drwatch/drwatch/internal/demo"
)

// demoObserver runs one observer of the demo, a child of `drwatch demo`. It is no
// command for a person.
const demoObserver = "demo-observer"

func demoCommand(cli *kingpin.Application, add func(*kingpin.CmdClause, action)) {
	cmd := cli.Command("demo", "Lose a simulated site and the leader, and watch its groups fail over: three real daemons, simulated clouds.")
	once := cmd.Flag("once", "End by itself; exit 0 only if every promised failover was made exactly once and proven.").Bool()
	speed := cmd.Flag("speed", "How much faster than normal, up to 5.").Default("1").Float64()
	listen := cmd.Flag("web.listen-address", "Address of the witness's page and /metrics.").Default("127.0.0.1:10109").String()
	verbose := cmd.Flag("verbose", "Show the observers' own logs as well.").Bool()
	add(cmd, func(ctx context.Context) error {
		exe, err := os.Executable()
		if err != nil {
			return fmt.Errorf("finding the path of this program, to run the coordination store: %w", err)
		}
		var logs io.Writer
		if *verbose {
			logs = os.Stderr
		}
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // a closed terminal leaves nothing behind either
		defer stop()
		kept, err := demo.Run(ctx, demo.Options{
			Out: os.Stdout, Terminal: term.IsTerminal(int(os.Stdout.Fd())) && !*verbose, Once: *once, Speed: *speed, Listen: *listen,
			Version: version.Version, ObserverCommand: []string{exe, demoObserver}, MemberCommand: []string{exe, memberCommand}, Logs: logs, Now: time.Now,
		})
		if err != nil {
			return err
		}
		if !kept {
			return exit{code: 1}
		}
		return nil
	})
}
