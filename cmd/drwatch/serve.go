package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/promslog"
	promslogflag "github.com/prometheus/common/promslog/flag"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"

	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/replication"
)

func serveCommand(cli *kingpin.Application, add func(*kingpin.CmdClause, action)) {
	cmd := cli.Command("serve", "Run the daemon: watch, export metrics, and fail over as the rules say.")
	file := cmd.Flag("config.file", "Configuration file.").Default("drwatch.yml").String()
	storage := cmd.Flag("storage.path", "Folder for what must outlive a restart.").Default("data/").String()
	mode := cmd.Flag("mode", "Ceiling for every rule; the configuration may set a lower one.").Default(string(replication.Auto)).
		Enum(string(replication.DryRun), string(replication.Approve), string(replication.Auto))
	name := cmd.Flag("observer.name", "Name of this observer; overrides the configuration.").String()
	site := cmd.Flag("observer.site", "Site this observer stands in; overrides the configuration.").String()
	drain := cmd.Flag("shutdown.timeout", "How long a failover step in flight may take to end at SIGTERM.").Default("20s").Duration()
	web := kingpinflag.AddFlags(cmd, ":10109")
	logs := logFlags(cmd)

	add(cmd, func(ctx context.Context) error {
		exe, err := os.Executable()
		if err != nil {
			return fmt.Errorf("finding the path of this program, to run the coordination store: %w", err)
		}
		hup := make(chan os.Signal, 1)
		signal.Notify(hup, syscall.SIGHUP)
		defer signal.Stop(hup)
		reload := make(chan struct{}, 1)
		go coalesce(ctx, hup, reload)
		collectEarly()
		return app.Run(ctx, app.Options{
			ConfigFile: *file, StoragePath: *storage, Mode: replication.Mode(*mode), Observer: *name, Site: *site, Freeze: os.Getenv("DRWATCH_FREEZE"),
			Version: version.Version, MemberCommand: []string{exe, memberCommand}, Web: web,
			Logger: promslog.New(logs), Reload: reload, DrainTimeout: *drain,
		})
	})
}

// collectEarly lets the heap grow by a seventh, and not to the double, before
// garbage is collected: with many groups most of the heap stays, and memory is
// dearer than the CPU time. GOGC in the environment has the last word.
func collectEarly() {
	const percent = 15
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// coalesce turns any number of signals that come together into one reload.
func coalesce(ctx context.Context, from <-chan os.Signal, to chan<- struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-from:
			select {
			case to <- struct{}{}:
			default:
			}
		}
	}
}

// logFlags are promslog's, on a command instead of the whole application.
func logFlags(cmd *kingpin.CmdClause) *promslog.Config {
	c := &promslog.Config{Level: promslog.NewLevel(), Format: promslog.NewFormat()}
	cmd.Flag(promslogflag.LevelFlagName, promslogflag.LevelFlagHelp).Default("info").HintOptions(promslog.LevelFlagOptions...).SetValue(c.Level)
	cmd.Flag(promslogflag.FormatFlagName, promslogflag.FormatFlagHelp).Default("logfmt").HintOptions(promslog.FormatFlagOptions...).SetValue(c.Format)
	return c
}
