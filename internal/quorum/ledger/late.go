package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/drwatch/drwatch/internal/replication"
)

// PutLate keeps the outcome of a call that came after its token had moved on.
// It is create-only: the first outcome stands. ErrNotFound when the incident has
// left the store: nobody would read the outcome, nor remove it.
func (l *Ledger) PutLate(ctx context.Context, incident string, token int64, c replication.Call) error {
	what := "keeping a late outcome of incident " + incident
	v, err := l.o.KV.Get(ctx, l.keys.incident(incident))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	it := v.At(l.keys.incident(incident))
	left := fmt.Errorf("%s: %w: it has ended and is in the archives", what, ErrNotFound)
	if it.Mod == 0 {
		return left
	}
	c.Error = cut(c.Error, 1<<10)
	p, err := put(l.keys.late(incident, token), c)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	there := Compare{Name: "incident " + incident, Kind: CreatedAt, Key: it.Key, Rev: it.Create}
	_, err = l.commit(ctx, Txn{
		Op: "late", What: what, If: []Compare{there, absent("a late outcome", p.Key)}, Puts: []Put{p}, Witness: p.Key,
	})
	if c, ok := errors.AsType[*Conflict](err); ok && slices.Contains(c.Changed, there.Name) {
		return left
	}
	return err
}

// Late is what came late of an incident: outcomes by the token they were sent
// under.
func (l *Ledger) Late(ctx context.Context, incident string) (map[int64]replication.Call, error) {
	v, err := l.o.KV.Scan(ctx, Under(l.keys.lates(incident)))
	if err != nil {
		return nil, fmt.Errorf("reading late outcomes of incident %s: %w", incident, err)
	}
	out := map[int64]replication.Call{}
	for _, it := range v.Items {
		parts, err := l.keys.split(it.Key)
		if err != nil {
			return nil, err
		}
		token, err := strconv.ParseInt(parts[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", it.Key, err)
		}
		var c replication.Call
		if err := json.Unmarshal(it.Value, &c); err != nil {
			return nil, fmt.Errorf("key %s: %w", it.Key, err)
		}
		out[token] = c
	}
	return out, nil
}
