package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// tally counts the mutants of a file.
type tally struct {
	all, killed, timedOut, notCompiled, survived, explained int
}

func (t *tally) add(v verdict, explained bool) {
	t.all++
	switch v {
	case killed:
		t.killed++
	case timedOut:
		t.timedOut++
	case notCompiled:
		t.notCompiled++
	case survived, notReached:
		t.survived++
		if explained {
			t.explained++
		}
	}
}

// score is how many of a hundred were noticed, of those that compile. Those that
// are explained are not counted as noticed.
func (t *tally) score() float64 { return percent(t.killed+t.timedOut, t.all-t.notCompiled) }

// rest is the score of those that make a difference: without the explained.
func (t *tally) rest() float64 {
	return percent(t.killed+t.timedOut, t.all-t.notCompiled-t.explained)
}

func percent(part, all int) float64 {
	if all == 0 {
		return 100
	}
	return 100 * float64(part) / float64(all)
}

// report is what a run has found.
type report struct {
	files     []string
	tallies   map[string]*tally
	survivors []*mutant
	why       map[key]string
	verdicts  map[*mutant]verdict
	stale     []key // explained, and not there or noticed now
}

func newReport(mutants []*mutant, verdicts map[*mutant]verdict, why map[key]string) *report {
	r := &report{tallies: map[string]*tally{}, why: why, verdicts: verdicts}
	known := map[key]bool{}
	for _, m := range mutants {
		v, ran := verdicts[m]
		if !ran {
			continue
		}
		if r.tallies[m.file] == nil {
			r.tallies[m.file] = &tally{}
			r.files = append(r.files, m.file)
		}
		_, explained := why[m.key()]
		r.tallies[m.file].add(v, explained)
		if v == survived || v == notReached {
			r.survivors = append(r.survivors, m)
			known[m.key()] = true
		}
	}
	for k := range why {
		if r.tallies[k.file] != nil && !known[k] {
			r.stale = append(r.stale, k)
		}
	}
	return r
}

func (r *report) total() *tally {
	sum := &tally{}
	for _, t := range r.tallies {
		sum.all += t.all
		sum.killed += t.killed
		sum.timedOut += t.timedOut
		sum.notCompiled += t.notCompiled
		sum.survived += t.survived
		sum.explained += t.explained
	}
	return sum
}

// write prints the survivors that nobody has explained, the explanations that fit
// nothing, and the table.
func (r *report) write(w io.Writer) {
	for _, m := range r.survivors {
		if _, ok := r.why[m.key()]; !ok {
			fmt.Fprintf(w, "%s:%d: %s, and nobody has said why it may:\n%s\n", m.file, m.line, r.verdicts[m], m.entry())
		}
	}
	for _, k := range r.stale {
		fmt.Fprintf(w, "%s %s: %q as %q is explained, and is not there any more or is noticed now\n", k.file, k.fun, k.was, k.is)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "mutants\tkilled\ttimed out\tnot compiled\tsurvived\texplained\tscore\twithout explained\t\tfile")
	for _, f := range r.files {
		r.tallies[f].row(tw, f)
	}
	r.total().row(tw, "all")
	_ = tw.Flush()
}

func (t *tally) row(w io.Writer, name string) {
	fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%d\t%.1f %%\t%.1f %%\t\t%s\n", t.all, t.killed, t.timedOut, t.notCompiled, t.survived, t.explained, t.score(), t.rest(), name)
}

// fault says why the run does not pass, "" when it does.
func (r *report) fault(atLeast float64) string {
	unexplained := len(r.survivors)
	for _, m := range r.survivors {
		if _, ok := r.why[m.key()]; ok {
			unexplained--
		}
	}
	switch {
	case unexplained > 0:
		return fmt.Sprintf("%d mutants survived that nobody has explained", unexplained)
	case len(r.stale) > 0:
		return fmt.Sprintf("%d explanations fit no survivor", len(r.stale))
	case r.total().score() < atLeast:
		return fmt.Sprintf("the score is under %g %%", atLeast)
	}
	return ""
}
