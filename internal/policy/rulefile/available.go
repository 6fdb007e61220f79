package rulefile

import (
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

// NotAvailable are the keys of rules whose feature is not in this version. They
// are checked like all others, and a daemon refuses to start with them rather
// than ignore them.
func NotAvailable(rules []*Rule) strictyaml.Problems {
	var ps strictyaml.Problems
	for _, r := range rules {
		refuse := func(used bool, key, what string) {
			if used {
				ps.Errorf(r.pos[key], "rule %q: %s is not available in this version", r.Name, what)
			}
		}
		refuse(r.Hooks != Hooks{}, "hooks", "hooks")
		refuse(r.Fence.Kind == fenceHook, "fence", "a fence hook")
		refuse(r.Action == replication.Switchover, "action", "action: switchover")
		refuse(r.Approvals > 1, "approvals", "more than one approval")
	}
	ps.Sort()
	return ps
}
