package failover_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

var update = flag.Bool("update", false, "write testdata/lattice.golden anew")

const legend = `What Decide answers, one row for each point of the lattice that is pinned; how to read it stands in docs/how-it-decides.md.
A row is what deviates from the snapshot in which all holds, the answer, and, the nearest first, the conditions that block it.
`

// TestLattice pins the decisions on the points that matter most: every deviation
// alone, with the change that each condition wants, for all providers, before the
// claim and under it; every pair of deviations of the provider that has most
// conditions; and every combination of three observers' verdicts.
func TestLattice(t *testing.T) {
	var got bytes.Buffer
	got.WriteString(legend)
	rows := 0
	section := func(l lattice, what string, points []point, row func(failover.Snapshot, failover.Decision) string) {
		fmt.Fprintf(&got, "\n== %s: %s\n", l.name(), what)
		for _, p := range points {
			s := l.at(p...)
			text := p.String()
			fmt.Fprintf(&got, "%s%s  %s\n", text, strings.Repeat(" ", max(0, 62-utf8.RuneCountInString(text))), row(s, failover.Decide(s)))
			rows++
		}
	}
	all := lattices(t)
	for _, l := range all {
		section(l, "one deviation", append([]point{{}}, l.singles()...), inFull)
	}
	for _, l := range all {
		if l.provider == replication.HuaweiDWS && l.claimed {
			section(l, "two deviations", short(l, "provider").pairs(), answer)
		}
	}
	section(all[0], "verdicts of obs-a at the active site, obs-b and obs-w; two must agree, a veto blocks", patterns(3), answer)
	if rows < 1000 {
		t.Errorf("%d rows are pinned, fewer than 1000", rows)
	}
	t.Logf("%d rows", rows)

	file := filepath.Join("testdata", "lattice.golden")
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, string(want), got.String())
}

// compare tells the rows that are otherwise, new or gone.
func compare(t *testing.T, want, got string) {
	if want == got {
		return
	}
	was, old := rowsOf(want)
	is, now := rowsOf(got)
	var told []string
	for _, row := range now {
		if before, ok := was[row]; !ok {
			told = append(told, fmt.Sprintf("new: %s: %s", row, is[row]))
		} else if before != is[row] {
			told = append(told, fmt.Sprintf("%s:\n-%s\n+%s", row, before, is[row]))
		}
	}
	for _, row := range old {
		if _, ok := is[row]; !ok {
			told = append(told, "gone: "+row)
		}
	}
	t.Errorf("%d rows are otherwise; if they are right: go test ./internal/failover -run 'TestLattice$' -update\n%s", len(told), strings.Join(told[:min(len(told), 10)], "\n"))
}

// rowsOf are the answers by section and deviations, and those in their order.
func rowsOf(file string) (answers map[string]string, order []string) {
	answers = map[string]string{}
	section := ""
	for line := range strings.SplitSeq(file, "\n") {
		if what, ok := strings.CutPrefix(line, "== "); ok {
			section = what
		}
		row, answer, _ := strings.Cut(line, "  ")
		row = section + ": " + row
		answers[row], order = strings.TrimSpace(answer), append(order, row)
	}
	return answers, order
}

// short is the lattice with one each of the deviations of an axis that are answered
// the same: what they are alone is pinned, and looked at, alone.
func short(l lattice, which ...string) lattice {
	axes := slices.Clone(l.axes)
	for i, a := range axes {
		if len(which) > 0 && !slices.Contains(which, a.name) {
			continue
		}
		axes[i].values = nil
		seen := map[string]bool{}
		for _, d := range a.values {
			s := l.at(d)
			if judged := answer(s, failover.Decide(s)); !seen[judged] {
				seen[judged] = true
				axes[i].values = append(axes[i].values, d)
			}
		}
	}
	l.axes = axes
	return l
}

// answer is the verdict and the conditions that block. Under a claim a no either
// holds the incident or ends it.
func answer(s failover.Snapshot, d failover.Decision) string {
	if d.Act {
		return fmt.Sprintf("YES %s", d.Mode)
	}
	names := make([]string, len(d.Nearest))
	for i, c := range d.Nearest {
		names[i] = c.Condition
	}
	word := "no"
	switch {
	case s.Claim != nil && d.Evidence:
		word = "held"
	case s.Claim != nil:
		word = "ended"
	}
	return word + "  " + strings.Join(names, ", ")
}

// inFull is the answer with the nearest change in words.
func inFull(s failover.Snapshot, d failover.Decision) string {
	if d.Act {
		return fmt.Sprintf("%s, until %s", answer(s, d), d.Nearest[0].Text)
	}
	word, names, _ := strings.Cut(answer(s, d), "  ")
	_, rest, more := strings.Cut(names, ", ")
	text := word + "  " + d.Nearest[0].Condition + ": " + d.Nearest[0].Text
	if more {
		text += "; " + rest
	}
	return text
}

// verdicts are what an observer may say of the group, or that it says nothing which
// counts.
func verdicts() []string {
	return []string{"go", "pending", "veto", "abstain", "none", "other hash", "dead"}
}

// patterns are all combinations of that many observers' verdicts. The first stands
// at the active site.
func patterns(observers int) (out []point) {
	total := 1
	for range observers {
		total *= len(verdicts())
	}
	for n := range total {
		said := make([]string, observers)
		for i, rest := 0, n; i < observers; i, rest = i+1, rest/len(verdicts()) {
			said[observers-1-i] = verdicts()[rest%len(verdicts())]
		}
		out = append(out, point{{name: strings.Join(said, ", "), set: func(s *failover.Snapshot) { say(s, said) }}})
	}
	return out
}

// say makes the observers say that, the first at az-a, the second at az-b, and each
// of the others at a site of its own.
func say(s *failover.Snapshot, said []string) {
	s.Cluster.Votes, s.Cluster.Observers, s.Beating = nil, nil, map[string]bool{}
	for i, what := range said {
		name, site := fmt.Sprintf("obs-%d", i), fmt.Sprintf("site-%d", i)
		if i < 2 {
			site = []string{"az-a", "az-b"}[i]
		}
		s.Cluster.Observers = append(s.Cluster.Observers, replication.Observer{Name: name, Site: site})
		s.Beating[name] = what != "dead"
		v := vote(name, site, replication.Verdict(what), s.Target.Group.Key)
		switch what {
		case "none":
			continue
		case "other hash":
			v.Verdict, v.RuleHash = replication.Go, "other"
		case "dead":
			v.Verdict = replication.Go
		}
		s.Cluster.Votes = append(s.Cluster.Votes, v)
	}
}
