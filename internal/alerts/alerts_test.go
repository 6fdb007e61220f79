package alerts_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/drwatch/drwatch/internal/alerts"
	"github.com/drwatch/drwatch/internal/series"
)

var base = time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)

// desk is a book with its history, and short words for what comes in.
type desk struct {
	t     testing.TB
	store *series.Store
	book  *alerts.Book
	log   bytes.Buffer
	mu    sync.Mutex
	now   time.Time
}

func newDesk(t testing.TB) *desk {
	d := &desk{t: t, store: series.New(series.Options{Retention: time.Hour}), now: base}
	d.book = alerts.New(alerts.Options{Series: d.store, Logger: slog.New(slog.NewTextHandler(&d.log, nil)), Now: func() time.Time {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.now
	}})
	d.book.Want([][]*labels.Matcher{{labels.MustNewMatcher(labels.MatchRegexp, "alertname", "Down.*")}})
	return d
}

func (d *desk) at(after time.Duration) *desk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = base.Add(after)
	return d
}

// The clock of who raises alerts runs some years ahead.
var theirs = base.AddDate(5, 0, 0)

func firing(name string, since time.Duration) alerts.Alert {
	return alerts.Alert{Labels: map[string]string{"alertname": name}, Firing: true, StartsAt: theirs.Add(since)}
}

func resolved(name string, since, until time.Duration) alerts.Alert {
	a := firing(name, since)
	a.Firing, a.EndsAt = false, theirs.Add(until)
	return a
}

func (d *desk) receive(list ...alerts.Alert) {
	d.t.Helper()
	if err := d.book.Receive(list); err != nil {
		d.t.Fatal(err)
	}
}

// say is what rules would read of an alert at that time: "1", "0", or "".
func (d *desk) say(name string, after time.Duration) string {
	d.t.Helper()
	all := d.store.Coverage(base.Add(after).UnixMilli(), matcher("alertname", name))
	if all.Live == 0 {
		return ""
	}
	var last string
	for _, s := range d.store.Select(0, base.Add(after).UnixMilli(), matcher("alertname", name)) {
		if s.Labels.Get("__name__") != "ALERTS" || s.Labels.Get("alertstate") != "firing" {
			d.t.Fatalf("series %s", s.Labels)
		}
		last = fmt.Sprint(s.Points[len(s.Points)-1].V)
	}
	return last
}

func (d *desk) want(name string, after time.Duration, want string) {
	d.t.Helper()
	if got := d.say(name, after); got != want {
		d.t.Errorf("after %v %s says %q, want %q", after, name, got, want)
	}
}

func matcher(name, value string) *labels.Matcher {
	return labels.MustNewMatcher(labels.MatchEqual, name, value)
}

func TestLife(t *testing.T) {
	d := newDesk(t)
	d.want("Down", 0, "")
	d.receive(firing("Down", 0), firing("Other", 0))
	d.want("Down", 0, "1")
	d.want("Other", 0, "") // no rule asks for it
	d.at(5 * time.Minute).receive(firing("Down", 0))
	d.want("Down", 15*time.Minute-time.Millisecond, "1")
	d.want("Down", 15*time.Minute, "") // not repeated
	d.at(20 * time.Minute).receive(resolved("Down", 0, 19*time.Minute))
	d.want("Down", 20*time.Minute, "0")
	d.want("Down", 50*time.Minute, "0") // what is resolved stays so
	d.at(51 * time.Minute).receive(firing("Down", 50*time.Minute))
	d.want("Down", 51*time.Minute, "1")
}

// What is old changes nothing, whoever sends it and however often.
func TestOldNews(t *testing.T) {
	over := firing("Down", 30*time.Minute)
	over.EndsAt = base.Add(-time.Second)
	for name, c := range map[string]struct {
		old  alerts.Alert
		want string
	}{
		"the firing that was resolved":   {firing("Down", 10*time.Minute), "0"},
		"one from before":                {firing("Down", 0), "0"},
		"one from within":                {firing("Down", 15*time.Minute), "0"},
		"says that it is over":           {over, "0"},
		"resolved once more":             {resolved("Down", 10*time.Minute, 20*time.Minute), "0"},
		"an older resolved":              {resolved("Down", 0, 5*time.Minute), "0"},
		"another one: this one is fresh": {firing("Down", 20*time.Minute+1), "1"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.receive(firing("Down", 10*time.Minute))
			d.at(time.Minute).receive(resolved("Down", 10*time.Minute, 20*time.Minute))
			for i := range 1000 {
				d.at(2*time.Minute + time.Duration(i)*400*time.Millisecond).receive(c.old)
			}
			d.want("Down", 9*time.Minute, c.want)
		})
	}
	t.Run("an old resolved while it fires", func(t *testing.T) {
		d := newDesk(t)
		d.receive(firing("Down", 10*time.Minute))
		d.at(time.Minute).receive(resolved("Down", 0, 5*time.Minute))
		d.want("Down", time.Minute, "1")
	})
}

// An Alertmanager that Prometheus could not reach resolves by itself, and then
// the alert fires on as it began. One copy is a copy; one that goes on coming is
// meant.
func TestFiresOnAfterAll(t *testing.T) {
	d := newDesk(t)
	d.receive(firing("Down", 0))
	d.at(4 * time.Minute).receive(resolved("Down", 0, 4*time.Minute))
	for _, after := range []time.Duration{6 * time.Minute, 11 * time.Minute, 16*time.Minute - 1} {
		d.at(after).receive(firing("Down", 0))
		d.want("Down", after, "0")
	}
	d.at(16 * time.Minute).receive(firing("Down", 0))
	d.want("Down", 16*time.Minute, "1")
	d.at(17 * time.Minute).receive(resolved("Down", 0, 4*time.Minute)) // the old one
	d.want("Down", 17*time.Minute, "1")
	d.at(20 * time.Minute).receive(firing("Down", 0))
	d.want("Down", 30*time.Minute-1, "1")
	d.want("Down", 30*time.Minute, "")
	d.at(40 * time.Minute).receive(firing("Down", 0)) // it stopped: one copy again
	d.want("Down", 40*time.Minute, "0")
	d.at(45 * time.Minute).receive(firing("Down", 0))
	d.at(50 * time.Minute).receive(firing("Down", 0))
	d.want("Down", 50*time.Minute, "1")
	d.at(51 * time.Minute).receive(resolved("Down", 0, 51*time.Minute))
	d.want("Down", 51*time.Minute, "0")
	d.at(52 * time.Minute).receive(firing("Down", 0))
	d.want("Down", 52*time.Minute, "0")
}

// A replay once an hour is no insisting.
func TestReplaysFarApart(t *testing.T) {
	d := newDesk(t)
	d.receive(firing("Down", 0))
	d.at(time.Minute).receive(resolved("Down", 0, time.Minute))
	for i := range 20 {
		after := time.Duration(i+1) * 10 * time.Minute
		d.at(after).receive(firing("Down", 0))
		if got := d.say("Down", after); got == "1" {
			t.Fatalf("after %v it fires again", after)
		}
	}
}

func TestSamples(t *testing.T) {
	points := func(d *desk) int {
		n := 0
		for _, s := range d.store.Select(0, base.Add(time.Hour).UnixMilli(), matcher("alertname", "Down")) {
			for _, p := range s.Points {
				if !math.IsNaN(p.V) {
					n++
				}
			}
		}
		return n
	}
	d := newDesk(t)
	for i := range 1000 {
		d.at(time.Duration(i)*time.Millisecond).receive(firing("Down", 0), firing("Down", 0))
	}
	if n := points(d); n != 1 {
		t.Errorf("%d samples of a thousand copies within a second, want 1", n)
	}
	// Changes within one millisecond all count.
	d = newDesk(t)
	d.receive(firing("Down", 0))
	d.receive(resolved("Down", 0, 1))
	d.receive(firing("Down", 2))
	if n := points(d); n != 3 {
		t.Errorf("%d samples, want 3", n)
	}
	d.want("Down", 2*time.Millisecond, "1")
}

func TestChanged(t *testing.T) {
	d := newDesk(t)
	told := func() bool {
		select {
		case <-d.book.Changed():
			return true
		default:
			return false
		}
	}
	for i, c := range []struct {
		alert alerts.Alert
		want  bool
	}{
		{firing("Other", 0), false},
		{firing("Down", 0), true},
		{firing("Down", 0), false},
		{resolved("Down", 0, 1), true},
		{resolved("Down", 0, 1), false},
		{firing("Down", 0), false},
		{firing("Down", 2), true},
		{firing("Down", 3), true},
	} {
		d.at(time.Duration(i) * 2 * time.Second).receive(c.alert)
		if got := told(); got != c.want {
			t.Errorf("step %d: told %t, want %t", i, got, c.want)
		}
	}
	if n := strings.Count(d.log.String(), "state=resolved"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, d.log.String())
	}
}

// What is kept is bounded; what fires is never pushed out.
func TestBounds(t *testing.T) {
	d := newDesk(t)
	var list []alerts.Alert
	for i := range alerts.MaxAlerts {
		list = append(list, firing(fmt.Sprint("Down", i), 0))
	}
	d.receive(list...)
	if err := d.book.Receive([]alerts.Alert{firing("DownMore", 0)}); !errors.Is(err, alerts.ErrNotTaken) || !strings.Contains(err.Error(), "2000 alerts") {
		t.Errorf("one too many: %v", err)
	}
	d.at(time.Second).receive(resolved("Down7", 0, 1))
	d.at(2*time.Second).receive(resolved("Down8", 0, 1), firing("DownMore", 0))
	d.want("DownMore", 2*time.Second, "1")
	// Down7 made room; its end is forgotten, that of Down8 is not.
	d.receive(firing("Down8", 0))
	d.want("Down8", 2*time.Second, "0")

	long := firing("Down", 0)
	long.Labels["text"] = strings.Repeat("x", alerts.MaxLabelBytes)
	if err := d.book.Receive([]alerts.Alert{long, firing("Down0", 1)}); !errors.Is(err, alerts.ErrNotTaken) || strings.Contains(err.Error(), "xxx") {
		t.Errorf("long labels: %.200s", err)
	}
	if !strings.Contains(d.log.String(), "could not be kept") {
		t.Error("nobody was told")
	}
}

// Labels that would change what is written are not the alert's to set.
func TestLabels(t *testing.T) {
	d := newDesk(t)
	a := firing("Down", 0)
	a.Labels["__name__"], a.Labels["alertstate"], a.Labels["empty"] = "drwatch_site_reachable", "pending", ""
	d.receive(a)
	got := d.store.Select(0, base.UnixMilli(), matcher("alertname", "Down"))
	if len(got) != 1 || got[0].Labels.String() != `{__name__="ALERTS", alertname="Down", alertstate="firing"}` {
		t.Errorf("series %v", got)
	}
	if n := len(d.store.Select(0, base.UnixMilli(), matcher("__name__", "drwatch_site_reachable"))); n != 0 {
		t.Error("an alert wrote what a probe writes")
	}
}

func TestSummary(t *testing.T) {
	d := newDesk(t)
	d.receive(firing("Down1", 0), firing("Down2", 0), resolved("Down3", 0, 1))
	d.at(5*time.Minute).receive(firing("Down2", 0), firing("DownElse", 0))
	ms := []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "alertname", "Down[0-9]")}
	for after, want := range map[time.Duration]alerts.Summary{
		6 * time.Minute:  {Firing: 2, Resolved: 1, Heard: base.Add(5 * time.Minute)},
		10 * time.Minute: {Firing: 1, Silent: 1, Resolved: 1, Heard: base.Add(5 * time.Minute)},
	} {
		if got := d.at(after).book.Summary(ms); got != want {
			t.Errorf("after %v %+v, want %+v", after, got, want)
		}
	}
	if got := newDesk(t).book.Summary(ms); got != (alerts.Summary{}) {
		t.Errorf("nothing came, yet %+v", got)
	}
}

func TestConcurrent(t *testing.T) {
	d := newDesk(t)
	var wg sync.WaitGroup
	for sender := range 3 {
		wg.Go(func() {
			for i := range 300 {
				d.at(time.Duration(i) * time.Millisecond)
				if err := d.book.Receive([]alerts.Alert{firing("Down", 0), firing(fmt.Sprint("Down", i%10), 0)}); err != nil {
					t.Error(sender, err)
				}
			}
		})
	}
	wg.Wait()
	d.want("Down", 400*time.Millisecond, "1")
}
