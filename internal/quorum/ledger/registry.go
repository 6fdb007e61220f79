package ledger

import (
	"context"
	"encoding/json"
	"fmt"
)

// registration is what stays of an observer when its lease has run out.
type registration struct {
	Site string `json:"site"`
}

// registers is the put that keeps this observer's site counted, once for each
// life of the process: whoever is removed while it runs stays removed.
func (l *Ledger) registers() ([]Put, error) {
	if l.registered.Load() {
		return nil, nil
	}
	p, err := put(l.keys.registered(l.o.Observer), registration{Site: l.o.Site})
	return []Put{p}, err
}

// Unregister forgets that an observer belongs to the cluster: its site counts no
// more towards a quorum. It is no error when it did not.
func (l *Ledger) Unregister(ctx context.Context, observer string) error {
	what := "forgetting observer " + observer
	v, err := l.o.KV.Get(ctx, l.keys.registered(observer))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	it := v.At(l.keys.registered(observer))
	if it.Mod == 0 {
		return nil
	}
	_, err = l.commit(ctx, Txn{Op: "unregister", What: what, If: []Compare{unchanged("the registration", it.Key, it.Mod)}, Deletes: []string{it.Key}})
	return err
}

func siteOf(it Item) (string, error) {
	var r registration
	err := json.Unmarshal(it.Value, &r)
	return r.Site, err
}
