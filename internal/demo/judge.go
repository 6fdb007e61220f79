package demo

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/drwatch/drwatch/internal/console"
	"github.com/drwatch/drwatch/internal/replication"
)

// allIncidents is more than a play has.
const allIncidents = 10000

// judge compares the promise with the clouds' own log of effects, prints the
// result and leaves it in a report.
func (p *play) judge(ctx context.Context, promises []promise) bool {
	incidents := map[string]replication.Incident{}
	p.look(ctx)
	for _, i := range p.seen.incidents {
		incidents[i.Group] = i
	}
	var text strings.Builder
	ok := true
	tw := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "GROUP\tPROVIDER\tPROMISED\tFAILOVERS\tRPO\tRTO\tRESULT")
	for _, x := range promises {
		n := p.cloud.EffectiveFailovers(x.ID)
		i := incidents[x.ID]
		good := n == 0 && i.ID == ""
		if x.moves {
			good = n == 1 && i.Phase == replication.Succeeded
		}
		ok = ok && good
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", x.Name, x.Provider, promised(x.moves), n, seconds(i.RPOSeconds, x.moves), seconds(i.RTOSeconds, x.moves), result(good, i))
	}
	if err := tw.Flush(); err != nil {
		ok = false
	}
	fmt.Fprintln(&text, "\nCalls that each cloud got (reads, then mutating calls)")
	for _, provider := range replication.Providers() {
		mutating := 0
		for _, e := range p.cloud.Effects() {
			if e.Provider == provider && e.Kind == "call" {
				mutating++
			}
		}
		fmt.Fprintf(&text, "  %-12s %5d  %d\n", provider, p.cloud.Calls(provider, "")-mutating, mutating)
	}
	fmt.Fprintf(&text, "\nLeaders: %s\n", p.leaders())
	if !p.observers[first].isLost() {
		ok = false
		fmt.Fprintf(&text, "  %s was to be killed in the middle; it never came to that.\n", first)
	}
	verdict := "PROMISE KEPT: every promised failover was made exactly once and proven; nothing else was touched."
	if !ok {
		verdict = "PROMISE BROKEN: see the table."
	}
	fmt.Fprintf(&text, "\n%s\n", verdict)
	p.say.clear()
	p.say.text(text.String())
	p.report(ctx, text.String())
	return ok
}

// leaders tells who led from when on, in seconds of the play.
func (p *play) leaders() string {
	var parts []string
	for _, r := range p.led {
		parts = append(parts, fmt.Sprintf("%s from %.1f s", r.name, r.at.Sub(p.say.start).Seconds()))
	}
	return fmt.Sprintf("%s (changes: %d)", strings.Join(parts, ", "), max(0, len(parts)-1))
}

func promised(moves bool) string {
	if moves {
		return "once"
	}
	return "never"
}

func seconds(s *float64, moves bool) string {
	switch {
	case !moves:
		return "-"
	case s == nil:
		return "not told"
	}
	return fmt.Sprintf("%.1f s", *s)
}

func result(good bool, i replication.Incident) string {
	switch {
	case good && i.ID == "":
		return "untouched"
	case good:
		return "moved and proven"
	case i.ID == "":
		return "WRONG: no incident"
	}
	return "WRONG: " + string(i.Phase) + " " + i.HeldBy + i.Error
}

// report leaves the result and the journals of all incidents in a file.
func (p *play) report(ctx context.Context, text string) {
	f, err := os.CreateTemp("", "drwatch-demo-report-*.txt")
	if err != nil {
		p.say.line("no report: %v", err)
		return
	}
	defer f.Close()
	fmt.Fprintln(f, text)
	for _, i := range p.seen.incidents {
		whole, err := p.observers[witness].api.Incident(ctx, i.ID)
		if err == nil {
			fmt.Fprintln(f)
			err = console.Incident(f, whole)
		}
		if err != nil {
			fmt.Fprintf(f, "incident %s: %v\n", i.ID, err)
		}
	}
	p.say.line("Report with every journal: %s", f.Name())
}
