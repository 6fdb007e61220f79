package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/exporter-toolkit/web"

	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/failover"
)

// order is what an observer's process is to run: the first thing on its standard
// input.
type order struct {
	Name    string
	Config  string
	Storage string
	Listen  string
	Version string
	Member  []string
	Verbose bool

	TrackInterval, SignatureLife, Settle, Margin time.Duration
}

// message is what an observer's process tells on its standard output.
type message struct {
	Listening []string       `json:",omitempty"`
	Fact      *failover.Fact `json:",omitempty"`
	Error     string         `json:",omitempty"`
}

// ObserverMain is the process of one observer: the real daemon, which runs until
// its standard input ends and tells each durable change on its output. It returns
// the exit code.
func ObserverMain(in io.Reader, out, logs io.Writer) int {
	dec := json.NewDecoder(in)
	var o order
	if err := dec.Decode(&o); err != nil {
		fmt.Fprintln(logs, "this is a part of `drwatch demo`, no command of its own:", err)
		return 1
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { // whoever started it closes the pipe, or is dead
		_, _ = io.Copy(io.Discard, in)
		stop()
	}()
	messages, written := make(chan message, 10_000), make(chan struct{})
	go func() {
		defer close(written)
		enc := json.NewEncoder(out)
		for m := range messages {
			_ = enc.Encode(m) // whoever does not listen any more has gone
		}
	}()
	code := 0
	if err := o.run(ctx, messages, logs); err != nil {
		messages <- message{Error: err.Error()}
		code = 1
	}
	close(messages)
	<-written
	return code
}

func (o order) run(ctx context.Context, tell chan<- message, logs io.Writer) error {
	log, none, systemd := slog.New(slog.DiscardHandler), "", false
	if o.Verbose {
		log = slog.New(slog.NewTextHandler(logs, nil)).With("observer", o.Name)
	}
	return app.Run(ctx, app.Options{
		ConfigFile: o.Config, StoragePath: o.Storage, Version: o.Version, MemberCommand: o.Member, Logger: log,
		Web:           &web.FlagConfig{WebListenAddresses: &[]string{o.Listen}, WebConfigFile: &none, WebSystemdSocket: &systemd},
		TrackInterval: o.TrackInterval, SignatureLife: o.SignatureLife, Settle: o.Settle, Margin: o.Margin,
		Told:      func(f failover.Fact) { tell <- message{Fact: &f} },
		Listening: func(a []string) { tell <- message{Listening: a} },
	})
}
