package app

import (
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/exporter-toolkit/web"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// Options are what the command line decides. Zero durations take the defaults
// that the protocol states.
type Options struct {
	ConfigFile  string
	StoragePath string
	Mode        replication.Mode // ceiling; "" is auto: the configuration decides
	Observer    string           // overrides observer.name
	Site        string           // overrides observer.site
	Version     string
	// Freeze is what DRWATCH_FREEZE holds: unless it is empty, this observer is
	// frozen for as long as it runs.
	Freeze string
	// MemberCommand is the argv that runs quorum.MemberMain.
	MemberCommand []string
	Web           *web.FlagConfig
	Logger        *slog.Logger
	// Reload asks for a reload each time it receives.
	Reload <-chan struct{}
	// DrainTimeout bounds how long a step in flight may take at the end.
	DrainTimeout time.Duration

	// Told is called after each durable change of an incident; it must not block.
	Told func(failover.Fact)
	// Listening is called once, with the addresses served, when all is started.
	Listening func(addresses []string)
	// At is called at each named step of an execution: tests end the process there.
	At func(step string)

	TrackInterval time.Duration
	SignatureLife time.Duration
	Settle        time.Duration
	Margin        time.Duration
	// MetadataAddress stands in for the clouds' metadata services: scheme and host.
	// "" is their own addresses; tests have no others.
	MetadataAddress string
	// Now is the clock; nil is the machine's.
	Now func() time.Time
}

func (o *Options) check() error {
	var errs []error
	if o.ConfigFile == "" {
		errs = append(errs, errors.New("no configuration file is named: give --config.file"))
	}
	if o.StoragePath == "" {
		errs = append(errs, errors.New("no storage path is named: give --storage.path"))
	}
	if len(o.MemberCommand) == 0 || o.Web == nil || o.Logger == nil {
		errs = append(errs, errors.New("member command, web flags and logger must be given"))
	}
	if o.Mode == "" {
		o.Mode = replication.Auto
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = 20 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Told == nil {
		o.Told = func(failover.Fact) {}
	}
	if o.Listening == nil {
		o.Listening = func([]string) {}
	}
	return errors.Join(errs...)
}
