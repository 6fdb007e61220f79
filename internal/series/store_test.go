package series_test

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"

	"github.com/drwatch/drwatch/internal/series"
)

func at(sec float64) time.Time { return time.UnixMilli(int64(sec * 1000)) }

func sample(v float64, kv ...string) series.Sample {
	return series.Sample{Labels: labels.FromStrings(kv...), Value: v}
}

func engine() *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 6 * time.Hour,
		NoStepSubqueryIntervalFn: func(int64) int64 { return 5000 },
		Parser:                   parser.NewParser(parser.Options{EnableExperimentalFunctions: true}),
	})
}

func query(t *testing.T, q storage.Queryable, sec float64, expr string) string {
	t.Helper()
	qry, err := engine().NewInstantQuery(context.Background(), q, nil, expr, at(sec))
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	defer qry.Close()
	v, err := qry.Exec(context.Background()).Vector()
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	out := ""
	for _, s := range v {
		out += fmt.Sprintf("%s %v;", s.Metric, s.F)
	}
	return out
}

const step = 5 * time.Second

func TestFreshness(t *testing.T) {
	s := series.New(series.Options{})
	x := func(v float64) []series.Sample { return []series.Sample{sample(v, "__name__", "x")} }
	s.Append("a", at(100), step, x(1))
	s.Append("a", at(105), step, x(2))
	// 110 and 115 are missing: silent from 115 on.
	s.Append("a", at(120), step, x(3))
	s.Append("a", at(130), step, x(4)) // exactly two intervals: no hole
	s.Append("a", at(135), step, nil)  // left out
	s.Append("a", at(140), step, x(5))
	s.EndSource("a", at(142))
	s.Append("a", at(150), step, x(6))
	for _, c := range []struct {
		at   float64
		want string
	}{
		{99, ""},
		{100, "{__name__=\"x\"} 1;"},
		{109.9, "{__name__=\"x\"} 2;"},
		{114.999, "{__name__=\"x\"} 2;"},
		{115, ""},
		{119.999, ""},
		{120, "{__name__=\"x\"} 3;"},
		{129.999, "{__name__=\"x\"} 3;"},
		{130, "{__name__=\"x\"} 4;"},
		{134.9, "{__name__=\"x\"} 4;"},
		{135, ""},
		{140, "{__name__=\"x\"} 5;"},
		{142, ""},
		{149, ""},
		{150, "{__name__=\"x\"} 6;"},
		{159.999, "{__name__=\"x\"} 6;"},
		{160, ""},
		{3600, ""},
	} {
		if got := query(t, s, c.at, "x"); got != c.want {
			t.Errorf("x at %v = %q, want %q", c.at, got, c.want)
		}
	}
	if got := query(t, s, 131, "count_over_time(x[1m])"); got != "{} 4;" {
		t.Errorf("a range counts %q, want the four samples and no marker", got)
	}
	if got := query(t, s, 131, "max_over_time(x[20s:1s])"); got != "{} 4;" {
		t.Errorf("subquery = %q", got)
	}
	if got := query(t, s, 131, "count_over_time(x[20s:1s])"); got != "{} 15;" {
		t.Errorf("subquery steps with a value = %q, want 3 before the hole and 12 after", got)
	}
}

func TestLateSamplesAreDroppedAndCounted(t *testing.T) {
	s := series.New(series.Options{})
	set := []series.Sample{sample(1, "__name__", "x"), sample(1, "__name__", "y")}
	s.Append("a", at(100), step, set)
	s.Append("a", at(100), step, []series.Sample{sample(9, "__name__", "x")}) // equal
	s.Append("a", at(95), step, nil)                                          // older: must not mark anything stale
	s.Append("a", at(96), step, []series.Sample{sample(9, "__name__", "x")})
	if got := query(t, s, 101, "x + on() y"); got != "{} 2;" {
		t.Errorf("x+y = %q, want 2", got)
	}
	s.Append("a", at(105), step, append(set, sample(7, "__name__", "x"))) // twice in one set
	if got := s.Stats().Dropped; got != 3 {
		t.Errorf("dropped %d, want 3", got)
	}
}

func TestSourcesDoNotTouchEachOther(t *testing.T) {
	s := series.New(series.Options{})
	s.Append("a", at(100), step, []series.Sample{sample(1, "__name__", "x", "site", "a")})
	s.Append("b", at(101), step, []series.Sample{sample(1, "__name__", "x", "site", "b")})
	s.EndSource("a", at(102))
	s.EndSource("nobody", at(102))
	if got := query(t, s, 103, "x"); got != "{__name__=\"x\", site=\"b\"} 1;" {
		t.Errorf("x = %q, want only site b", got)
	}
}

func TestRetention(t *testing.T) {
	s := series.New(series.Options{Retention: time.Minute})
	for i := range 1000 {
		now := at(100 + float64(i)*5)
		s.Append("a", now, step, []series.Sample{
			sample(float64(i), "__name__", "x"),
			sample(1, "__name__", "born", "round", fmt.Sprint(i)),
		})
	}
	if got := s.Stats().Series; got > 30 {
		t.Errorf("%d series are held, want about 13 of the last minute", got)
	}
	last := s.Milli(at(100 + 999*5))
	if got := s.Select(0, last, labels.MustNewMatcher(labels.MatchEqual, "__name__", "x")); len(got) != 1 || len(got[0].Points) != 13 {
		t.Errorf("points in the retention: %v", got)
	}
	s.SetRetention(2 * time.Minute)
	if s.Retention() != 2*time.Minute {
		t.Errorf("retention %v", s.Retention())
	}
	s.Append("b", at(1e6), step, nil)
	if got := s.Stats(); got.Series != 0 || got.Sources != 1 {
		t.Errorf("after a long time: %+v, want no series and one source", got)
	}
}

func TestMatchers(t *testing.T) {
	s := series.New(series.Options{})
	var set []series.Sample
	for i := range 20 {
		set = append(set, sample(float64(i), "__name__", "lag", "group", fmt.Sprint("g", i), "account", fmt.Sprint("a", i%2)))
	}
	s.Append("a", at(100), step, append(set, sample(1, "__name__", "up", "account", "a0")))
	for expr, want := range map[string]string{
		`count(lag{account="a1"})`:             "{} 10;",
		`count(lag{account!="a1"})`:            "{} 10;",
		`count(lag{group=~"g1|g2|g2"})`:        "{} 2;",
		`count(lag{group=~"g1.*"})`:            "{} 11;",
		`count(lag{group!~"g1.*"})`:            "{} 9;",
		`count({account="a0"})`:                "{} 11;",
		`count({__name__=~".+"})`:              "{} 21;",
		`count({__name__=~".+",group=""})`:     "{} 1;",
		`count(lag{group=~"g1|"})`:             "{} 1;",
		`lag{group="none"}`:                    "",
		`lag{group="g3"} unless lag{group=""}`: `{__name__="lag", account="a1", group="g3"} 3;`,
	} {
		if got := query(t, s, 101, expr); got != want {
			t.Errorf("%s = %q, want %q", expr, got, want)
		}
	}
}

func TestLabelQueries(t *testing.T) {
	s := series.New(series.Options{})
	s.Append("a", at(100), step, []series.Sample{sample(1, "__name__", "x", "site", "b"), sample(1, "__name__", "x", "site", "a")})
	q, err := s.Querier(0, 1e9)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	names, _, _ := q.LabelNames(context.Background(), nil)
	values, _, _ := q.LabelValues(context.Background(), "site", nil)
	if d := cmp.Diff([]string{"__name__", "site", "a", "b"}, append(names, values...)); d != "" {
		t.Error(d)
	}
	set := q.Select(context.Background(), true, nil)
	for _, want := range []string{"a", "b"} {
		if !set.Next() || set.At().Labels().Get("site") != want {
			t.Fatalf("sorted select: want site %s next", want)
		}
	}
}

func TestQuerierSeesOneCut(t *testing.T) {
	s := series.New(series.Options{})
	put := func(i int) {
		v := float64(i)
		s.Append("a", at(100+v), step, []series.Sample{sample(v, "__name__", "x"), sample(v, "__name__", "y")})
	}
	put(0)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 1; i < 500; i++ {
			put(i)
		}
	})
	wg.Go(func() {
		for range 200 {
			if got := query(t, s, 5000, "x - on() y"); got != "" && got != "{} 0;" {
				t.Errorf("x - y = %q: the query saw half a set", got)
				return
			}
			if got := query(t, s, 150, "last_over_time(x[1h]) - on() last_over_time(y[1h])"); got != "{} 0;" {
				t.Errorf("x - y = %q: the query saw half a set", got)
				return
			}
		}
	})
	wg.Wait()
}

func TestViewsFillHoles(t *testing.T) {
	build := func() *series.Store {
		s := series.New(series.Options{})
		x := func(v float64) []series.Sample { return []series.Sample{sample(v, "__name__", "x")} }
		s.Append("a", at(100), step, x(1)) // silent from 110
		s.Append("a", at(130), step, x(2))
		s.Append("a", at(135), step, nil) // vanished
		s.Append("a", at(150), step, x(3))
		s.Append("a", at(155), step, x(math.NaN()))
		s.Append("a", at(160), step, x(math.NaN())) // silent from 170
		return s
	}
	const one, two, three = `{__name__="x"} 1;`, `{__name__="x"} 2;`, `{__name__="x"} 3;`
	const nan = `{__name__="x"} NaN;`
	for _, c := range []struct {
		name  string
		carry series.Carry
		want  map[float64]string
	}{
		{"nothing", series.Carry{}, map[float64]string{109: one, 110: "", 129: "", 135: "", 155: nan, 170: ""}},
		{"silence 10s", series.Carry{Silence: 10 * time.Second}, map[float64]string{110: one, 119: one, 120: "", 129: "", 135: "", 155: nan, 170: "", 400: ""}},
		{"silence always", series.Carry{Silence: series.Always}, map[float64]string{129: one, 130: two, 135: "", 155: nan}},
		{"vanish 10s", series.Carry{Vanish: 10 * time.Second}, map[float64]string{110: "", 135: two, 144: two, 145: "", 149: ""}},
		{"NaN 5s", series.Carry{NaN: 5 * time.Second}, map[float64]string{155: three, 160: nan}},
		{"all", series.Carry{Silence: series.Always, Vanish: series.Always, NaN: series.Always}, map[float64]string{129: one, 149: two, 160: three, 500: three}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := build()
			for sec, want := range c.want {
				if got := query(t, s.View(c.carry), sec, "x"); got != want {
					t.Errorf("x at %v = %q, want %q", sec, got, want)
				}
			}
		})
	}
	s := build()
	s.EndSource("a", at(161))
	for sec, want := range map[float64]string{160.5: three, 161: three, 164.9: three, 165: ""} {
		if got := query(t, s.View(series.Carry{NaN: series.Always, End: 10 * time.Second}), sec, "x"); got != want {
			t.Errorf("not a number since 155, ended at 161, carried for 10 s: x at %v = %q, want %q", sec, got, want)
		}
	}
	if got := query(t, build().View(series.Carry{Silence: series.Always}), 129, "count_over_time(x[20s])"); got != "{} 4;" {
		t.Errorf("a range over a filled hole counts %q, want a sample each interval", got)
	}
}

func TestChanges(t *testing.T) {
	s := series.New(series.Options{Retention: 10 * time.Minute})
	x := []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "__name__", "x")}
	y := []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "__name__", "y")}
	s.Append("a", at(100), step, []series.Sample{sample(1, "__name__", "x")})
	s.Append("b", at(101), step, []series.Sample{sample(1, "__name__", "y")})
	first := s.Changes(0, x)
	if d := cmp.Diff(series.Changes{Times: []int64{100000}, Seq: 2, Complete: true}, first); d != "" {
		t.Error(d)
	}
	// A long silence, then a sample: both are told, the silence by its begin.
	s.Append("a", at(150), step, []series.Sample{sample(1, "__name__", "x")})
	s.EndSource("b", at(151))
	if d := cmp.Diff([]int64{110000, 150000}, s.Changes(first.Seq, x).Times); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]int64{110000, 111000, 150000, 151000}, s.Changes(first.Seq, x, y).Times); d != "" {
		t.Error(d)
	}
	if got := s.Changes(s.Seq(), x, y); len(got.Times) != 0 {
		t.Errorf("nothing new, yet %v", got.Times)
	}
	// A set of another source that comes late is still news.
	seen := s.Seq()
	s.Append("late", at(120), step, []series.Sample{sample(1, "__name__", "x", "site", "z")})
	if d := cmp.Diff([]int64{120000}, s.Changes(seen, x).Times); d != "" {
		t.Error(d)
	}
	for i := range 300 {
		s.Append("a", at(200+5*float64(i)), step, []series.Sample{sample(1, "__name__", "x")})
	}
	if s.Changes(seen, x).Complete {
		t.Error("changes older than the retention are claimed to be complete")
	}
}

func TestCoverage(t *testing.T) {
	s := series.New(series.Options{})
	ms := labels.MustNewMatcher(labels.MatchEqual, "__name__", "x")
	v := func(name string, v float64) series.Sample { return sample(v, "__name__", "x", "n", name) }
	s.Append("a", at(100), step, []series.Sample{v("live", 1), v("nan", math.NaN()), v("gone", 1)})
	s.Append("b", at(95), step, []series.Sample{v("silent", 1)})
	s.Append("a", at(105), step, []series.Sample{v("live", 1), v("nan", math.NaN())})
	if d := cmp.Diff(series.Coverage{Live: 1, Missing: 2, Gone: 1}, s.Coverage(s.Milli(at(106)), ms)); d != "" {
		t.Error(d)
	}
	s.EndSource("b", at(106.5))
	if d := cmp.Diff(series.Coverage{Live: 1, Missing: 1, Gone: 1, Ended: 1}, s.Coverage(s.Milli(at(107)), ms)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(series.Coverage{Live: 3, Missing: 1}, s.Coverage(s.Milli(at(101)), ms)); d != "" {
		t.Error(d)
	}
}

// A step of the wall clock must not tear a hole: times with a monotonic reading
// are counted from the epoch.
func TestWallClockSteps(t *testing.T) {
	epoch := time.Now()
	s := series.New(series.Options{Epoch: epoch})
	if got := s.Milli(epoch.Add(1500*time.Millisecond)) - s.Milli(epoch); got != 1500 {
		t.Errorf("1.5 s after the epoch is %d ms", got)
	}
	if got := s.Time(s.Milli(epoch)); got.UnixMilli() != epoch.UnixMilli() {
		t.Errorf("the epoch is shown as %v, want %v", got, epoch)
	}
}

func TestStaleMarkersAreRead(t *testing.T) {
	s := series.New(series.Options{})
	s.Append("a", at(100), step, []series.Sample{sample(1, "__name__", "x")})
	s.Append("a", at(200), step, []series.Sample{sample(1, "__name__", "x")})
	got := s.Select(0, s.Milli(at(300)), labels.MustNewMatcher(labels.MatchEqual, "__name__", "x"))[0].Points
	if len(got) != 4 {
		t.Fatalf("points %v, want two samples, each with the marker of the silence after it", got)
	}
	for i, want := range []int64{100000, 110000, 200000, 210000} {
		if got[i].T != want || value.IsStaleNaN(got[i].V) != (i%2 == 1) {
			t.Errorf("point %d is %v", i, got[i])
		}
	}
}
