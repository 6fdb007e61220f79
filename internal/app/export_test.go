package app

import (
	"slices"

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
