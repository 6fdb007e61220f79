package app

import (
	"fmt"
	"time"

	"github.com/drwatch/drwatch/internal/alerts"
	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/policy"
	"github.com/drwatch/drwatch/internal/web"
)

// newAlerts makes what keeps the alerts that Alertmanager sends to this observer.
// They are not stored: after a restart none is known until it is sent again.
func (a *App) newAlerts(l *loaded) *alerts.Book {
	b := alerts.New(alerts.Options{Series: a.history, Now: a.o.Now, Logger: a.o.Logger.With("component", "alerts")})
	b.Want(policy.WantedAlerts(l.rules))
	return b
}

// alertsIn passes on what Alertmanagers send.
type alertsIn struct{ book *alerts.Book }

// Receive takes a delivery as this observer's evidence.
func (in alertsIn) Receive(list []api.Alert) error {
	delivery := make([]alerts.Alert, len(list))
	for i, a := range list {
		delivery[i] = alerts.Alert{Labels: a.Labels, Firing: a.Status == api.AlertFiring, StartsAt: a.StartsAt, EndsAt: a.EndsAt}
	}
	if err := in.book.Receive(delivery); err != nil {
		return fmt.Errorf("%w: %w", web.ErrRefused, err)
	}
	return nil
}

// alertNotes tells what this observer knows of the alert that a rule waits for:
// without it, nobody sees why a rule does not fire.
func (a *App) alertNotes(rule string) []string {
	for _, l := range a.current.Load().rules {
		if l.Rule.Name != rule {
			continue
		}
		for _, ms := range policy.WantedAlerts([]policy.Loaded{l}) {
			return []string{alertNote(l.Rule.Name, l.Rule.Alert, a.alerts.Summary(ms))}
		}
	}
	return nil
}

func alertNote(rule, alert string, s alerts.Summary) string {
	text := fmt.Sprintf("rule %s waits for the alert %s: ", rule, alert)
	if s.Heard.IsZero() {
		return text + "none has been sent to this observer since it started"
	}
	return text + fmt.Sprintf("%d firing, %d resolved, %d not repeated for %s, of any group; the last one came at %s",
		s.Firing, s.Resolved, s.Silent, alerts.MaxAge, s.Heard.UTC().Format(time.TimeOnly))
}
