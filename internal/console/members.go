package console

import (
	"fmt"
	"io"

	"github.com/drwatch/drwatch/internal/api"
)

// Members writes one line a member of the coordination store, and below them what
// is not as the configuration says.
func Members(w io.Writer, m api.Members) error {
	if !m.Agreed {
		fmt.Fprintln(w, "NO MAJORITY: this is what this observer knew last")
	}
	err := table(w, "MEMBER\tSITE\tPEER URL\tSTARTED\tALIVE\tSTORE LEADER\tVERSION", func(row func(...any)) {
		for _, one := range m.Members {
			name := orDash(one.Name)
			if one.Self {
				name += " (asked)"
			}
			row(name, orDash(one.Site), orDash(one.PeerURL), yes(one.Started), yes(one.Alive), leader(one.Leads), orDash(one.Version))
		}
	})
	if len(m.Members) == 1 && m.Members[0].PeerURL == "" {
		fmt.Fprintln(w, "one observer alone: its store has no other members")
	}
	for _, n := range m.Notes {
		fmt.Fprintln(w, "! "+n)
	}
	return err
}

func leader(leads bool) string {
	if leads {
		return "yes"
	}
	return "-"
}
