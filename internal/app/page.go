package app

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/exposition"
)

// page is the part of /metrics that grows with the groups, rendered when it
// changes and not when it is scraped. The rest of /metrics is made at each
// scrape.
type page struct {
	*exposition.Page
	accounts map[string]collector.Version // as they were rendered last
	decided  time.Time                    // the round that was rendered last
}

// renderEvery is how often it is looked for what has changed: /metrics shows
// groups, and what rules say of them, at most this much later, and the time the
// rendering takes.
const renderEvery = time.Second

// decisionsSet is the set of what rules and the store say of groups.
const decisionsSet = "decisions"

func accountSet(name string) string { return "account/" + name }

func newPage(metrics ...[]collector.Metric) (*page, error) {
	var families []exposition.Family
	for _, m := range slices.Concat(metrics...) {
		f := exposition.Family{Name: m.Name, Help: m.Help, Unit: m.Unit, Labels: m.Labels}
		switch m.Type {
		case collector.Gauge:
		case collector.Counter:
			f.Type = exposition.Counter
		case collector.Distribution: // told by the observer itself, at each scrape
			continue
		}
		families = append(families, f)
	}
	p, err := exposition.NewPage(families)
	return &page{Page: p, accounts: map[string]collector.Version{}}, err
}

// keepRendered renders what changes until ctx ends.
func (a *App) keepRendered(ctx context.Context) {
	ticker := time.NewTicker(renderEvery)
	defer ticker.Stop()
	for {
		a.render()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// render renders the sets that are not as they were rendered last.
func (a *App) render() {
	p, snap := a.page, a.collector.Snapshot()
	sets := []string{decisionsSet}
	moved := len(p.accounts) != len(snap.Accounts)
	versions := map[string]collector.Version{}
	for _, account := range snap.Accounts {
		name, v := account.Name, snap.Version(account)
		sets, versions[name] = append(sets, accountSet(name)), v
		if was, rendered := p.accounts[name]; rendered && was == v {
			continue
		}
		moved = true
		a.put(accountSet(name), snap.GroupSamples(account))
	}
	p.accounts = versions
	if decided := a.controller.State().At; moved || decided != p.decided {
		p.decided = decided
		a.put(decisionsSet, a.groupSamples())
	}
	p.Keep(sets...)
}

func (a *App) put(set string, all iter.Seq[collector.Sample]) {
	err := a.page.Put(set, func(yield func(exposition.Sample) bool) {
		for s := range all {
			if !yield(exposition.Sample{Family: s.Metric, Labels: s.Labels, Value: s.Value}) {
				return
			}
		}
	})
	if err != nil {
		a.o.Logger.Error("samples left out of /metrics", "err", fmt.Sprint(err))
	}
}
