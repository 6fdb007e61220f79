package app

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// rehearses: the daemon's ceiling is dry run.
func (a *App) rehearses() bool { return a.current.Load().config.Global.Mode == replication.DryRun }

// shows is what the other observers should know of this one.
func (a *App) shows(o *replication.Observer) {
	o.Mode, o.Rules, o.Frozen = a.current.Load().config.Global.Mode, a.rulesHash(), a.freeze.look() != nil
}

// rulesHash is over the hashes of all rules: observers whose rules differ are seen
// before their votes are missed.
func (a *App) rulesHash() string {
	var all []string
	for _, r := range a.current.Load().rules {
		all = append(all, r.Rule.Name+" "+r.Hash)
	}
	slices.Sort(all)
	sum := sha256.Sum256(fmt.Append(nil, all))
	return hex.EncodeToString(sum[:8])
}

// notes are what a person should know before an outage does: observers that are
// lost or differ from this one, and a reload that was refused.
func (a *App) notes(s failover.State) []string {
	out := []string{}
	if ok, good := a.reloads.state(); !ok {
		out = append(out, fmt.Sprintf("the last reload was refused: the configuration of %s is in force, the log says why", good.UTC().Format(time.RFC3339)))
	}
	alive := a.alive(s)
	out = append(out, a.lostNotes(s, alive)...)
	own, at := replication.Observer{}, map[string][]string{}
	a.shows(&own)
	for _, o := range s.Cluster.Observers {
		at[o.Site] = append(at[o.Site], o.Name)
		if o.Name == a.current.Load().config.Observer.Name || !alive[o.Name] {
			continue
		}
		if o.Frozen {
			out = append(out, "observer "+o.Name+" is frozen from beside it: it abstains and sends nothing")
		}
		if o.Mode != "" && o.Mode != own.Mode {
			out = append(out, fmt.Sprintf("observer %s has mode %s, this one %s: an incident takes the lowest mode of those that vote for it", o.Name, o.Mode, own.Mode))
		}
		if o.Rules != "" && o.Rules != own.Rules {
			out = append(out, "observer "+o.Name+" has other rules than this one: votes on rules that differ do not add up (`drwatch rules` shows the hash of each)")
		}
	}
	for _, site := range slices.Sorted(maps.Keys(at)) {
		if names := at[site]; len(names) > 1 {
			slices.Sort(names)
			out = append(out, fmt.Sprintf("observers %s stand at the same site, %q: they count as one", names, site))
		}
	}
	return out
}

// lostNotes tells of the observers that belong to the cluster and are not heard.
func (a *App) lostNotes(s failover.State, alive map[string]bool) []string {
	var out []string
	beats := a.controller.LastBeats()
	for _, name := range slices.Sorted(maps.Keys(s.Cluster.Registered)) {
		if alive[name] || name == a.current.Load().config.Observer.Name {
			continue
		}
		heard := "not heard since this observer started"
		if at, ok := beats[name]; ok {
			heard = "heard last " + a.o.Now().Sub(at).Round(time.Second).String() + " ago"
		}
		out = append(out, fmt.Sprintf("observer %s at %s is lost: %s", name, s.Cluster.Registered[name], heard))
	}
	return out
}

// alive are the observers whose heart is seen to beat. What the store holds of one
// says nothing while the store does not answer.
func (a *App) alive(s failover.State) map[string]bool {
	out, beats, now := map[string]bool{}, a.controller.LastBeats(), a.o.Now()
	for _, o := range s.Cluster.Observers {
		at, seen := beats[o.Name]
		young := s.ClusterErr == "" && !seen // not seen twice yet
		out[o.Name] = o.Name == a.current.Load().config.Observer.Name || young || seen && now.Sub(at) < 2*a.current.Load().config.Coordination.LeaseTTL
	}
	return out
}
