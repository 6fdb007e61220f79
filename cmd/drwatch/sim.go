package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

func simCommand(cli *kingpin.Application, add func(*kingpin.CmdClause, action)) {
	cmd := cli.Command("sim", "Serve the simulated clouds alone, for experiments, and write a configuration for them.")
	dir := cmd.Flag("config.dir", "Folder to write drwatch.yml and its credentials to.").Default("sim").String()
	control := cmd.Flag("control.listen-address", "Address of the API that loses sites and makes faults.").Default("127.0.0.1:10119").String()
	seed := cmd.Flag("seed", "Seed of everything that is drawn.").Default("1").Uint64()
	sync := cmd.Flag("sync-every", "How often asynchronous groups synchronise.").Default("5s").Duration()
	add(cmd, func(ctx context.Context) error {
		c, err := cloudsim.New(cloudsim.Options{Now: time.Now, Seed: *seed, ControlAddress: *control})
		if err != nil {
			return err
		}
		if err := cloudsim.DemoFleet(c, cloudsim.FleetOptions{SyncEvery: *sync}); err != nil {
			return err
		}
		if err := c.Start(); err != nil {
			return err
		}
		defer c.Close()
		path, err := c.WriteConfig(*dir, cloudsim.ConfigOptions{
			PollInterval: 5 * time.Second, EvaluationInterval: time.Second, ProbeInterval: time.Second, ProbeTimeout: time.Second,
			Observer: "obs-w", ObserverSite: "witness", AcceptSingleObserver: "simulated clouds",
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, `Simulated clouds run until Ctrl-C.

  drwatch serve --config.file %[1]s --storage.path %[2]s/data
  curl -X POST %[3]s/sim/sites/az-a/lose
  curl -X POST %[3]s/sim/sites/az-a/restore
  curl %[3]s/sim/effects
  curl %[3]s/    # what else it can do, as faults
`, path, *dir, c.ControlURL())
		<-ctx.Done()
		return nil
	})
}
