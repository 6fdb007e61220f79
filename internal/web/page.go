package web

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/replication"
)

//go:embed page.html
var pageSource string

// page is the status page: no script, refreshed by the browser.
func (h handler) page(w http.ResponseWriter, _ *http.Request) {
	now := h.o.Now()
	t, err := template.New("page").Funcs(template.FuncMap{
		"ago":     func(t time.Time) string { return ago(now, t) },
		"lag":     lagText,
		"seconds": secondsText,
		"reach":   reachText,
		"tone":    tone,
		"way":     way,
	}).Parse(pageSource)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	incidents := h.o.View.Incidents(shown + 1)
	data := struct {
		Status    api.Status
		Groups    []api.Group
		Rules     []api.Rule
		Incidents []replication.Incident
		More      bool
	}{h.o.View.Status(), h.o.View.Groups(), h.o.View.Rules(), incidents, false}
	if len(incidents) > shown {
		data.Incidents, data.More = incidents[:shown], true
	}
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if _, err := out.WriteTo(w); err != nil {
		h.o.Logger.Debug("page not delivered", "err", err)
	}
}

// shown is how many incidents the page has.
const shown = 50

// way is where an incident moves production: between sites when a rule does,
// between the provider's places when a person asks for it.
func way(i replication.Incident) string {
	switch {
	case i.Person == nil:
		return i.Plan.LostSite + " → " + i.Plan.TargetSite
	case i.Action.Moves():
		return i.Plan.From.String() + " → " + i.Plan.To.String()
	default:
		return "stays at " + i.Plan.To.String()
	}
}

func ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	if d < time.Minute {
		return fmt.Sprintf("%.1f s ago", max(d.Seconds(), 0))
	}
	return d.Round(time.Second).String() + " ago"
}

func reachText(up *bool) string {
	switch {
	case up == nil:
		return "not known"
	case *up:
		return "yes"
	}
	return "no"
}

func lagText(s *float64) string {
	if s == nil {
		return "not told"
	}
	return fmt.Sprintf("%.0f s", *s)
}

func secondsText(s *float64) string {
	if s == nil {
		return "–"
	}
	return fmt.Sprintf("%.1f s", *s)
}

// tone is the colour of a state: good, busy, bad or plain.
func tone(s any) string {
	switch fmt.Sprint(s) {
	case "replicating", "succeeded", "true", "yes":
		return "good"
	case "syncing", "switching", "reprotecting", "changing", "open", "held", "executing", "verifying", "pending", "firing":
		return "busy"
	case "error", "unknown", "failed", "ambiguous", "false", "no":
		return "bad"
	}
	return "plain"
}
