package ledger

import (
	"context"
	"fmt"
)

// Note writes into the persons' journal what a person does to the cluster beside
// its keys: event is its kind, what it is done to.
func (l *Ledger) Note(ctx context.Context, event, what, who, reason string) error {
	return retried(func() error {
		v, err := l.o.KV.Get(ctx, l.keys.chain())
		if err != nil {
			return fmt.Errorf("journaling %s %s: %w", event, what, err)
		}
		e := personEntry(event, who, reason, l.o.Now())
		e.Text, e.Data["what"] = fmt.Sprintf("%s %s by %s: %s", event, what, who, reason), what
		t := Txn{Op: "note", What: "journaling " + event + " " + what}
		if err := l.chainPerson(&t, v, e); err != nil {
			return err
		}
		_, err = l.commit(ctx, t)
		return err
	})
}
