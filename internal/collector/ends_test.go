package collector_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// A change of the end that answers an account's polls is one line of the log,
// with its reason, which stays to be seen for as long as it holds.
func TestTheEndThatAnswersIsToldOnce(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		first, other := &reader{groups: []replication.Group{plainGroup("g1")}}, &reader{groups: []replication.Group{plainGroup("g1")}}
		a := account("ali", first)
		a.Fallback = other
		h.run(t, only(a))
		lines := func() []string {
			var out []string
			for line := range strings.Lines(h.log.String()) {
				if strings.Contains(line, "account=ali") {
					out = append(out, strings.TrimSpace(line[strings.Index(line, "level="):]))
				}
			}
			h.log.Reset()
			return out
		}
		for _, step := range []struct {
			name       string
			err, other error
			silent     string
			want       []string
		}{
			{name: "at first", want: []string{`level=INFO msg="account answers" account=ali`}},
			{
				name: "the endpoint is lost", err: errors.New("no route"), silent: "no route",
				want: []string{`level=WARN msg="account is told of by its secondary end, its endpoint does not answer" account=ali err="no route"`},
			},
			{name: "and stays so", err: errors.New("refused"), silent: "refused"},
			{name: "it is back", want: []string{`level=INFO msg="account is told of by its primary end again" account=ali`}},
			{
				name: "both are lost", err: errors.New("a"), other: errors.New("b"),
				want: []string{
					`level=WARN msg="poll is not complete, the last good state stays" account=ali err="a; and from the other endpoint: b"`,
					`level=WARN msg="poll is not complete, the last good state stays" account=ali err="a; and from the other endpoint: b"`,
				},
			},
			{
				name: "the other is back", err: errors.New("a"), silent: "a",
				want: []string{`level=WARN msg="account is told of by its secondary end, its endpoint does not answer" account=ali err=a`},
			},
		} {
			first.change(func(r *reader) { r.err = step.err })
			other.change(func(r *reader) { r.err = step.other })
			after(time.Minute)
			if got := lines(); strings.Join(got, "\n") != strings.Join(step.want, "\n") {
				t.Errorf("%s: the log has\n%s\nwant\n%s", step.name, strings.Join(got, "\n"), strings.Join(step.want, "\n"))
			}
			if s := state(t, h, "ali"); s.Silent != step.silent || s.Up != (step.other == nil) {
				t.Errorf("%s: up %v, silent %q, want %q", step.name, s.Up, s.Silent, step.silent)
			}
		}
	})
}
