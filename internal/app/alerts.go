package app

import (
	"fmt"

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
