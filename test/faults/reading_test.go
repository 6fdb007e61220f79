package faults_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// misreading is one way in which a cloud answers reads wrongly.
type misreading struct {
	answer cloudsim.Answer
	after  time.Duration
	// operation is which reads are concerned, by provider; nil: all of them.
	operation map[replication.Provider]string
	only      []replication.Provider // nil: all
	// up: the poll is complete all the same, only the one item cannot be
	// believed.
	up      bool
	unknown bool // the group's state is then unknown
	// code is the HTTP status that is counted; "error" when there was none.
	code      string
	aliyun    string // the same of Alibaba, where it differs
	throttles bool
}

// misreadings are the rows. What is the transport's matter alone is tried with
// each vendor's SDK, what is about the content with each API.
func misreadings() map[string]misreading {
	sdrs, evs, dws, ebs := replication.HuaweiSDRS, replication.HuaweiEVS, replication.HuaweiDWS, replication.AliyunEBS
	one := func(ps ...replication.Provider) []replication.Provider { return ps }
	details := map[replication.Provider]string{sdrs: "ShowProtectionGroup", evs: "ShowReplicationConsistencyGroup"}
	pairs := map[replication.Provider]string{sdrs: "ListReplications", evs: "ListReplications", ebs: "DescribeDiskReplicaPairs"}
	return map[string]misreading{
		"empty_object":   {answer: cloudsim.EmptyObject, code: "200"},
		"empty":          {answer: cloudsim.Empty, code: "200", only: one(evs, ebs)},
		"ok_with_error":  {answer: cloudsim.OKWithError, code: "200", only: one(dws, ebs)},
		"found":          {answer: cloudsim.Found, code: "302", only: one(sdrs, ebs)},
		"redirect":       {answer: cloudsim.Redirect, code: "307", only: one(evs, ebs)},
		"html":           {answer: cloudsim.BadGateway, code: "502"},
		"unavailable":    {answer: cloudsim.Unavailable, code: "503", only: one(dws, ebs)},
		"internal_error": {answer: cloudsim.InternalError, code: "500", only: one(sdrs, ebs)},
		"numeric_code":   {answer: cloudsim.NumericCode, code: "500", only: one(dws, ebs)},
		"throttled":      {answer: cloudsim.Throttled, code: "429", aliyun: "400", throttles: true},
		"skewed":         {answer: cloudsim.Skewed, code: "401", aliyun: "400", only: one(sdrs, ebs)},
		"drip":           {answer: cloudsim.Drip, after: 100 * time.Millisecond, code: "200", only: one(sdrs, ebs)},
		"hang":           {answer: cloudsim.Hang, code: "error", only: one(evs, ebs)},
		"cut":            {answer: cloudsim.Cut, code: "error", only: one(dws, ebs)},
		"truncated_gzip": {answer: cloudsim.TruncatedGzip, code: "200", only: one(dws, ebs)},
		"repeat_token":   {answer: cloudsim.RepeatToken, code: "200", only: one(ebs)},
		"unknown_status": {answer: cloudsim.UnknownStatus, code: "200", up: true, unknown: true},
		"nulls":          {answer: cloudsim.Nulls, code: "200", up: true, unknown: true},
		// Only one of the reads that make a group.
		"empty_detail":  {answer: cloudsim.EmptyObject, operation: details, up: true},
		"html_pairs":    {answer: cloudsim.BadGateway, operation: pairs, code: "502"},
		"unknown_pairs": {answer: cloudsim.UnknownStatus, operation: pairs, up: true, only: one(ebs)},
	}
}

// reading is a lane with what is done to it.
type reading struct {
	*lane
	is     misreading
	cold   bool // from before the daemon's first poll
	before struct{ success, polls float64 }
}

func readings(p replication.Provider) []*reading {
	var out []*reading
	for row, m := range misreadings() {
		if m.only != nil && !slices.Contains(m.only, p) || m.operation != nil && m.operation[p] == "" {
			continue
		}
		out = append(out, &reading{lane: newLane(p, row), is: m})
	}
	for _, row := range []string{"empty_object", "unknown_status"} {
		out = append(out, &reading{lane: newLane(p, "cold_"+row), is: misreadings()[row], cold: true})
	}
	if p == replication.HuaweiEVS { // 64 MiB each time, so not more than that
		out = append(out, &reading{lane: newLane(p, "cold_endless"), is: misreading{answer: cloudsim.Endless, code: "200"}, cold: true})
	}
	slices.SortFunc(out, func(a, b *reading) int { return strings.Compare(a.name, b.name) })
	return out
}

// TestNothingIsFailedOverOnAnAnswerThatCannotBeBelieved loses a site while the
// clouds of many accounts misbehave, each in its own way.
func TestNothingIsFailedOverOnAnAnswerThatCannotBeBelieved(t *testing.T) {
	t.Parallel()
	for _, p := range replication.Providers() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			nothingIsFailedOver(t, readings(p))
		})
	}
}

func nothingIsFailedOver(t *testing.T, bad []*reading) {
	t.Helper()
	var lanes []*lane
	for _, r := range bad {
		lanes = append(lanes, r.lane)
	}
	well := lanesOf("well", replication.Providers()...)
	c := newField(t, time.Second, append(lanes, well...)...)
	for _, r := range bad {
		if r.cold {
			r.spoil(t, c)
		}
	}
	d := start(t, c, setting{poll: 2 * time.Second, edit: func(root doc) {
		root["global"].(doc)["poll_timeout"] = "1500ms"
		each(root, func(account doc) {
			if account["name"] == "evs-cold-endless" {
				account["poll_interval"] = "25s"
			}
		})
	}})
	d.baselines(bad)
	s := d.scrape()
	for _, r := range bad {
		if !r.cold {
			r.note(s)
			r.spoil(t, c)
		}
	}
	wellBefore := map[string]float64{}
	for _, l := range well {
		wellBefore[l.name] = s.sum("drwatch_account_last_success_timestamp_seconds", "account="+l.name)
	}
	d.polledBadly(bad)
	lose(t, c, "az-a", cloudsim.Loss{})
	// The healthy accounts prove that the loss is acted upon.
	d.failedOverOnce(c, well)
	d.hadItsChance(bad)
	s, groups := d.scrape(), d.groups()
	for _, r := range bad {
		t.Run(r.name, func(t *testing.T) { r.check(t, c, s, groups) })
	}
	for _, l := range well {
		if up := s.sum("drwatch_account_up", "account="+l.name); up != 1 {
			t.Errorf("%s: a healthy account is not up beside broken ones: %g", l.name, up)
		}
		if at := s.sum("drwatch_account_last_success_timestamp_seconds", "account="+l.name); at <= wellBefore[l.name] {
			t.Errorf("%s: a healthy account's last success does not move on", l.name)
		}
	}
	c.ClearFaults()
	var once, never []*lane
	for _, r := range bad {
		// What a DWS relation was while all was well was never seen: that is not
		// made good by seeing it now, and not acted on automatically.
		if r.cold && r.provider == replication.HuaweiDWS {
			never = append(never, r.lane)
		} else {
			once = append(once, r.lane)
		}
	}
	d.failedOverOnce(c, once)
	for _, l := range never {
		if n := calls(c, l.id); n != 0 {
			t.Errorf("%s: %d calls for a relation without a base line", l.name, n)
		}
	}
}

// spoil puts the fault in force at all ends of the account.
func (r *reading) spoil(t *testing.T, c *cloudsim.Cloud) {
	t.Helper()
	for _, e := range r.endpoints {
		fault(t, c, cloudsim.Fault{Endpoint: e, Operation: r.is.operation[r.provider], Answer: r.is.answer, After: r.is.after})
	}
}

func (r *reading) note(s scrape) {
	r.before.success = s.sum("drwatch_account_last_success_timestamp_seconds", "account="+r.name)
	r.before.polls = s.sum("drwatch_account_poll_duration_seconds", "account="+r.name)
}

// baselines waits until each group that can be read has been seen well.
func (d *daemon) baselines(bad []*reading) {
	d.t.Helper()
	eventually(d.t, 60*time.Second, "every healthy group is seen", func() string {
		groups := d.groups()
		for _, r := range bad {
			if g := groups[r.id]; !r.cold && (g.State != replication.Replicating || !g.FailoverReady) {
				return fmt.Sprintf("%s is %q, ready %t", r.name, g.State, g.FailoverReady)
			}
		}
		return ""
	})
}

// polledBadly waits until each account was polled wholly under its fault.
func (d *daemon) polledBadly(bad []*reading) {
	d.t.Helper()
	eventually(d.t, 60*time.Second, "every account was polled twice under its fault", func() string {
		s := d.scrape()
		for _, r := range bad {
			// The first that is counted may have begun before the fault.
			if n := s.sum("drwatch_account_poll_duration_seconds", "account="+r.name); n < r.before.polls+2 && !(r.cold && n == 1) {
				return fmt.Sprintf("%s had %g polls, %g before the fault", r.name, n, r.before.polls)
			}
		}
		return ""
	})
	s := d.scrape()
	for _, r := range bad {
		r.note(s)
	}
}

// failedOverOnce waits until the groups are failed over and proven, and checks
// that each was moved once.
func (d *daemon) failedOverOnce(c *cloudsim.Cloud, lanes []*lane) {
	d.t.Helper()
	eventually(d.t, 90*time.Second, "the groups are failed over", func() string {
		incidents := d.incidents()
		var open []string
		for _, l := range lanes {
			if list := incidents[l.id]; len(list) == 0 || list[0].Phase != replication.Succeeded {
				open = append(open, l.name+": "+show(list))
			}
		}
		return strings.Join(open, "; ")
	})
	for _, l := range lanes {
		if n := c.EffectiveFailovers(l.id); n != 1 {
			d.t.Errorf("%s was failed over %d times, want once", l.name, n)
		}
	}
}

// hadItsChance waits until the rules would have acted on each group that is
// known, and two more polls of each account.
func (d *daemon) hadItsChance(bad []*reading) {
	d.t.Helper()
	eventually(d.t, 60*time.Second, "each group was claimed and held, or blocked, under its fault", func() string {
		s, incidents, targets := d.scrape(), d.incidents(), d.targets()
		for _, r := range bad {
			target, matches := targets[r.id]
			_, claimed := incidents[r.id]
			if matches && !claimed && (target.State != "firing" || len(target.Blocking) == 0) {
				return fmt.Sprintf("%s is %s", r.name, target.State)
			}
			if n := s.sum("drwatch_account_poll_duration_seconds", "account="+r.name); n < r.before.polls+2 && !r.cold {
				return r.name + " was not polled often enough"
			}
		}
		return ""
	})
}

// check looks at one account while its cloud misbehaves and its site is lost.
func (r *reading) check(t *testing.T, c *cloudsim.Cloud, s scrape, groups map[string]api.Group) {
	if n := calls(c, r.id); n != 0 {
		t.Errorf("%d mutating calls were made on what cannot be believed", n)
	}
	account := "account=" + r.name
	if up := s.sum("drwatch_account_up", account); up != map[bool]float64{true: 1}[r.is.up] {
		t.Errorf("drwatch_account_up %g", up)
	}
	code := r.is.code
	if r.provider == replication.AliyunEBS && r.is.aliyun != "" {
		code = r.is.aliyun
	}
	if code != "" && s.sum("drwatch_provider_requests_total", account, "code="+code) < 1 {
		t.Errorf("no request with code %q is counted", code)
	}
	if n := s.sum("drwatch_provider_throttled_total", account); (n > 0) != r.is.throttles {
		t.Errorf("drwatch_provider_throttled_total %g", n)
	}
	if n := s.sum("drwatch_group_state", account, "state=unknown"); r.is.unknown && n != 1 {
		t.Errorf("drwatch_group_state of unknown is %g", n)
	}
	r.checkState(t, s, groups)
}

// checkState: the last good state with its age, or unknown, and nothing else.
func (r *reading) checkState(t *testing.T, s scrape, groups map[string]api.Group) {
	success := s.sum("drwatch_account_last_success_timestamp_seconds", "account="+r.name)
	g, known := groups[r.id]
	switch {
	case !r.is.up && r.cold:
		if known || success > 0 {
			t.Errorf("a group is shown that was never read, last success %g", success)
		}
	case !r.is.up:
		if g.State != replication.Replicating || success != r.before.success {
			t.Errorf("state %q, last success moved by %gs: want the last good state with its age", g.State, success-r.before.success)
		}
	case r.is.unknown:
		if g.State != replication.Unknown || g.FailoverReady || success < r.before.success {
			t.Errorf("state %q, ready %t, last success moved by %gs", g.State, g.FailoverReady, success-r.before.success)
		}
	}
}
