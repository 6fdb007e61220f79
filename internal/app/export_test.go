package app

import (
	"log/slog"
	"slices"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/exposition"
)

// Definitions are the metrics of the page, beside those of a collector.
func Definitions() []collector.Metric { return slices.Clone(definitions()) }

// NewPage is the page as the daemon makes it.
func NewPage(metrics ...[]collector.Metric) (*exposition.Page, error) {
	p, err := newPage(metrics...)
	return p.Page, err
}

// Caught runs f as a reload is run.
func Caught(log *slog.Logger, f func() error) error { return caught(log, f) }

// AccountOf is an account as the API tells it.
func AccountOf(a collector.Account, snap *collector.Snapshot) api.Account { return accountOf(a, snap) }
