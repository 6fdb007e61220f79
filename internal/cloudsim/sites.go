package cloudsim

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Loss is how a site goes down.
type Loss struct {
	// Hang leaves the health listener taking connections without an answer;
	// otherwise it refuses them.
	Hang bool `json:"hang"`
	// API takes the endpoints that stand in the site down with it.
	API bool `json:"api"`
}

// LoseSite takes a site down: its health check fails, replication from and to
// it stops, so lag grows, and what its clouds tell of it changes.
func (c *Cloud) LoseSite(name string, how Loss) error {
	health := c.health[name]
	if health == nil {
		return fmt.Errorf("simulated clouds: no site %q", name)
	}
	c.setLost(name, true)
	fall := (*door).shut
	if how.Hang {
		fall = (*door).hang
	}
	fall(health)
	if how.API {
		for _, e := range c.endpoints {
			if e.Site == name {
				fall(e.door)
			}
		}
	}
	return nil
}

// RestoreSite brings a site back on the ports it had. Replication that the loss
// stopped goes on; what was failed over stays so.
func (c *Cloud) RestoreSite(name string) error {
	health := c.health[name]
	if health == nil {
		return fmt.Errorf("simulated clouds: no site %q", name)
	}
	c.setLost(name, false)
	err := health.open()
	for _, e := range c.endpoints {
		if e.Site == name {
			err = errors.Join(err, e.door.open())
		}
	}
	return err
}

func (c *Cloud) setLost(site string, lost bool) {
	now := c.enter()
	defer c.mu.Unlock()
	if c.lost[site] == lost {
		return
	}
	c.lost[site] = lost
	for _, g := range c.order {
		if g.sourceSite == site || g.targetSite == site {
			c.feelSites(g, now)
		}
	}
}

// LoseEndpoint makes one endpoint refuse connections, whatever its site does.
func (c *Cloud) LoseEndpoint(name string) error {
	e := c.endpoints[name]
	if e == nil {
		return fmt.Errorf("simulated clouds: no endpoint %q", name)
	}
	e.door.shut()
	return nil
}

// RestoreEndpoint opens an endpoint again on the port it had.
func (c *Cloud) RestoreEndpoint(name string) error {
	e := c.endpoints[name]
	if e == nil {
		return fmt.Errorf("simulated clouds: no endpoint %q", name)
	}
	return e.door.open()
}

// feelSites brings a group in line with which sites are up: replication needs
// both of them, and DWS tells a broken relation by the status abnormal.
func (c *Cloud) feelSites(g *group, now time.Time) {
	down := c.lost[g.sourceSite] || c.lost[g.targetSite]
	g.clock.set(g.wants && !down, now)
	if g.dws == nil {
		return
	}
	if down && g.status == "running" {
		g.status, g.dws.byLoss = "abnormal", true
	}
	if !down && g.dws.byLoss {
		g.status, g.dws.byLoss = "running", false
	}
}

// faultLevelOf is "2" when production's disks are gone, "5" when the link to a
// lost standby is, and "0" otherwise.
func (c *Cloud) faultLevelOf(g *group) string {
	if g.faultLevel != "" {
		return g.faultLevel
	}
	active, standby := g.sites()
	switch {
	case !g.wants:
		return "0"
	case c.lost[standby]:
		return "5"
	case c.lost[active]:
		return "2"
	}
	return "0"
}

// SiteUp tells whether the site is up.
func (c *Cloud) SiteUp(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.lost[name]
}

func serveHealth(w http.ResponseWriter, r *http.Request, _ <-chan struct{}) {
	if r.URL.Path != "/health" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n") // a probe that has gone needs no answer
}
