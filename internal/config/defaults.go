package config

import (
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// services are the names of the providers' services in their public endpoints.
var services = map[replication.Provider]string{
	replication.HuaweiSDRS: "sdrs",
	replication.HuaweiEVS:  "evs",
	replication.HuaweiDWS:  "dws",
	replication.AliyunEBS:  "ebs",
}

// publicEndpoint is where a provider answers for a region. drwatch derives it
// itself: the Huawei SDK's table lacks regions and has a wrong entry, and
// Alibaba's SDK would ask a location service first.
func publicEndpoint(p replication.Provider, region string) string {
	if p == replication.AliyunEBS {
		return "https://ebs." + region + ".aliyuncs.com"
	}
	return "https://" + services[p] + "." + region + ".myhuaweicloud.com"
}

// fill derives what an account leaves out. Its endpoints are canonical already.
func (a *Account) fill(g Global) {
	if a.ActionRegion == "" {
		a.ActionRegion = a.Region
	}
	public := publicEndpoint(a.Provider, a.Region)
	if a.Endpoint == "" {
		a.Endpoint = public
	}
	if a.ActionEndpoint == "" {
		a.ActionEndpoint = a.Endpoint
		if a.Endpoint == public && a.Provider == replication.AliyunEBS {
			a.ActionEndpoint = publicEndpoint(a.Provider, a.ActionRegion)
		}
	}
	a.Credentials.AssumeRole.fill(a.Provider, a.Region, a.ActionRegion)
	a.Action.AssumeRole.fill(a.Provider, a.ActionRegion, a.Region)
	if !a.Action.None && a.Action.IsZero() {
		a.Action.Credentials = a.Credentials
	}
	if a.PollInterval == 0 {
		a.PollInterval = g.PollInterval
	}
	a.PollTimeout = min(g.PollTimeout, a.PollInterval)
}

// probeTimeout is the module's timeout, or the interval when it sets none: a
// probe never outlasts its interval.
func (c *Config) probeTimeout(module string, interval time.Duration) time.Duration {
	if t := c.ProbeModules[module].Timeout; t > 0 {
		return t
	}
	return interval
}
