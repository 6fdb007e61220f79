package api

import "time"

// Notification is the body of POST alerts: what a webhook receiver of
// Alertmanager gets, payload version 4, as far as drwatch reads it
// (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config).
type Notification struct {
	Version         string  `json:"version"`
	ExternalURL     string  `json:"externalURL"`     // of the Alertmanager
	TruncatedAlerts uint64  `json:"truncatedAlerts"` // that max_alerts of the receiver left out
	Alerts          []Alert `json:"alerts"`
}

// Alert is one alert of a Notification.
type Alert struct {
	Status   string            `json:"status"` // AlertFiring or AlertResolved
	Labels   map[string]string `json:"labels"`
	StartsAt time.Time         `json:"startsAt"`
	EndsAt   time.Time         `json:"endsAt"` // zero while it fires
}

// The states of an Alert.
const (
	AlertFiring   = "firing"
	AlertResolved = "resolved"
)
