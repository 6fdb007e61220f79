package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/replication"
)

// Actions carries out what a person asks for a group.
type Actions interface {
	// Act judges the action now and, without DryRun, starts it. who is the person
	// and from the address the request came from; both go into the journal.
	//
	// A dry run whose conditions do not hold is an answer, its plan not OK. What
	// cannot be started is ErrRefused, with the plan when there is one: it names
	// what blocks. A group that is not there is ErrNotFound.
	Act(ctx context.Context, ask api.Ask, who, from string) (api.Asked, error)
}

// errMethod is returned for a path that is there and takes another method.
var errMethod = errors.New("method not allowed")

// act serves POST actions, where there is somebody to pass them on to.
func (h handler) act(mux *http.ServeMux) {
	if h.o.Actions == nil {
		return
	}
	const path = "/api/v1/actions"
	mux.HandleFunc("POST "+path, h.localOnly(func(w http.ResponseWriter, r *http.Request) {
		ask, err := readAsk(w, r)
		if err != nil {
			h.answer(w, nil, err)
			return
		}
		who, from := cmp.Or(strings.TrimSpace(ask.Who), "unknown"), host(r.RemoteAddr)
		asked, err := h.o.Actions.Act(r.Context(), ask, who, from)
		h.o.Logger.Info("operator", "path", r.URL.Path, "who", who+"@"+from, "reason", ask.Reason,
			"action", ask.Action, "group", ask.Group, "dry_run", ask.DryRun, "err", err)
		if err != nil && asked.Plan.Group != "" {
			err = withData{err, asked}
		}
		h.answer(w, asked, err)
	}))
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", http.MethodPost)
		h.answer(w, nil, fmt.Errorf("%s %s: %w: it takes POST", r.Method, r.URL.Path, errMethod))
	})
}

// readAsk reads the body of POST actions strictly.
func readAsk(w http.ResponseWriter, r *http.Request) (api.Ask, error) {
	var ask api.Ask
	if err := readBody(w, r, &ask, `{"group": "…", "action": "…", "reason": "…", "dry_run": …}`); err != nil {
		return ask, err
	}
	switch {
	case strings.TrimSpace(ask.Group) == "":
		return ask, badRequest("a group is required: its name or the provider's id")
	case !slices.Contains(replication.Actions(), ask.Action):
		return ask, badRequest(fmt.Sprintf("the action %q is none: want one of %s", ask.Action, actions()))
	case ask.Drill != "" && ask.Action != replication.ClearDrill:
		return ask, badRequest(fmt.Sprintf("a drill is named only with the action %s", replication.ClearDrill))
	case !ask.DryRun && strings.TrimSpace(ask.Reason) == "":
		return ask, badRequest("a reason is required: it goes into the journal")
	case !ask.DryRun && ask.Action == replication.ClearDrill && ask.Drill == "":
		return ask, badRequest("name the drill to clear: the plan of a dry run tells it")
	}
	return ask, shortEnough(ask.Who, ask.Reason)
}

func actions() string {
	var out []string
	for _, a := range replication.Actions() {
		out = append(out, string(a))
	}
	return strings.Join(out, ", ")
}

// withData is an error that is answered with data beside its sentence.
type withData struct {
	error
	data any
}

func (e withData) Unwrap() error { return e.error }
