package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/replication"
)

// View is what can be seen. It never calls a provider.
type View interface {
	Status() api.Status
	Groups() []api.Group
	Rules() []api.Rule
	Observers() []api.Observer
	// Incidents are the newest, newest first, at most limit.
	Incidents(limit int) []replication.Incident
	Incident(ctx context.Context, id string) (api.Incident, error)
	Explain(account, group string) (api.Explain, error)
	// CheckJournal checks whether every journal is as it was written.
	CheckJournal(ctx context.Context) (api.JournalCheck, error)
}

// Operator is what a person can ask for.
type Operator interface {
	Approve(ctx context.Context, id, who, reason string) error
	Abort(ctx context.Context, id, who, reason string) error
	Ack(ctx context.Context, id, who, reason string) error
	// Freeze returns the freeze that was in force already, and stays.
	Freeze(ctx context.Context, who, reason string) (*replication.Freeze, error)
	// Unfreeze lets drwatch act again; with storeWasReset also after the
	// coordination store was found to be another one than before. It returns the
	// freeze that it lifted, nil when there was none.
	Unfreeze(ctx context.Context, who, reason string, storeWasReset bool) (*replication.Freeze, error)
	Reload(ctx context.Context) error
}

// ErrNotFound is returned by View and Operator for what does not exist.
var ErrNotFound = errors.New("not found")

// ErrRefused is returned by Operator when what is asked for is not possible
// now: too late to abort, nothing to acknowledge.
var ErrRefused = errors.New("refused")

// Options are the parts of a Handler.
type Options struct {
	View     View
	Operator Operator
	Actions  Actions // nil: there are none, and POST actions is not found
	Alerts   Alerts  // nil: nobody takes them, and POST alerts is not found
	Members  Members // nil: they cannot be seen or changed here
	Metrics  http.Handler
	Logger   *slog.Logger
	Now      func() time.Time
}

// maxBody bounds what a client may send.
const maxBody = 64 << 10

// Handler serves everything. Safe for concurrent use.
func Handler(o Options) http.Handler {
	h := handler{o}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", o.Metrics)
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "drwatch is healthy.") })
	mux.HandleFunc("GET /-/ready", h.ready)
	mux.HandleFunc("POST /-/reload", h.localOnly(h.reload))
	mux.HandleFunc("/-/reload", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", "POST")
		http.Error(w, "reload is a POST request: curl -X POST …/-/reload", http.StatusMethodNotAllowed)
	})
	mux.HandleFunc("GET /{$}", h.page)
	h.read(mux)
	h.mutate(mux)
	h.act(mux)
	h.alerts(mux)
	return secure(mux)
}

type handler struct{ o Options }

func (h handler) read(mux *http.ServeMux) {
	get := func(path string, f func(*http.Request) (any, error)) {
		mux.HandleFunc("GET /api/v1/"+path, func(w http.ResponseWriter, r *http.Request) {
			data, err := f(r)
			h.answer(w, data, err)
		})
	}
	get("status", func(*http.Request) (any, error) { return h.o.View.Status(), nil })
	get("groups", func(*http.Request) (any, error) { return h.o.View.Groups(), nil })
	get("rules", func(*http.Request) (any, error) { return h.o.View.Rules(), nil })
	get("observers", func(*http.Request) (any, error) { return h.o.View.Observers(), nil })
	get("incidents", h.incidents)
	get("incidents/{id}", func(r *http.Request) (any, error) { return h.o.View.Incident(r.Context(), r.PathValue("id")) })
	get("journal/check", func(r *http.Request) (any, error) { return h.o.View.CheckJournal(r.Context()) })
	get("explain", func(r *http.Request) (any, error) {
		if r.FormValue("group") == "" {
			return nil, badRequest("explain needs ?group=NAME or ?account=ACCOUNT&group=ID")
		}
		return h.o.View.Explain(r.FormValue("account"), r.FormValue("group"))
	})
	if h.o.Members != nil {
		get("members", func(r *http.Request) (any, error) { return h.o.Members.Members(r.Context()) })
	}
	mux.HandleFunc("/api/v1/", func(w http.ResponseWriter, r *http.Request) {
		h.answer(w, nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, ErrNotFound))
	})
}

func (h handler) mutate(mux *http.ServeMux) {
	answering := func(path string, f func(ctx context.Context, why api.Reason, id string) (any, error)) {
		mux.HandleFunc("POST /api/v1/"+path, h.localOnly(func(w http.ResponseWriter, r *http.Request) {
			why, err := readReason(w, r)
			var data any
			if err == nil {
				why.Who += "@" + host(r.RemoteAddr)
				data, err = f(r.Context(), why, r.PathValue("id"))
				h.o.Logger.Info("operator", "path", r.URL.Path, "who", why.Who, "reason", why.Reason, "err", err)
			}
			h.answer(w, data, err)
		}))
	}
	post := func(path string, f func(ctx context.Context, id string, why api.Reason) error) {
		answering(path, func(ctx context.Context, why api.Reason, id string) (any, error) {
			return map[string]any{}, f(ctx, id, why)
		})
	}
	op := h.o.Operator
	post("incidents/{id}/approve", func(ctx context.Context, id string, y api.Reason) error { return op.Approve(ctx, id, y.Who, y.Reason) })
	post("incidents/{id}/abort", func(ctx context.Context, id string, y api.Reason) error { return op.Abort(ctx, id, y.Who, y.Reason) })
	post("incidents/{id}/ack", func(ctx context.Context, id string, y api.Reason) error { return op.Ack(ctx, id, y.Who, y.Reason) })
	answering("freeze", func(ctx context.Context, y api.Reason, _ string) (any, error) {
		already, err := op.Freeze(ctx, y.Who, y.Reason)
		return api.Frozen{Already: already}, err
	})
	answering("unfreeze", func(ctx context.Context, y api.Reason, _ string) (any, error) {
		lifted, err := op.Unfreeze(ctx, y.Who, y.Reason, y.StoreWasReset)
		return api.Unfrozen{Lifted: lifted}, err
	})
	if m := h.o.Members; m != nil {
		post("members/{id}/replace", func(ctx context.Context, id string, y api.Reason) error {
			return m.ReplaceMember(ctx, id, y.Who, y.Reason)
		})
		post("members/{id}/remove", func(ctx context.Context, id string, y api.Reason) error {
			return m.RemoveMember(ctx, id, y.Who, y.Reason)
		})
	}
}

// host is an address without its port: a person is the same one through every
// connection.
func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}

type badRequest string

func (b badRequest) Error() string { return string(b) }

// readBody reads the body of a mutating call strictly; shape tells a person what
// it should have been.
func readBody(w http.ResponseWriter, r *http.Request, into any, shape string) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return badRequest(short("the body must be " + shape + ": " + err.Error()))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return badRequest("the body must be one JSON object")
	}
	return nil
}

func readReason(w http.ResponseWriter, r *http.Request) (api.Reason, error) {
	var why api.Reason
	if err := readBody(w, r, &why, `{"reason": "…"}`); err != nil {
		return why, err
	}
	if strings.TrimSpace(why.Reason) == "" {
		return why, badRequest("a reason is required: it goes into the journal")
	}
	return why, shortEnough(why.Who, why.Reason)
}

// What a person says of themselves is kept whole in every record of the journal,
// so it has to be short.
const maxWho, maxReason = 128, 1 << 10

// shortEnough refuses what the journal could not keep, or could not show as what
// it is: control characters would draw lines of their own.
func shortEnough(who, reason string) error {
	switch {
	case len(who) > maxWho:
		return badRequest(fmt.Sprintf("who has %d bytes, at most %d are kept", len(who), maxWho))
	case len(reason) > maxReason:
		return badRequest(fmt.Sprintf("the reason has %d bytes, at most %d are kept", len(reason), maxReason))
	case strings.ContainsFunc(who+reason, unicode.IsControl):
		return badRequest("who and reason are one line each, without control characters")
	}
	return nil
}

func (h handler) answer(w http.ResponseWriter, data any, err error) {
	e := api.Envelope{Status: "success"}
	code := http.StatusOK
	if err != nil {
		e.Status, e.Error = "error", err.Error()
		e.ErrorType, code = kind(err)
		var with withData
		errors.As(err, &with)
		data = with.data
	}
	if e.Status == "success" || data != nil {
		if e.Data, err = json.Marshal(data); err != nil {
			e = api.Envelope{Status: "error", ErrorType: "internal", Error: "encoding the answer: " + err.Error()}
			code = http.StatusInternalServerError
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(e); err != nil {
		h.o.Logger.Debug("answer not delivered", "err", err)
	}
}

func kind(err error) (string, int) {
	var bad badRequest
	switch {
	case errors.As(err, &bad):
		return "bad_data", http.StatusBadRequest
	case errors.Is(err, errMethod):
		return "bad_data", http.StatusMethodNotAllowed
	case errors.Is(err, ErrNotFound):
		return "not_found", http.StatusNotFound
	case errors.Is(err, ErrRefused), errors.Is(err, replication.ErrConflict):
		return "refused", http.StatusConflict
	case errors.Is(err, errForbidden):
		return "forbidden", http.StatusForbidden
	}
	return "unavailable", http.StatusServiceUnavailable
}

func (h handler) ready(w http.ResponseWriter, _ *http.Request) {
	s := h.o.View.Status()
	if s.Ready {
		fmt.Fprintln(w, "drwatch is ready.")
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	for _, why := range s.NotReady {
		fmt.Fprintln(w, "not ready: "+why)
	}
}

func (h handler) reload(w http.ResponseWriter, r *http.Request) {
	if err := h.o.Operator.Reload(r.Context()); err != nil {
		http.Error(w, "nothing was changed:\n"+err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, "reloaded")
}
