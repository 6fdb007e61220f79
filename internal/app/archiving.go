package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/archive"
	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/replication"
)

// archiveFolder is where the archive of journals stands under the storage path.
func archiveFolder(storage string) string { return filepath.Join(storage, "journal") }

const (
	// archiveEvery is how often it is looked for what is to be archived.
	archiveEvery = 5 * time.Second
	// archiveAtMost is the longest pause after trouble, such as a full disk.
	archiveAtMost = 5 * time.Minute
)

func (a *App) newKeeper() *archive.Keeper {
	return &archive.Keeper{
		Store: a.store, Archive: a.archive, Now: a.o.Now, Logger: a.o.Logger.With("component", "journal"),
		Archived: func(replication.Anchor) { a.metrics.archived.Inc() },
	}
}

// keepArchive archives what has ended until ctx ends. It stands beside the loop
// that decides: whatever happens to the archive keeps no round waiting.
func (a *App) keepArchive(ctx context.Context, k *archive.Keeper) {
	pause := archiveEvery
	for {
		wait(ctx, pause)
		if ctx.Err() != nil {
			return
		}
		state := a.controller.State()
		if state.At.IsZero() || state.ClusterErr != "" {
			continue
		}
		err := k.Pass(ctx, state.Cluster, state.Leads)
		a.metrics.unarchived.Set(float64(k.Behind()))
		switch {
		case err == nil, ctx.Err() != nil:
			pause = archiveEvery
		case errors.Is(err, replication.ErrConflict), errors.Is(err, quorum.ErrNotJoined):
			a.o.Logger.Debug("journals are archived later", "err", err)
		default:
			a.metrics.archiveErrors.Inc()
			pause = min(2*pause, archiveAtMost)
			a.o.Logger.Error("journals not archived; they stay in the coordination store, nothing else is stopped", "behind", k.Behind(), "again_in", pause, "err", err)
		}
	}
}

// CheckJournal checks the archive of journals under a storage path, with or
// without a daemon that runs on it.
func CheckJournal(storage string) (api.JournalCheck, error) {
	dir := archiveFolder(storage)
	r, err := archive.Verify(dir)
	if err != nil {
		return api.JournalCheck{}, err
	}
	c := checked(r)
	without, err := addWithoutStore(&c, storage)
	if err != nil {
		return api.JournalCheck{}, err
	}
	if r.Files == 0 && !without {
		return api.JournalCheck{}, fmt.Errorf("there is no archive of journals in %s: nothing has ended there so far, or it is not the --storage.path of a drwatch", dir)
	}
	return c, nil
}

func checked(r archive.Report) api.JournalCheck {
	return api.JournalCheck{
		Files: r.Files, Records: r.Records, Entries: r.Entries, Last: r.Last.Seq,
		Notes: append([]string{}, r.Notes...), Problems: append([]string{}, r.Problems...), OK: len(r.Problems) == 0,
	}
}

// CheckJournal checks this observer's archive, that it is as long as the store
// was told, and the journals that are still in the store.
func (a *App) CheckJournal(ctx context.Context) (api.JournalCheck, error) {
	told, err := a.store.Unarchived(ctx, 0, 0)
	if err != nil {
		return api.JournalCheck{}, fmt.Errorf("checking the journal: %w", err)
	}
	r, err := archive.Verify(archiveFolder(a.o.StoragePath))
	if err != nil {
		return api.JournalCheck{}, err
	}
	c := checked(r)
	switch {
	case r.Last.Seq < told.Mine.Seq:
		c.Problems = append(c.Problems, fmt.Sprintf("the archive ends with record %d, and has had record %d: its end is missing", r.Last.Seq, told.Mine.Seq))
	case r.Last.Seq == told.Mine.Seq && r.Last.Hash != told.Mine.Hash:
		c.Problems = append(c.Problems, fmt.Sprintf("record %d is not the one that was archived", r.Last.Seq))
	}
	if _, err := addWithoutStore(&c, a.o.StoragePath); err != nil {
		return c, err
	}
	if err := a.checkStored(ctx, &c); err != nil {
		return c, fmt.Errorf("checking the journal: %w", err)
	}
	c.OK = len(c.Problems) == 0
	return c, nil
}

// checkStored checks the journals in the store. One that changes meanwhile is
// read again.
func (a *App) checkStored(ctx context.Context, c *api.JournalCheck) error {
	cluster, err := a.store.Read(ctx)
	if err != nil {
		return err
	}
	for id, rec := range cluster.Incidents {
		for tries := 0; ; tries++ {
			entries, err := a.store.Journal(ctx, id)
			if err != nil {
				return err
			}
			wrong := ledger.VerifyHead(rec.Incident, entries)
			if wrong == nil {
				c.Stored++
				c.StoredEntries += len(entries)
				break
			}
			now, err := a.store.Read(ctx)
			if err != nil {
				return err
			}
			again, there := now.Incidents[id]
			if !there {
				break // it has left for the archives
			}
			if again.Rev == rec.Rev || tries == 10 {
				c.Problems = append(c.Problems, "in the coordination store: "+wrong.Error())
				break
			}
			rec = again
		}
	}
	return nil
}
