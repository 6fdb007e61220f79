package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// quantity is something that is measured, and how much more of it the last third of
// the time may have than the second third. The first third is warm-up: the history of
// the rules is ten minutes long, and files are made. Compared is the ebb, the tenth
// part of the samples that is least: what a leak leaves stays also when nothing is
// under way. The medians, which tell of what is under way too, may differ by three
// times as much.
type quantity struct {
	name   string
	metric string
	store  bool    // of the store's member, not of the daemon
	unit   float64 // what one is shown as
	more   float64 // the part of it that is noise
	atMost float64 // and what is allowed besides, in units
	grows  bool    // by design: it is shown and not judged
}

const mib = 1 << 20

// quantities are what is judged. Memory is what Go has in use: the resident size
// follows it late.
func quantities() []quantity {
	return []quantity{
		{name: "heap MiB", metric: "go_memstats_alloc_bytes", unit: mib, more: 0.03, atMost: 0.5},
		{name: "resident MiB", unit: mib, more: 0.03, atMost: 2},
		{name: "goroutines", metric: "go_goroutines", unit: 1, atMost: 5},
		{name: "open files", metric: "process_open_fds", unit: 1, atMost: 5},
		{name: "threads", metric: "go_threads", unit: 1, atMost: 2},
		{name: "store heap MiB", metric: "go_memstats_alloc_bytes", store: true, unit: mib, more: 0.1, atMost: 3},
		{name: "store resident MiB", unit: mib, more: 0.1, atMost: 4},
		{name: "store goroutines", metric: "go_goroutines", store: true, unit: 1, atMost: 5},
		{name: "store open files", metric: "process_open_fds", store: true, unit: 1, atMost: 5},
		{name: "store keys", unit: 1, more: 0.2, atMost: 20},
		{name: "store keys of past", unit: 1, grows: true},                                                   // each group that was ever seen, and what was begun within an hour
		{name: "store MiB", metric: "etcd_mvcc_db_total_size_in_bytes", store: true, unit: mib, grows: true}, // for an hour: so long it remembers what is past
		{name: "files", unit: 1, atMost: 2},
		{name: "file MiB", unit: mib, atMost: 8},
		{name: "children", unit: 1},
		{name: "journal files", unit: 1, grows: true},
		{name: "journal MiB", unit: mib, grows: true},
	}
}

// settling is how old a life must be to be measured: a start reads and builds much.
const settling = time.Minute

// judge compares the second and the last third of each observer's time, and says
// what grows.
func judge(all []sample) (table string, grows []string) {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "observer\tquantity\tmedian 1st\t2nd\t3rd third\tebb 2nd\t3rd\tmost 3rd\tmay grow by\t\t")
	var names []string
	end := time.Duration(0)
	for _, s := range all {
		end = max(end, s.at)
		if !slices.Contains(names, s.daemon) {
			names = append(names, s.daemon)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, q := range quantities() {
			var thirds [3][]float64
			for _, s := range all {
				if v, ok := s.values[q.name]; ok && s.daemon == name && s.age >= settling {
					third := min(2, int(3*s.at/(end+1)))
					thirds[third] = append(thirds[third], v/q.unit)
				}
			}
			ebb, grown := quantile(thirds[1], 0.1), quantile(thirds[2], 0.1)
			middle, risen := quantile(thirds[1], 0.5), quantile(thirds[2], 0.5)
			allowed := q.atMost + q.more*ebb
			verdict := "flat"
			switch {
			case q.grows:
				verdict = "by design"
			case math.IsNaN(ebb) || math.IsNaN(grown):
				verdict = "NOT MEASURED"
				grows = append(grows, fmt.Sprintf("%s, %s: it was not measured", name, q.name))
			case grown-ebb > allowed || risen-middle > 3*allowed:
				verdict = "GROWS"
				grows = append(grows, fmt.Sprintf("%s, %s: ebb %.1f in the second third and %.1f in the last, median %.1f and %.1f; the ebb may grow by %.1f", name, q.name, ebb, grown, middle, risen, allowed))
			}
			fmt.Fprintf(tw, "%s\t%s\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%s\t\n", name, q.name,
				quantile(thirds[0], 0.5), middle, risen, ebb, grown, quantile(thirds[2], 1), allowed, verdict)
		}
	}
	_ = tw.Flush() // into memory
	return b.String(), grows
}

// quantile is NaN of nothing.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	slices.Sort(v)
	return v[int(q*float64(len(v)-1))]
}
