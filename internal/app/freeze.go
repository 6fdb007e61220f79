package app

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// freezeFile in the storage folder freezes the observer that uses the folder.
const freezeFile = "FREEZE"

// localFreeze is the kill switch beside one observer: a file in its storage
// folder, or an environment variable. It needs neither the store nor the API, so
// it works when nothing else does. What cannot be looked at counts as frozen.
type localFreeze struct {
	variable *replication.Freeze // nil: DRWATCH_FREEZE is empty
	folder   string
	started  os.FileInfo // the folder as it was at the start
}

func newLocalFreeze(o *Options) (*localFreeze, error) {
	info, err := os.Stat(o.StoragePath)
	if err != nil {
		return nil, fmt.Errorf("--storage.path %s: %w", o.StoragePath, err)
	}
	folder, err := filepath.Abs(o.StoragePath)
	if err != nil {
		return nil, fmt.Errorf("--storage.path %s: %w", o.StoragePath, err)
	}
	f := &localFreeze{folder: folder, started: info}
	if o.Freeze != "" {
		f.variable = &replication.Freeze{Who: "the environment variable DRWATCH_FREEZE", Reason: "set when this observer started", At: o.Now().UTC()}
	}
	return f, nil
}

// look tells what freezes this observer now, nil when nothing does. It only asks
// the file system whether the file is there: what is in it does not matter. The
// folder must still be the one of the start; with a disk that is gone the file on
// it would be gone too.
func (f *localFreeze) look() *replication.Freeze {
	if f.variable != nil {
		return f.variable
	}
	path := filepath.Join(f.folder, freezeFile)
	frozen := &replication.Freeze{Who: "the file " + path}
	info, err := os.Lstat(path)
	switch {
	case err == nil:
		frozen.At = info.ModTime().UTC()
		frozen.Reason = "there since " + frozen.At.Format(time.RFC3339)
		return frozen
	case !errors.Is(err, fs.ErrNotExist):
		frozen.Reason = "whether it is there is not known: " + err.Error()
		return frozen
	}
	if now, err := os.Stat(f.folder); err != nil || !os.SameFile(now, f.started) {
		frozen.Reason = "whether it is there is not known: the storage folder is not the one of the start any more"
		return frozen
	}
	return nil
}

// instead adds to the error of a freeze that the store did not take what needs no
// store. nil stays nil.
func (f *localFreeze) instead(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w; the file %s freezes this observer alone, without the store; each other one has its own, FREEZE in its --storage.path", err, filepath.Join(f.folder, freezeFile))
}

// tellFrozenEvery is how often a freeze that stays is logged: one that was
// forgotten keeps the failover from happening that it is there for.
const tellFrozenEvery = time.Hour

// frozenTold is what the log has been told of a freeze.
type frozenTold struct {
	by        string // "": not frozen
	since, at time.Time
}

// tell logs when this observer becomes frozen, alone or with all others, that it
// still is, and when it no longer is.
func (t *frozenTold) tell(log *slog.Logger, now time.Time, all, local *replication.Freeze) {
	by, frozen := "", all
	if local != nil {
		frozen = local
	}
	if frozen != nil {
		by = frozen.Who + ": " + frozen.Reason
	}
	was := t.by
	if by == was && (by == "" || now.Sub(t.at) < tellFrozenEvery) {
		return
	}
	if was == "" {
		t.since = now
	}
	t.by, t.at = by, now
	lasted := now.Sub(t.since).Round(time.Second).String()
	switch by {
	case "":
		log.Info("not frozen any more", "by", was, "lasted", lasted)
	case was:
		log.Warn("still frozen: nothing is claimed or sent from here", "by", by, "lasts", lasted)
	default:
		log.Warn("frozen: nothing is claimed or sent from here", "by", by, "this_observer_alone", local != nil)
	}
}
