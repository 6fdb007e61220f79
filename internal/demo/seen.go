package demo

import (
	"context"
	"sync"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/replication"
)

// seen is what the observers say: each of itself, and the witness of the rest.
type seen struct {
	status    map[string]api.Status
	groups    []api.Group
	incidents []replication.Incident
}

// reign is since when an observer leads.
type reign struct {
	name string
	at   time.Time
}

// look asks the observers that live. One that does not answer says nothing new;
// of what only the witness is asked for, the last answer stays.
func (p *play) look(ctx context.Context) {
	next := seen{status: map[string]api.Status{}, groups: p.seen.groups, incidents: p.seen.incidents}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, o := range p.observers {
		if o.api == nil || o.isLost() {
			continue
		}
		wg.Go(func() {
			if s, err := o.api.Status(ctx); err == nil {
				mu.Lock()
				defer mu.Unlock()
				next.status[name] = s
			}
		})
	}
	if o := p.observers[witness]; o.api != nil {
		wg.Go(func() {
			if groups, err := o.api.Groups(ctx); err == nil {
				next.groups = groups
			}
			if incidents, err := o.api.Incidents(ctx, allIncidents); err == nil {
				next.incidents = incidents
			}
		})
	}
	wg.Wait()
	p.seen = next
	leader := next.status[witness].Leader
	if n := len(p.led); leader != "" && (n == 0 || p.led[n-1].name != leader) {
		p.led = append(p.led, reign{leader, p.o.Now()})
		if n > 0 {
			p.say.line("%s leads now", leader)
		}
	}
}
