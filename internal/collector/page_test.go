package collector_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/exposition"
	"github.com/drwatch/drwatch/internal/exposition/expositiontest"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/series"
)

// emptyPage is a page of what the collector tells of groups.
func emptyPage(t *testing.T, c *collector.Collector) *exposition.Page {
	t.Helper()
	var families []exposition.Family
	for _, m := range c.Definitions() {
		if m.Type != collector.Distribution {
			families = append(families, exposition.Family{Name: m.Name, Help: m.Help, Type: exposition.Type(m.Type), Unit: m.Unit, Labels: m.Labels})
		}
	}
	p, err := exposition.NewPage(families)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// render puts the accounts of a snapshot on the page, and those alone.
func render(t *testing.T, p *exposition.Page, s *collector.Snapshot) {
	t.Helper()
	var sets []string
	for _, a := range s.Accounts {
		sets = append(sets, a.Name)
		err := p.Put(a.Name, func(yield func(exposition.Sample) bool) {
			for sample := range s.GroupSamples(a) {
				if !yield(exposition.Sample{Family: sample.Metric, Labels: sample.Labels, Value: sample.Value}) {
					return
				}
			}
		})
		if err != nil {
			t.Error(err)
		}
	}
	p.Keep(sets...)
}

// The page of the groups together with the observer's own metrics says what one
// plain registry of all of them says: every metric that is defined.
func TestPageIsThePlainRegistry(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		furnished(t, h)
		p := emptyPage(t, h.Collector)
		render(t, p, h.Snapshot())
		live := prometheus.NewRegistry()
		live.MustRegister(h.ObserverMetrics())
		fast, err := exposition.NewHandler(p, live, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		plain := promhttp.HandlerFor(registry(t, h), promhttp.HandlerOpts{EnableOpenMetrics: true})
		expositiontest.Same(t, plain, fast)
		text := expositiontest.Get(t, fast, expositiontest.AcceptText, "gzip")
		for _, m := range h.Definitions() {
			if !bytes.Contains(text, []byte("\n# TYPE "+m.Name+" ")) && !bytes.HasPrefix(text, []byte("# HELP "+m.Name+" ")) {
				t.Errorf("%s is not there, so that nothing is known of it", m.Name)
			}
		}
	})
}

// restless is an account whose groups are others, with other labels, at each
// poll: one of them keeps its id.
type restless struct{ polls int }

func (r *restless) List(context.Context) (provider.Listing, error) {
	r.polls++
	var l provider.Listing
	for i := range 10 {
		g := fullGroup(fmt.Sprintf("group-%d-%d", r.polls, i))
		if i == 0 {
			g = fullGroup("stays")
		}
		g.Name, g.RawStatus, g.Fault = fmt.Sprintf("name %d of %s", r.polls, g.Key.ID), fmt.Sprint("status ", r.polls), fmt.Sprint("fault ", r.polls)
		l.Groups = append(l.Groups, g)
	}
	return l, nil
}

func (r *restless) Read(context.Context, string) (replication.Group, error) {
	return replication.Group{}, provider.ErrNotFound
}

func (r *restless) Track(context.Context, string, string) (provider.Progress, error) {
	return provider.Progress{}, provider.ErrNotFound
}

// Snapshot, series and page hold what is there now, whatever the labels were in
// a thousand polls before.
func TestMemoryIsFlatOverSwaps(t *testing.T) {
	const interval, swaps = time.Hour, 1000
	synctest.Test(t, func(t *testing.T) {
		history := series.New(series.Options{Retention: 4 * interval, Epoch: time.Now()})
		c, err := collector.New(collector.Options{Series: history, Now: time.Now, Int64N: func(int64) int64 { return 0 }, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		reader := &restless{}
		busy := account("busy", reader)
		busy.PollInterval = interval
		if err := c.Update(collector.Settings{Accounts: []collector.AccountSettings{busy}}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		p := emptyPage(t, c)
		swap := func(times int) (held uint64) {
			for range times {
				after(interval)
				render(t, p, c.Snapshot())
			}
			runtime.GC()
			runtime.GC() // what the first one swept out of pools
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := swap(500) // longer than anything is remembered, and until tables have their size
		held := swap(swaps)
		if reader.polls < swaps || len(c.Snapshot().Groups) != 10 {
			t.Errorf("%d polls, %d groups, want more than %d and 10", reader.polls, len(c.Snapshot().Groups), swaps)
		}
		if held > before+before/10 {
			t.Errorf("%d bytes held, %d after %d swaps more", before, held, swaps)
		}
		if n := history.Stats().Series; n > 10*len(slices.Collect(c.Snapshot().GroupSamples(c.Snapshot().Accounts[0]))) {
			t.Errorf("%d series are kept of groups that are gone", n)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		runtime.KeepAlive(p)
	})
}
