package collector_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// What could not be read is told once a poll, field by field, with where it
// stands, and never in more than a few lines.
func TestWhatCouldNotBeReadIsLogged(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		h.run(t, only(account("hw", &reader{groups: []replication.Group{plainGroup("g1")}})))
		after(time.Second)
		lines := func() []string {
			var out []string
			for line := range strings.Lines(h.log.String()) {
				if _, rest, ok := strings.Cut(line, "level=WARN msg="); ok {
					out = append(out, strings.TrimSpace(rest))
				}
			}
			h.log.Reset()
			return out
		}
		lines()
		m := h.NewMeter("hw")
		for i := range 5 {
			m.DecodeError(provider.Unread{Call: "ListGroups", Field: "id", Item: fmt.Sprintf("no. %d of its page", i+1)})
		}
		m.DecodeError(provider.Unread{Call: "ListPairs", Field: "progress", Item: "p1"})
		m.DecodeError(provider.Unread{Field: "clock"})
		after(30 * time.Second)
		want := []string{
			`"part of an answer could not be read" account=hw call="" field=clock count=1 items=""`,
			`"part of an answer could not be read" account=hw call=ListGroups field=id count=5 items="no. 1 of its page, no. 2 of its page, no. 3 of its page"`,
			`"part of an answer could not be read" account=hw call=ListPairs field=progress count=1 items=p1`,
		}
		if got := lines(); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("the log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		after(time.Minute)
		if got := lines(); len(got) != 0 {
			t.Errorf("nothing new, and the log has\n%s", strings.Join(got, "\n"))
		}
		for i := range 40 {
			m.DecodeError(provider.Unread{Call: "ListPairs", Field: fmt.Sprint("field", i)})
		}
		after(30 * time.Second)
		if got := lines(); len(got) != 6 || !strings.HasSuffix(got[5], "fields=35") {
			t.Errorf("of 40 fields the log tells\n%s", strings.Join(got, "\n"))
		}
	})
}
