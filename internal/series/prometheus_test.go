package series_test

import (
	"context"
	"fmt"
	"math"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/drwatch/drwatch/internal/series"
)

// history is five minutes of four series that come, go and turn NaN, in sets
// that come on time: the per-series look-back changes nothing, so Prometheus's
// own storage must give the same answers. put is called for each set, with the
// sites that were in the one before and are not in it.
func history(seed int64, put func(ms int64, set []series.Sample, gone []labels.Labels)) {
	r := rand.New(rand.NewSource(seed))
	had := map[int]bool{}
	for i := range 60 {
		var set []series.Sample
		var gone []labels.Labels
		for n := range 4 {
			ls := labels.FromStrings("__name__", "x", "site", "s"+strconv.Itoa(n))
			v := float64(r.Intn(2))
			switch r.Intn(8) {
			case 0:
				v = math.NaN()
			case 1, 2:
				if had[n] {
					gone = append(gone, ls)
				}
				had[n] = false
				continue
			}
			had[n] = true
			set = append(set, series.Sample{Labels: ls, Value: v})
		}
		put(int64(100000+5000*i), set, gone)
	}
}

var questions = []string{
	`x`, `x == 0`, `count by (site)(x == 0)`, `max_over_time(x[1m])`, `rate(x[1m])`, `changes(x[40s])`,
	`x offset 20s`, `x unless on(site) (x == 1)`, `avg_over_time(x[30s:5s])`, `x and on(site) min_over_time(x[20s]) == 0`,
	`sum(x)`, `absent(x{site="s1"})`, `timestamp(x)`, `count_over_time(x[1m])`, `last_over_time(x[15s])`,
}

// TestSameAnswersAsPrometheus compares with answers that Prometheus v0.315.0
// gave over its own storage, recorded in testdata/prometheus.txt: one line per
// seed, time and question.
func TestSameAnswersAsPrometheus(t *testing.T) {
	want, err := os.ReadFile("testdata/prometheus.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(want), "\n"), "\n")
	for seed := range int64(2) {
		s := series.New(series.Options{Retention: time.Hour})
		history(seed, func(ms int64, set []series.Sample, _ []labels.Labels) {
			s.Append("a", time.UnixMilli(ms), 5*time.Second, set)
		})
		for sec := 101.3; sec < 398; sec += 12.1 {
			for _, e := range questions {
				if len(lines) == 0 {
					t.Fatal("the recording is shorter than the questions")
				}
				got := fmt.Sprintf("%d %.1f %s => %s", seed, sec, e, query(t, s, sec, "sort_by_label("+e+", \"site\")"))
				if got != lines[0] {
					t.Fatalf("\n got %s\nwant %s", got, lines[0])
				}
				lines = lines[1:]
			}
		}
	}
}

// TestIterator checks the contract that the engine relies on, Seek above all.
func TestIterator(t *testing.T) {
	s := series.New(series.Options{})
	for i := range 10 {
		s.Append("a", at(100+float64(i)*5), step, []series.Sample{sample(float64(i), "__name__", "x")})
	}
	q, _ := s.Querier(0, 200000)
	defer q.Close()
	set := q.Select(context.Background(), false, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", "x"))
	if !set.Next() {
		t.Fatal("no series")
	}
	it := set.At().Iterator(nil)
	seek := func(sec float64, wantT int64) {
		t.Helper()
		typ := it.Seek(int64(sec * 1000))
		if wantT == 0 {
			if typ != chunkenc.ValNone {
				t.Errorf("Seek(%v) found %d, want the end", sec, it.AtT())
			}
			return
		}
		if typ != chunkenc.ValFloat || it.AtT() != wantT {
			t.Errorf("Seek(%v) = %v at %d, want %d", sec, typ, it.AtT(), wantT)
		}
	}
	seek(0, 100000)
	seek(101, 105000)
	seek(103, 105000) // no step back, no step on
	seek(50, 105000)
	it.Next()
	if it.AtT() != 110000 {
		t.Errorf("Next after Seek is at %d", it.AtT())
	}
	seek(145, 145000)
	seek(146, 155000) // the marker of the silence
	if _, v := it.At(); !value.IsStaleNaN(v) {
		t.Errorf("after the last sample: %v, want the stale marker", v)
	}
	seek(156, 0)
	seek(100, 0)
	if it.Next() != chunkenc.ValNone || it.Err() != nil {
		t.Error("an exhausted iterator goes on")
	}
	it = set.At().Iterator(it)
	n := 0
	for it.Next() != chunkenc.ValNone {
		n++
	}
	if n != 11 {
		t.Errorf("%d points, want 10 samples and one marker", n)
	}
}

func bigSet(groups int) []series.Sample {
	var out []series.Sample
	for g := range groups {
		for m := range 15 {
			out = append(out, sample(float64(m), "__name__", "metric"+strconv.Itoa(m), "account", "a", "group", "g"+strconv.Itoa(g)))
		}
	}
	return out
}

func BenchmarkAppend20kGroups(b *testing.B) {
	s, set, i := series.New(series.Options{}), bigSet(20000), 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		s.Append("a", at(float64(i)*30), 30*time.Second, set)
	}
}

func BenchmarkSelectOneOf20kGroups(b *testing.B) {
	s := series.New(series.Options{})
	s.Append("a", at(30), 30*time.Second, bigSet(20000))
	ms := []*labels.Matcher{
		labels.MustNewMatcher(labels.MatchEqual, "__name__", "metric3"),
		labels.MustNewMatcher(labels.MatchEqual, "group", "g777"),
	}
	for b.Loop() {
		if len(s.Select(0, 1e9, ms...)) != 1 {
			b.Fatal("not found")
		}
	}
}
