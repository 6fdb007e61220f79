package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/archive"
	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/web"
)

// Incidents are the newest incidents, newest first, at most limit: those of the
// store as the last round saw them, and those that have left it for the archive.
// An archive that cannot be read hides none of the others.
func (a *App) Incidents(limit int) []replication.Incident {
	// The store first: what leaves it is in the archive before.
	cluster := a.controller.State().Cluster
	old, err := a.archive.Incidents(limit)
	if err != nil {
		a.metrics.archiveErrors.Inc()
		a.o.Logger.Error("archived incidents are not shown", "err", err)
	}
	out := make([]replication.Incident, 0, len(cluster.Incidents)+len(old))
	for _, rec := range cluster.Incidents {
		out = append(out, rec.Incident)
	}
	for _, inc := range old {
		if _, there := cluster.Incidents[inc.ID]; !there {
			out = append(out, inc)
		}
	}
	slices.SortFunc(out, func(x, y replication.Incident) int {
		if c := y.OpenedAt.Compare(x.OpenedAt); c != 0 {
			return c
		}
		return strings.Compare(x.Name+x.ID, y.Name+y.ID)
	})
	return out[:min(len(out), limit)]
}

// Incident is one incident with its journal, read from the store now, or from
// the archive.
func (a *App) Incident(ctx context.Context, id string) (api.Incident, error) {
	cluster, err := a.store.Read(ctx)
	if err != nil {
		return api.Incident{}, fmt.Errorf("incident %q: %w", id, err)
	}
	rec, ok := cluster.Incidents[id]
	if !ok {
		return archived(a.archive.Incident(id))
	}
	journal, err := a.store.Journal(ctx, id)
	if err != nil {
		return api.Incident{}, fmt.Errorf("journal of incident %q: %w", id, err)
	}
	if len(journal) < rec.Length { // it is leaving the store just now
		if old, err := archived(a.archive.Incident(id)); err == nil {
			return old, nil
		}
	}
	return api.Incident{Incident: rec.Incident, Journal: journal}, nil
}

// ArchivedIncident is an incident from the archive under a storage path, without
// a daemon.
func ArchivedIncident(storage, id string) (api.Incident, error) {
	return archived(archive.Incident(archiveFolder(storage), id))
}

func archived(inc replication.Incident, journal []replication.Entry, err error) (api.Incident, error) {
	if errors.Is(err, archive.ErrNotFound) {
		err = sorted{err, web.ErrNotFound}
	}
	return api.Incident{Incident: inc, Journal: journal}, err
}

// answered is done for what a person says to an incident: one that the store does
// not know may be over and archived.
func (o operator) answered(id string, err error) error {
	if errors.Is(err, quorum.ErrNotFound) {
		if over := o.app.over(id); over != nil {
			err = over
		}
	}
	return o.done(err)
}

// over refuses an incident that has left the store; nil when the archive has none
// of that name.
func (a *App) over(id string) error {
	if inc, _, err := a.archive.Incident(id); err == nil {
		return fmt.Errorf("%w: incident %s has ended as %s and is archived: nothing is left of it to release or to stop", quorum.ErrRefused, id, inc.Phase)
	}
	return nil
}
