package config

import "github.com/drwatch/drwatch/internal/strictyaml"

// NotAvailable are the keys the file uses whose feature is not in this version.
// They are checked like all others, and a daemon refuses to start with them
// rather than ignore them.
func (c *Config) NotAvailable() []strictyaml.Problem {
	var ps strictyaml.Problems
	refuse := func(used bool, path ...any) {
		if used {
			ps.Errorf(c.doc.Pos(path...), "%s is not available in this version", dotted(path))
		}
	}
	refuse(len(c.Global.ExternalLabels) > 0, "global", "external_labels")
	refuse(len(c.Notify.Alertmanagers) > 0, "notify", "alertmanagers")
	refuse(len(c.Notify.Webhooks) > 0, "notify", "webhooks")
	refuse(len(c.Access) > 0, "access")
	ps.Sort()
	return ps
}
