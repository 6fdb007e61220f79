package cloudsim

import (
	"errors"
	"fmt"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// DemoSites are the two sites of the demo fleet. What a person would call one
// data centre has another name at each provider.
func DemoSites() []replication.Site {
	return []replication.Site{
		{Name: "az-a", Locations: []replication.Location{
			{Region: "cn-north-4", Zone: "cn-north-4a"}, {Region: "eu-west-0", Zone: "eu-west-0a"}, {Region: "cn-beijing"},
		}},
		{Name: "az-b", Locations: []replication.Location{
			{Region: "cn-north-4", Zone: "cn-north-4b"}, {Region: "eu-west-0", Zone: "eu-west-0b"}, {Region: "cn-east-3"}, {Region: "cn-shanghai"},
		}},
	}
}

// FleetOptions shapes the demo fleet.
type FleetOptions struct {
	// SyncEvery is how often the asynchronous groups really synchronise, for
	// demos that cannot wait for their stated RPO; 0 = as often as they state.
	SyncEvery time.Duration
}

// DemoFleet adds 21 groups over all four providers and the two DemoSites. The
// production of 16 of them is in az-a and goes with it; 5 have theirs in az-b
// and must stay where they are when az-a is lost.
func DemoFleet(c *Cloud, o FleetOptions) error {
	return errors.Join(c.demoSDRS(), c.demoEVS(), c.demoDWS(o), c.demoEBS(o))
}

func (c *Cloud) demoSDRS() error {
	a, b := replication.Location{Region: "cn-north-4", Zone: "cn-north-4a"}, replication.Location{Region: "cn-north-4", Zone: "cn-north-4b"}
	var errs []error
	for i, name := range []string{"db-orders", "db-customers", "db-billing", "app-shop", "app-search", "app-mail", "app-batch"} {
		_, err := c.AddSDRS(SDRSGroup{Name: name, Source: a, Target: b, Pairs: 2 + i%3, VolumeGB: 100 * (1 + i%4), Older: i == 2, Drills: i % 2})
		errs = append(errs, err)
	}
	_, err := c.AddSDRS(SDRSGroup{Name: "app-reports", Source: b, Target: a, Pairs: 2})
	errs = append(errs, err)
	_, err = c.AddSDRS(SDRSGroup{Name: "db-archive", Description: "moved to az-b last spring", Source: a, Target: b, AtTarget: true, Pairs: 3, VolumeGB: 500})
	return errors.Join(append(errs, err)...)
}

func (c *Cloud) demoEVS() error {
	a, b := replication.Location{Region: "eu-west-0", Zone: "eu-west-0a"}, replication.Location{Region: "eu-west-0", Zone: "eu-west-0b"}
	var errs []error
	for i, name := range []string{"legacy-erp", "legacy-files", "legacy-ldap"} {
		_, err := c.AddEVS(EVSGroup{Name: name, Source: a, Target: b, Pairs: 1 + i, Misspelt: i == 1})
		errs = append(errs, err)
	}
	_, err := c.AddEVS(EVSGroup{Name: "legacy-print", Source: a, Target: b, AtTarget: true, Pairs: 1})
	return errors.Join(append(errs, err)...)
}

func (c *Cloud) demoDWS(o FleetOptions) error {
	a, b := replication.Location{Region: "cn-north-4", Zone: "cn-north-4a"}, replication.Location{Region: "cn-north-4", Zone: "cn-north-4b"}
	east := replication.Location{Region: "cn-east-3", Zone: "cn-east-3a"}
	var errs []error
	for _, g := range []DWSGroup{
		{Name: "warehouse-sales", Source: a, Target: b},
		{Name: "warehouse-risk", Source: a, Target: b, DiskGB: 3200, UsedGB: 1900},
		{Name: "lake-events", Source: a, Target: east},
		{Name: "warehouse-audit", Source: b, Target: a},
	} {
		g.SyncPeriod, g.SyncEvery = 10*time.Minute, o.SyncEvery
		g.Lag = c.someLag(g.SyncPeriod, o)
		_, err := c.AddDWS(g)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c *Cloud) demoEBS(o FleetOptions) error {
	beijing, shanghai := replication.Location{Region: "cn-beijing", Zone: "cn-beijing-f"}, replication.Location{Region: "cn-shanghai", Zone: "cn-shanghai-b"}
	var errs []error
	for i, g := range []EBSGroup{{Name: "disks-web"}, {Name: "disks-queue"}, {Name: "disks-search"}, {Name: "disks-moved", AtTarget: true}} {
		g.Source, g.Target, g.Pairs, g.RPO, g.SyncEvery = beijing, shanghai, 2+i, 15*time.Minute, o.SyncEvery
		g.Lag = c.someLag(g.RPO, o)
		g.Tags = map[string]string{"team": fmt.Sprintf("team-%d", i%2)}
		_, err := c.AddEBS(g)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// someLag is a lag that a group with this period may have at any time.
func (c *Cloud) someLag(period time.Duration, o FleetOptions) time.Duration {
	if o.SyncEvery > 0 {
		period = o.SyncEvery
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.ids.Int64N(int64(period)))
}
