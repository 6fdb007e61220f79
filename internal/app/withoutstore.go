package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/archive"
	"github.com/drwatch/drwatch/internal/breakglass"
	"github.com/drwatch/drwatch/internal/client"
	"github.com/drwatch/drwatch/internal/config"
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// WithoutStore is what a person asks for at the command line when the store has
// no majority. Zero durations take the defaults that the protocol states.
type WithoutStore struct {
	ConfigFile  string
	StoragePath string
	Version     string
	Freeze      string // what DRWATCH_FREEZE holds
	Group       string // its name or id
	Account     string // "": any
	Asked       replication.Person
	DryRun      bool
	Daemon      *client.Client // that of this machine
	Person      breakglass.Person
	Logger      *slog.Logger

	At            func(step string) // called at each named step: tests end the process there
	TrackInterval time.Duration
	SignatureLife time.Duration
	Settle        time.Duration
	Now           func() time.Time
}

// withoutStoreFolder is where the journal of this command stands under the
// storage path.
func withoutStoreFolder(storage string) string {
	return filepath.Join(storage, "journal-without-store")
}

// addWithoutStore adds a check of that journal, and tells whether there is one.
func addWithoutStore(c *api.JournalCheck, storage string) (there bool, err error) {
	dir := withoutStoreFolder(storage)
	r, err := archive.Verify(dir)
	switch {
	case errors.Is(err, fs.ErrPermission): // root ran it where the daemon is another user
		c.Notes = append(c.Notes, dir+" is not checked: "+err.Error())
		return true, nil
	case err != nil:
		return false, fmt.Errorf("checking %s: %w", dir, err)
	}
	if r.Records > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("%s: %d entries of what persons did without the store", filepath.Base(dir), r.Entries))
	}
	for _, p := range r.Problems {
		c.Problems = append(c.Problems, filepath.Base(dir)+"/"+p)
	}
	c.OK = len(c.Problems) == 0
	return r.Files > 0, nil
}

// askDaemon bounds each question to the daemon.
const askDaemon = 5 * time.Second

// archivedHere is how many of the archived incidents are looked at.
const archivedHere = 10_000

// FailoverWithoutStore fails one group over without a claim. It needs no daemon;
// one that runs is asked whether the store answers.
func FailoverWithoutStore(ctx context.Context, w WithoutStore) (err error) {
	w.defaults()
	c, err := config.Load(w.ConfigFile)
	if err != nil {
		return err
	}
	o := &Options{StoragePath: w.StoragePath, Freeze: w.Freeze, Version: w.Version, Logger: w.Logger, Now: w.Now}
	local, err := newLocalFreeze(o)
	if err != nil {
		return fmt.Errorf("%w: it must be the folder of this machine's drwatch, or another one that exists", err)
	}
	stop := stops{local: local, daemon: w.Daemon, now: w.Now}
	said, says, err := stop.ask(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", breakglass.ErrRefused, err)
	}
	if said == nil && folderInUse(w.StoragePath) {
		return fmt.Errorf("%w: a drwatch runs on --storage.path %s and does not answer where it was asked: name its address with --url, because its store may well answer; if it hangs, end it first", breakglass.ErrRefused, w.StoragePath)
	}
	journal, err := w.journal(c)
	if err != nil {
		return fmt.Errorf("%w: %w", breakglass.ErrRefused, err)
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	all, err := newClouds(c, o, func(string) provider.Meter { return provider.NopMeter{} }, nil)
	if err != nil {
		return err
	}
	group, notes, err := all.find(ctx, w.Account, w.Group)
	if err != nil {
		return fmt.Errorf("%w: %w", breakglass.ErrRefused, err)
	}
	known := w.knows(ctx, said, replication.GroupKey{Provider: group.account.config.Provider, ID: group.id})
	a := group.account.config
	hands := sending{clouds: func() *clouds { return all }}
	return breakglass.New(breakglass.Options{
		Group: group, Person: w.Person, Handbook: handbook{},
		Operator: func() (failover.Operator, error) { return mayOperate(hands, c, a) },
		Stopped: func(ctx context.Context) error {
			now, _, err := stop.ask(ctx)
			if err != nil {
				return err
			}
			return sameLife(said, now)
		},
		Frozen:   stop.frozen,
		Endpoint: func(to replication.Location) string { return sendsTo(a, to) },
		Notes:    slices.Concat(known.notes, says, notes), Others: known.incidents, Unseen: known.unseen, Journal: journal, Asked: w.Asked,
		ActionTimeout: a.ActionTimeout, TrackInterval: w.TrackInterval, SignatureLife: w.SignatureLife, Settle: w.Settle,
		Now: w.Now, Dry: w.DryRun, At: w.At,
	}).Run(ctx)
}

func (w *WithoutStore) defaults() {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&w.TrackInterval, 2*time.Second)
	set(&w.SignatureLife, failover.SignatureLife)
	set(&w.Settle, failover.Settle)
	if w.Now == nil {
		w.Now = time.Now
	}
}

// journal is opened for this process alone; a dry run only reads it.
func (w *WithoutStore) journal(c *config.Config) (*breakglass.Journal, error) {
	dir := withoutStoreFolder(w.StoragePath)
	if w.DryRun {
		return breakglass.ReadJournal(dir)
	}
	return breakglass.OpenJournal(dir, c.Observer.Name, w.Now)
}

// mayOperate is what sends for the account, if the configuration lets it.
func mayOperate(s sending, c *config.Config, a config.Account) (failover.Operator, error) {
	if c.Global.Mode == replication.DryRun {
		return nil, errors.New("no: global.mode is dry_run, so nothing is ever sent from this configuration")
	}
	if !a.CanAct() {
		return nil, fmt.Errorf("no: account %s has action_credentials: none here; run it on the machine of an observer that has some, or with its configuration and keys", a.Name)
	}
	return s.Operator(a.Name)
}

// sendsTo is the endpoint that the call of a failover goes to.
func sendsTo(a config.Account, to replication.Location) string {
	if a.Provider == replication.AliyunEBS && to.Region != a.ActionRegion && to.Region == a.Region {
		return a.Endpoint
	}
	return a.ActionEndpoint
}

// stops are what forbids a failover without the store: a freeze beside this
// machine, and a store that answers.
type stops struct {
	local  *localFreeze
	daemon *client.Client
	now    func() time.Time
}

// joins is how long a daemon may take to join the store after its start.
const joins = 30 * time.Second

// frozen asks the file system alone.
func (s stops) frozen() error {
	f := s.local.look()
	if f == nil {
		return nil
	}
	return fmt.Errorf("frozen beside this machine by %s (%s): whoever did that wants nothing sent from here; lift it first", f.Who, f.Reason)
}

// ask tells in an error why it may not be, and otherwise what the daemon says of
// itself, nil when none answers, and what of it the person should know.
func (s stops) ask(ctx context.Context) (said *api.Status, notes []string, err error) {
	if err := s.frozen(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askDaemon)
	defer cancel()
	st, err := s.daemon.Status(ctx)
	switch {
	case errors.Is(err, client.ErrUnreachable):
		return nil, []string{"Whether the store has a majority is not known: " + err.Error() + "."}, nil
	case err != nil:
		return nil, nil, fmt.Errorf("a drwatch answers but does not tell whether the store does: %s; give what it wants, or another --url", err.Error())
	case st.LocalFreeze != nil:
		return nil, nil, fmt.Errorf("frozen beside its drwatch by %s (%s): whoever did that wants nothing sent from here; lift it first", st.LocalFreeze.Who, st.LocalFreeze.Reason)
	case st.Store.Joined && st.Store.Error == "":
		return nil, nil, errors.New("the store answers: use `drwatch failover` without --without-store, which goes through the claim, the guards and the journal of all observers")
	case !st.Store.Joined && s.now().Sub(st.StartedAt) < joins:
		return nil, nil, fmt.Errorf("the drwatch here has started at %s and may still join the store: wait for half a minute", st.StartedAt.UTC().Format(time.RFC3339))
	case st.Store.Error != "":
		notes = append(notes, "The drwatch of this machine says of the store: "+st.Store.Error+".")
	default:
		notes = append(notes, "The drwatch of this machine has not joined the store.")
	}
	if f := st.Freeze; f != nil {
		notes = append(notes, fmt.Sprintf("THE CLUSTER WAS FROZEN when the store was last read, by %s: %s. Ask them first.", f.Who, f.Reason))
	}
	return &st, notes, nil
}
