package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/drwatch/drwatch/internal/api"
)

// Alerts takes what Alertmanagers send.
type Alerts interface {
	// Receive takes the alerts as this observer's evidence. Its error is
	// ErrRefused when some could not be kept; the others were.
	Receive(alerts []api.Alert) error
}

// maxNotification bounds one delivery of an Alertmanager, whose groups may hold
// hundreds of alerts with long annotations.
const maxNotification = 4 << 20

// alerts serves POST alerts, where there is somebody to pass them on to.
func (h handler) alerts(mux *http.ServeMux) {
	if h.o.Alerts == nil {
		return
	}
	const path = "/api/v1/alerts"
	mux.HandleFunc("POST "+path, h.localOnly(func(w http.ResponseWriter, r *http.Request) {
		n, err := readNotification(w, r)
		if err == nil {
			err = h.o.Alerts.Receive(n.Alerts)
		}
		log := h.o.Logger.With("from", host(r.RemoteAddr), "alertmanager", withoutPassword(n.ExternalURL), "alerts", len(n.Alerts))
		switch {
		case err != nil: // Alertmanager does not try again, and tells it in its own log and metrics
			log.Warn("alerts not taken", "err", err)
		case n.TruncatedAlerts > 0:
			log.Warn("alerts are missing: max_alerts of the webhook receiver left some out; set it to 0", "left_out", n.TruncatedAlerts)
		default:
			log.Debug("alerts taken")
		}
		h.answer(w, map[string]any{}, err)
	}))
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", http.MethodPost)
		h.answer(w, nil, fmt.Errorf("%s %s: %w: it takes POST", r.Method, r.URL.Path, errMethod))
	})
}

// withoutPassword is a URL for the log.
func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return short(u.Redacted())
}

// maxTold bounds what is told of a request in the log and in the answer: the words of
// encoding/json repeat what they are about, however long.
const maxTold = 500

func short(s string) string {
	if len(s) <= maxTold {
		return s
	}
	return strings.ToValidUTF8(s[:maxTold], "") + " …"
}

// readNotification reads a delivery. What newer Alertmanagers add is passed over;
// what drwatch relies on must be there, or nothing of the delivery is taken.
func readNotification(w http.ResponseWriter, r *http.Request) (api.Notification, error) {
	var n api.Notification
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxNotification))
	if err := dec.Decode(&n); err != nil {
		return n, badRequest(short("the body must be what a webhook receiver of Alertmanager gets: " + err.Error()))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return n, badRequest("the body must be one JSON object")
	}
	switch {
	case n.Version != "4":
		return n, badRequest(short(fmt.Sprintf("the payload has version %q, want \"4\"", n.Version)))
	case n.Alerts == nil:
		return n, badRequest("the payload has no alerts")
	}
	for i, a := range n.Alerts {
		why := ""
		switch {
		case a.Status != api.AlertFiring && a.Status != api.AlertResolved:
			why = fmt.Sprintf("status is %q, want %s or %s", a.Status, api.AlertFiring, api.AlertResolved)
		case len(a.Labels) == 0:
			why = "has no labels"
		case a.StartsAt.IsZero():
			why = "has no startsAt"
		}
		if why != "" {
			return n, badRequest(short(fmt.Sprintf("alerts[%d] %s", i, why)))
		}
	}
	return n, nil
}
