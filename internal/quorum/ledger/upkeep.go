package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// PutGroup replaces the record of a group, which must be at rec.Rev: a base line
// first seen, a change of direction seen by polling.
func (l *Ledger) PutGroup(ctx context.Context, key replication.GroupKey, rec replication.GroupRecord) error {
	what := "writing the record of group " + key.String()
	before := Item{Key: l.keys.group(key)}
	if rec.Rev != 0 {
		v, err := l.o.KV.Get(ctx, before.Key)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		before.Value = v.At(before.Key).Value
	}
	ps := puts{}
	addKept(&ps, before, rec)
	if ps.err != nil {
		return fmt.Errorf("%s: %w", what, ps.err)
	}
	_, err := l.commit(ctx, Txn{
		Op: "group", What: what, If: []Compare{unchanged("the record of the group", before.Key, rec.Rev)},
		Puts: ps.list, Witness: before.Key,
	})
	return err
}

// EndEpisode forgets that the rule had its say on the group; it is no error
// when it had none.
func (l *Ledger) EndEpisode(ctx context.Context, rule string, group replication.GroupKey, incident string) error {
	what := fmt.Sprintf("ending the episode of rule %s on %s", rule, group)
	key := l.keys.episode(rule, group)
	v, err := l.o.KV.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	it := v.At(key)
	var e replication.Episode
	if it.Mod != 0 {
		if err := json.Unmarshal(it.Value, &e); err != nil {
			return fmt.Errorf("%s: key %s: %w", what, key, err)
		}
	}
	if e.Incident != incident {
		return nil
	}
	_, err = l.commit(ctx, Txn{Op: "episode", What: what, If: []Compare{unchanged("the episode", key, it.Mod)}, Deletes: []string{key}})
	return err
}

// CloseLoss ends the loss of a site, which must be at rev. It conflicts while an
// incident of that loss is open, also one claimed since the caller looked.
func (l *Ledger) CloseLoss(ctx context.Context, site string, rev int64) error {
	what := "closing the loss of site " + site
	v, err := l.o.KV.Scan(ctx, Under(l.keys.incidents()))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	for _, it := range v.Items {
		var inc replication.Incident
		if err := json.Unmarshal(it.Value, &inc); err != nil {
			return fmt.Errorf("%s: key %s: %w", what, it.Key, err)
		}
		if inc.Plan.LostSite == site && !inc.Phase.Ended() {
			return &Conflict{What: what, Changed: []string{"incident " + inc.ID + " of it is open"}}
		}
	}
	_, err = l.commit(ctx, Txn{
		Op: "loss", What: what,
		If: []Compare{
			unchanged("the loss of site "+site, l.keys.loss(site), rev),
			{Name: "an incident", Kind: NoneNewer, Key: l.keys.incidents(), Rev: v.Revision},
		},
		Deletes: []string{l.keys.loss(site)},
	})
	return err
}

// gcBatch bounds how many old starts one Tick removes.
const gcBatch = 50

// Tick adds to the cluster clock the monotonic time that this leader saw pass
// since its last Tick without an error, or since it was elected, and forgets starts older than an hour. Only the leader
// may: the transaction compares its election.
func (l *Ledger) Tick(ctx context.Context, elapsed time.Duration) error {
	lead := l.current().leaderRev
	switch {
	case lead == 0:
		return errors.New("moving the cluster clock: this observer does not lead")
	case elapsed < 0:
		return fmt.Errorf("moving the cluster clock: it cannot go back by %s", -elapsed)
	case elapsed == 0:
		return nil
	}
	key := l.keys.clock()
	v, err := l.o.KV.Scan(ctx, Span{From: key, To: key + "\x00"}, Under(l.keys.allStarted()))
	if err != nil {
		return fmt.Errorf("moving the cluster clock: %w", err)
	}
	it := v.At(key)
	clock, err := parseClock(it)
	if err != nil {
		return fmt.Errorf("moving the cluster clock: key %s: %w", key, err)
	}
	base := l.clockBase(lead, clock)
	clock = max(clock, base+elapsed)
	_, err = l.commit(ctx, Txn{
		Op: "tick", What: "moving the cluster clock",
		If:      []Compare{l.keys.elected(lead), unchanged("the cluster clock", key, it.Mod)},
		Puts:    []Put{{Key: key, Value: []byte(strconv.FormatInt(int64(clock), 10))}},
		Deletes: oldStarts(v, key, clock), Witness: key,
	})
	if err == nil {
		l.mu.Lock()
		l.ticked = ticked{lead: lead, clock: clock}
		l.mu.Unlock()
	}
	return err
}

// ticked is where this observer knows the cluster clock to have been when its last
// Tick under an election ended well.
type ticked struct {
	lead  int64
	clock time.Duration
}

// clockBase is what elapsed is added to. Under one election nobody else moves the
// clock: what it is ahead of the last Tick that ended well is of one whose answer
// was lost, and the caller counts that time once more.
func (l *Ledger) clockBase(lead int64, clock time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ticked.lead != lead {
		l.ticked = ticked{lead: lead, clock: clock}
	}
	return l.ticked.clock
}

func oldStarts(v View, clockKey string, clock time.Duration) []string {
	var old []string
	for _, it := range v.Items {
		if it.Key == clockKey || len(old) == gcBatch {
			continue
		}
		if at, err := parseClock(it); err == nil && clock-at > startedFor {
			old = append(old, it.Key)
		}
	}
	return old
}
