package policy

import (
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// written is a series as a person writes it: with its name in front.
func written(m labels.Labels) string {
	name := m.Get(model.MetricNameLabel)
	rest := labels.NewBuilder(m).Del(model.MetricNameLabel).Labels()
	if rest.IsEmpty() && name != "" {
		return name
	}
	return name + rest.String()
}
