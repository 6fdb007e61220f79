package app

import (
	"fmt"
	"math"
	"time"

	"github.com/prometheus/common/model"

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

// Forecast is what the polls of one account cost.
type Forecast struct {
	Account  string
	Interval time.Duration // between two polls
	Poll     provider.PollCost
}

// PerHour is how many calls all polls of an hour make when each makes this many.
func (f Forecast) PerHour(calls int) int {
	return int(math.Ceil(float64(calls) * float64(time.Hour) / float64(f.Interval)))
}

// forecasts are those of all accounts, in the order of the configuration.
func forecasts(c *config.Config) []Forecast {
	var out []Forecast
	for _, a := range c.Accounts {
		out = append(out, Forecast{Account: a.Name, Interval: a.PollInterval, Poll: pollCost(a.Provider)})
	}
	return out
}

// tooSlow warns of rate limits that not even the smallest poll fits into.
func tooSlow(c *config.Config) strictyaml.Problems {
	var ps strictyaml.Problems
	for i, f := range forecasts(c) {
		limit, timeout := c.Accounts[i].RateLimit, c.Accounts[i].PollTimeout
		least, path := f.Poll.Least, fmt.Sprintf("accounts[%d].rate_limit", i)
		between := limit.RequestsPerSecond * f.Interval.Seconds()
		within := min(float64(limit.Burst), between) + limit.RequestsPerSecond*timeout.Seconds()
		switch {
		case float64(least) > between:
			ps.Warnf(c.RateLimitPos(i), "%s: polls every %s make at least %d calls an hour, and %g requests per second let only %.0f through: raise requests_per_second or poll_interval",
				path, model.Duration(f.Interval), f.PerHour(least), limit.RequestsPerSecond, math.Floor(limit.RequestsPerSecond*3600))
		case float64(least) > math.Floor(within):
			ps.Warnf(c.RateLimitPos(i), "%s: a poll makes at least %d calls, and the limit lets only %.0f through within poll_timeout %s: no poll would ever be complete, raise requests_per_second",
				path, least, math.Floor(within), model.Duration(timeout))
		}
	}
	return ps
}
