package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/archive"
	"github.com/drwatch/drwatch/internal/breakglass"
	"github.com/drwatch/drwatch/internal/replication"
)

// knowledge is what this machine knows of the calls of observers.
type knowledge struct {
	incidents []replication.Incident
	unseen    breakglass.Unseen // when a call may have been made that is not among them
	notes     []string          // what of it the person should know
}

const mayArrive = "One that was made for this group in the last 17 minutes may still arrive: look at the group in the provider's console first."

// knows asks the daemon, which has said this of itself (nil: none answers), for the
// incidents as it last read them from the store. One that has never read it tells
// of archived ones alone: it does not even know what it did before its start.
func (w *WithoutStore) knows(ctx context.Context, said *api.Status, group replication.GroupKey) knowledge {
	if said == nil {
		return w.gone()
	}
	ctx, cancel := context.WithTimeout(ctx, askDaemon)
	defer cancel()
	all, err := w.Daemon.Incidents(ctx, archivedHere)
	start, read := said.StartedAt, said.Store.ReadAt
	switch {
	case err != nil:
		k := w.archived()
		k.unseen = breakglass.Unseen{Before: w.Now(), Why: "the drwatch here does not tell its incidents"}
		k.notes = append(k.notes, "THE DRWATCH HERE DOES NOT TELL ITS INCIDENTS ("+err.Error()+"): the calls of observers are not known. "+mayArrive)
		return k
	case read.IsZero():
		since := "has not read the store since its start at " + rfc3339(start)
		return knowledge{
			incidents: all, unseen: breakglass.Unseen{Before: start, Why: "the drwatch here " + since + ", and knows of no call of an observer, not even of its own from before"},
			notes: []string{"THE DRWATCH HERE HAS NOT READ THE STORE since its start at " + rfc3339(start) + ": it knows of no call of an observer, not even of its own from before. " + mayArrive},
		}
	}
	k := knowledge{incidents: all, notes: []string{"The drwatch here has last read the store at " + rfc3339(read) + ". What other observers have done since is not known here. " + mayArrive}}
	for _, i := range all {
		if i.Key() == group && !i.Phase.Ended() {
			k.unseen = breakglass.Unseen{Before: read, Why: fmt.Sprintf("incident %s had not ended when the store was last read, at %s, and a call may have followed", i.ID, rfc3339(read))}
		}
	}
	return k
}

// gone is what is known without a daemon: what it has archived, and when it last
// wrote to its store. What it remembers of the store is written before each call,
// with an etcd of others as well; without a majority it is not, and nothing called.
func (w *WithoutStore) gone() knowledge {
	k := w.archived()
	k.notes = append(k.notes, "NO DRWATCH ANSWERS HERE to tell which incidents are open: the calls of observers are not known. "+mayArrive)
	etcd := filepath.Join(w.StoragePath, "etcd")
	wrote, err := lastWritten(etcd, etcd+".seen.json")
	if err != nil {
		k.notes = append(k.notes, "When the drwatch here had a store last is not fully known: "+err.Error()+".")
	}
	if !wrote.IsZero() {
		k.unseen = breakglass.Unseen{Before: wrote, Why: "the drwatch here does not answer, and has last written to its store at " + rfc3339(wrote)}
	}
	return k
}

// archived are the incidents that ended before this machine lost the store.
func (w *WithoutStore) archived() (k knowledge) {
	var err error
	if k.incidents, err = archive.New(archiveFolder(w.StoragePath)).Incidents(archivedHere); err != nil {
		k.notes = append(k.notes, "Which incidents of this group have ended is not known: "+err.Error()+".")
	}
	return k
}

// lastWritten is when one of these, or a file below them, was last written; zero
// when there is none.
func lastWritten(paths ...string) (last time.Time, errs error) {
	for _, path := range paths {
		err := filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil && info.ModTime().After(last) {
				last = info.ModTime()
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = errors.Join(errs, err)
		}
	}
	return last, errs
}

// sameLife refuses when another life of a daemon answers than at first: what was
// asked of the one says nothing of the other.
func sameLife(first, now *api.Status) error {
	if now == nil || first != nil && first.StartedAt.Equal(now.StartedAt) {
		return nil
	}
	return fmt.Errorf("a drwatch has started here since this began, at %s: run it again, so that it is asked what it knows", rfc3339(now.StartedAt))
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }
