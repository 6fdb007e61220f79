package demo

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// screen prints lines with the time since the start, and on a terminal keeps a
// table below the newest line.
type screen struct {
	out      io.Writer
	terminal bool
	now      func() time.Time
	start    time.Time
	table    string
	drawn    int // lines of the table on the terminal now
}

func newScreen(out io.Writer, terminal bool, now func() time.Time) *screen {
	return &screen{out: out, terminal: terminal, now: now, start: now()}
}

// line prints one line of the tale.
func (s *screen) line(format string, args ...any) {
	s.erase()
	fmt.Fprintf(s.out, "%6.1f s  %s\n", s.now().Sub(s.start).Seconds(), fmt.Sprintf(format, args...))
	s.paint()
}

// text prints something as it is.
func (s *screen) text(t string) {
	s.erase()
	fmt.Fprintf(s.out, "\n%s\n", t)
	s.paint()
}

// draw replaces the table below the lines. Elsewhere than on a terminal there
// is none.
func (s *screen) draw(rows [][]string) {
	if !s.terminal {
		return
	}
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(tw, strings.Join(r, "\t"))
	}
	if err := tw.Flush(); err != nil || b.String() == s.table {
		return
	}
	s.erase()
	s.table = b.String()
	s.paint()
}

// clear takes the table away for good.
func (s *screen) clear() {
	s.erase()
	s.table = ""
}

func (s *screen) erase() {
	if s.drawn > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.drawn)
		s.drawn = 0
	}
}

func (s *screen) paint() {
	if s.table == "" {
		return
	}
	fmt.Fprint(s.out, s.table)
	s.drawn = strings.Count(s.table, "\n")
}

// table is what the live table shows: one line a group that the lost site
// concerns.
func (p *play) table() [][]string {
	phases := map[string]string{}
	for _, i := range p.seen.incidents {
		phases[i.Group] = string(i.Phase)
		if i.HeldBy != "" {
			phases[i.Group] += " by " + i.HeldBy
		}
	}
	rows := [][]string{{"", "GROUP", "PROVIDER", "ACTIVE", "STATE", "LAG", "INCIDENT"}}
	for _, g := range p.seen.groups {
		lag := "not told"
		if g.LagSeconds != nil {
			lag = fmt.Sprintf("%.0f s", *g.LagSeconds)
		}
		rows = append(rows, []string{"", g.Name, string(g.Provider), g.ActiveSite, string(g.State), lag, phases[g.Group]})
	}
	return rows
}
