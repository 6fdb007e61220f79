package ledger

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/drwatch/drwatch/internal/replication"
)

// maxRecord bounds what one record of an incident or journal may take in the
// store (protocol §6).
const maxRecord = 16 << 10

// evidenceLimit bounds the evidence text of a published vote.
const evidenceLimit = 120

// cut shortens a text to at most n bytes, at a rune's border, and says so.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	const mark = "…"
	n -= len(mark)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:max(n, 0)] + mark
}

// finite makes a sample storable: JSON has no NaN and no infinity.
func finite(v float64) float64 {
	switch {
	case math.IsNaN(v):
		return 0
	case math.IsInf(v, 1):
		return math.MaxFloat64
	case math.IsInf(v, -1):
		return -math.MaxFloat64
	}
	return v
}

// fitIncident brings an incident into its stored form of at most maxRecord
// bytes: texts are shortened step by step, then calls that had no effect give
// way to the newest. stored is what it replaces. The given incident's slices are
// not changed.
func fitIncident(inc replication.Incident, stored []byte) (replication.Incident, []byte, error) {
	inc.Trigger.Value = finite(inc.Trigger.Value)
	for _, limit := range []int{1 << 10, 256, 64} {
		inc = shorten(inc, limit)
		if limit == 64 {
			inc.Calls = fewerCalls(inc.Calls)
		}
		b, err := json.Marshal(inc)
		if err == nil {
			b, err = keeping[replication.Incident](stored, b)
		}
		if err != nil {
			return inc, nil, fmt.Errorf("incident %s: %w", inc.ID, err)
		}
		if len(b) <= maxRecord {
			return inc, b, nil
		}
	}
	return inc, nil, fmt.Errorf("incident %s does not fit into a record of %d bytes, even with its texts cut: it has %d votes, %d guards, %d calls",
		inc.ID, maxRecord, len(inc.Votes), len(inc.Guards), len(inc.Calls))
}

func shorten(inc replication.Incident, limit int) replication.Incident {
	inc.Error, inc.HeldBy = cut(inc.Error, limit), cut(inc.HeldBy, limit)
	inc.Trigger.Expr = cut(inc.Trigger.Expr, 4*limit)
	inc.Votes = mapped(inc.Votes, func(v replication.Vote) replication.Vote {
		v.Value, v.Evidence = finite(v.Value), cut(v.Evidence, limit)
		return v
	})
	inc.Guards = mapped(inc.Guards, func(g replication.Condition) replication.Condition {
		g.Value, g.Threshold = cut(g.Value, limit), cut(g.Threshold, limit)
		return g
	})
	inc.Calls = mapped(inc.Calls, func(c replication.Call) replication.Call {
		c.Error = cut(c.Error, limit)
		return c
	})
	if inc.Person != nil {
		p := *inc.Person
		p.Who, p.From, p.Reason = cut(p.Who, 256), cut(p.From, 256), cut(p.Reason, limit)
		inc.Person = &p
	}
	inc.Approvals = mapped(inc.Approvals, func(a replication.Approval) replication.Approval {
		a.Who, a.Reason = cut(a.Who, 256), cut(a.Reason, limit)
		return a
	})
	return inc
}

// mapped is f of each element, in a slice of its own; nil stays nil.
func mapped[T any](in []T, f func(T) T) []T {
	if in == nil {
		return nil
	}
	out := make([]T, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

// fewerCalls keeps each call that may have had an effect, and the newest eight
// of the others; the journal has them all.
func fewerCalls(calls []replication.Call) []replication.Call {
	var out []replication.Call
	for i, c := range calls {
		harmless := c.Outcome == replication.NotSent || c.Outcome == replication.Throttled || c.Outcome == replication.Rejected
		if !harmless || i >= len(calls)-8 {
			out = append(out, c)
		}
	}
	return out
}

// fitEntry bounds a journal entry; data too large to keep is named by its size.
func fitEntry(e replication.Entry) replication.Entry {
	e.Event, e.Text = cut(e.Event, 64), cut(e.Text, 2<<10)
	if len(e.Data) == 0 {
		e.Data = nil
		return e
	}
	if b, err := json.Marshal(e.Data); err == nil && len(b) > maxRecord-(4<<10) {
		e.Data = map[string]any{"left_out_bytes": len(b)}
	}
	return e
}
