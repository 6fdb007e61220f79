package app

import (
	"fmt"
	"math"
	"time"

	"github.com/prometheus/common/model"

	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/config"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/dws"
	"github.com/drwatch/drwatch/internal/provider/ebs"
	"github.com/drwatch/drwatch/internal/provider/evs"
	"github.com/drwatch/drwatch/internal/provider/sdrs"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

// paceOf is what bounds the requests of an account. It outlives a reload that
// leaves the rate limit alone: what a refusal has slowed down stays slow.
func paceOf(a config.Account, o *Options, before *clouds) *provider.Pace {
	if before != nil {
		if was := before.byName[a.Name]; was != nil && was.config.Provider == a.Provider && was.config.RateLimit == a.RateLimit {
			return was.pace
		}
	}
	return provider.NewPace(a.RateLimit.RequestsPerSecond, a.RateLimit.Burst, o.Now)
}

func pollCost(p replication.Provider) provider.PollCost {
	switch p {
	case replication.HuaweiSDRS:
		return sdrs.PollCost()
	case replication.HuaweiEVS:
		return evs.PollCost()
	case replication.HuaweiDWS:
		return dws.PollCost()
	case replication.AliyunEBS:
		return ebs.PollCost()
	}
	return provider.PollCost{}
}

// factsCost is that of what changes slowly; zero where the provider tells none.
func factsCost(p replication.Provider) provider.PollCost {
	switch p {
	case replication.HuaweiSDRS:
		return sdrs.FactsCost()
	case replication.AliyunEBS:
		return ebs.FactsCost()
	case replication.HuaweiEVS, replication.HuaweiDWS:
	}
	return provider.PollCost{}
}

// Forecast is what one account costs.
type Forecast struct {
	Account string
	Polls   Cost
	Facts   Cost // of what changes slowly; none when its Call is zero
}

// Cost is that of what is asked again and again.
type Cost struct {
	Interval time.Duration // between two times
	Call     provider.PollCost
}

// PerHour is how many calls an hour has when each time makes this many.
func (c Cost) PerHour(calls int) int {
	return int(math.Ceil(float64(calls) * float64(time.Hour) / float64(c.Interval)))
}

// forecasts are those of all accounts, in the order of the configuration.
func forecasts(c *config.Config) []Forecast {
	var out []Forecast
	for _, a := range c.Accounts {
		out = append(out, Forecast{
			Account: a.Name, Polls: Cost{a.PollInterval, pollCost(a.Provider)}, Facts: Cost{collector.FactsInterval(a.PollInterval), factsCost(a.Provider)},
		})
	}
	return out
}

// tooSlow warns of rate limits that not even the smallest poll fits into.
func tooSlow(c *config.Config) strictyaml.Problems {
	var ps strictyaml.Problems
	for i, f := range forecasts(c) {
		limit, timeout := c.Accounts[i].RateLimit, c.Accounts[i].PollTimeout
		least, path := f.Polls.Call.Least, fmt.Sprintf("accounts[%d].rate_limit", i)
		between := limit.RequestsPerSecond * f.Polls.Interval.Seconds()
		within := min(float64(limit.Burst), between) + limit.RequestsPerSecond*timeout.Seconds()
		switch {
		case float64(least) > between:
			ps.Warnf(c.RateLimitPos(i), "%s: polls every %s make at least %d calls an hour, and %g requests per second let only %.0f through: raise requests_per_second or poll_interval",
				path, model.Duration(f.Polls.Interval), f.Polls.PerHour(least), limit.RequestsPerSecond, math.Floor(limit.RequestsPerSecond*3600))
		case float64(least) > math.Floor(within):
			ps.Warnf(c.RateLimitPos(i), "%s: a poll makes at least %d calls, and the limit lets only %.0f through within poll_timeout %s: no poll would ever be complete, raise requests_per_second",
				path, least, math.Floor(within), model.Duration(timeout))
		}
	}
	return ps
}
