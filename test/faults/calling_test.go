package faults_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// ending is what must become of a group: how its last incident ends, how many
// failover calls reach the cloud, and how often production moved.
type ending struct {
	phase           replication.Phase
	calls, effected int
}

// miscall is one way in which a cloud answers the failover call wrongly.
type miscall struct {
	fault cloudsim.Fault
	only  []replication.Provider // nil: all
	// refusedAs is the status that the group truly is in and that refuses the
	// call, while its cloud's reads are old; "" when they are not.
	refusedAs string
	want      ending
	// late: the two calls race; which of them is refused is not told in advance.
	late bool
	// differs by provider.
	differs map[replication.Provider]ending
	// released: what becomes of it when the fault is cleared and a person has
	// acknowledged; the zero ending: it is not acknowledged.
	released ending
}

// The outcomes that many rows share.
func once() ending    { return ending{replication.Succeeded, 1, 1} }
func resent() ending  { return ending{replication.Succeeded, 2, 1} }
func refused() ending { return ending{replication.Failed, 1, 0} }

// notAgain is DWS, where a second call would swap the roles back.
func notAgain() map[replication.Provider]ending {
	return map[replication.Provider]ending{replication.HuaweiDWS: {replication.Ambiguous, 1, 0}}
}

func miscalls() map[string]miscall {
	sdrs, evs, dws, ebs := replication.HuaweiSDRS, replication.HuaweiEVS, replication.HuaweiDWS, replication.AliyunEBS
	lost := func(a cloudsim.Answer) miscall {
		return miscall{fault: cloudsim.Fault{Answer: a, Applied: "dropped"}, want: resent(), differs: notAgain()}
	}
	done := func(a cloudsim.Answer) miscall {
		return miscall{fault: cloudsim.Fault{Answer: a, Applied: "applied"}, want: once()}
	}
	at := func(m miscall, ps ...replication.Provider) miscall {
		m.only = ps
		return m
	}
	empty := lost(cloudsim.Empty)
	empty.differs[evs] = ending{replication.Verifying, 1, 0} // it is what EVS says when it has accepted
	again := ending{replication.Succeeded, 2, 1}
	return map[string]miscall{
		"fresh":          at(done(cloudsim.ResetReused), ebs), // an action never goes over a connection that was used before
		"cut":            done(cloudsim.Cut),
		"hang":           at(done(cloudsim.Hang), sdrs, ebs),
		"done_html":      at(done(cloudsim.BadGateway), sdrs, ebs),
		"done_endless":   at(done(cloudsim.Endless), evs, ebs),
		"done_gzip":      at(done(cloudsim.TruncatedGzip), sdrs, dws),
		"empty_object":   lost(cloudsim.EmptyObject),
		"empty":          empty,
		"ok_with_error":  at(lost(cloudsim.OKWithError), evs, ebs),
		"found":          lost(cloudsim.Found),
		"redirect":       at(lost(cloudsim.Redirect), ebs),
		"internal_error": lost(cloudsim.InternalError),
		"numeric_code":   at(lost(cloudsim.NumericCode), ebs),
		"html":           lost(cloudsim.BadGateway),
		"unavailable":    at(lost(cloudsim.Unavailable), ebs),
		"never_answered": at(lost(cloudsim.Cut), dws, ebs),
		"twice_lost": {
			fault: cloudsim.Fault{Answer: cloudsim.Unavailable, Count: 9}, want: ending{replication.Ambiguous, 2, 0}, differs: notAgain(),
		},
		// The effect comes while it is still looked for, and when it is not
		// believed in any more.
		"late": {fault: cloudsim.Fault{Answer: cloudsim.Cut, Late: 2 * time.Second}, want: once()},
		"too_late": {
			fault: cloudsim.Fault{Answer: cloudsim.Cut, Late: 12 * time.Second}, want: resent(), late: true,
			differs: map[replication.Provider]ending{dws: {replication.Ambiguous, 1, 1}},
		},
		"throttled": {fault: cloudsim.Fault{Answer: cloudsim.Throttled}, want: again},
		"skewed":    {fault: cloudsim.Fault{Answer: cloudsim.Skewed}, want: refused(), released: again},
		"state": {
			refusedAs: "deleting", want: refused(), released: again,
			// No code of DWS is documented that would prove that nothing happened.
			differs: notAgain(),
		},
		"fails": {
			fault: cloudsim.Fault{Fate: cloudsim.Fails}, want: refused(), released: again,
			// With its site lost it was abnormal before: that proves nothing.
			differs: map[replication.Provider]ending{dws: {replication.Verifying, 1, 0}},
		},
		"stuck": {
			fault: cloudsim.Fault{Fate: cloudsim.Stuck}, want: ending{replication.Verifying, 1, 0}, released: once(),
			differs: map[replication.Provider]ending{sdrs: {replication.Verifying, 1, 0}, ebs: {replication.Verifying, 1, 0}},
		},
	}
}

// calling is a lane with what is done to it.
type calling struct {
	*lane
	row   string
	is    miscall
	fault string // its id
}

func (r *calling) want() ending {
	if e, ok := r.is.differs[r.provider]; ok {
		return e
	}
	return r.is.want
}

// released is what becomes of it in the end.
func (r *calling) released() ending {
	if r.want().phase == r.is.want.phase && r.is.released != (ending{}) {
		return r.is.released
	}
	return r.want()
}

// TestACallIsNeverBlindlySentAgain loses a site while the clouds answer the
// failover calls wrongly, each in its own way.
func TestACallIsNeverBlindlySentAgain(t *testing.T) {
	t.Parallel()
	for _, p := range replication.Providers() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			neverBlindlySentAgain(t, p)
		})
	}
}

func neverBlindlySentAgain(t *testing.T, p replication.Provider) {
	t.Helper()
	var rows []*calling
	var lanes []*lane
	for row, m := range miscalls() {
		if m.only == nil || slices.Contains(m.only, p) {
			rows = append(rows, &calling{lane: newLane(p, row), row: row, is: m})
		}
	}
	slices.SortFunc(rows, func(a, b *calling) int { return strings.Compare(a.name, b.name) })
	for _, r := range rows {
		lanes = append(lanes, r.lane)
	}
	c := newField(t, time.Second, lanes...)
	// With these two a call of which nothing is known may be sent again, where
	// the protocol allows it, after three seconds instead of seventeen minutes.
	quiet := func(o *app.Options) {
		o.SignatureLife, o.Settle, o.TrackInterval = 2*time.Second, time.Second, time.Second
	}
	d := start(t, c, setting{poll: 2 * time.Second, rules: rulesFor(ruling{cooldown: 5 * time.Second}), options: quiet, edit: func(root doc) {
		each(root, func(account doc) { account["action_timeout"] = "2s" })
	}})
	for _, r := range rows {
		r.arm(t, c)
	}
	lose(t, c, "az-a", cloudsim.Loss{})
	d.ends(c, rows, "every incident comes as far as it can", (*calling).want)
	d.throttledCounted(rows)
	d.stays(c, rows)
	d.release(c, rows)
	d.ends(c, rows, "what was released is failed over", (*calling).released)
}

// arm puts the row's fault in force.
func (r *calling) arm(t *testing.T, c *cloudsim.Cloud) {
	t.Helper()
	f := r.is.fault
	f.Group, f.Operation = r.id, string(replication.Failover)
	if f.Count == 0 {
		f.Count = 1
	}
	switch {
	case r.is.refusedAs != "":
		r.fault = fault(t, c, cloudsim.Fault{Endpoint: r.endpoints[0], Answer: cloudsim.Stale})
		for _, e := range r.endpoints[1:] {
			fault(t, c, cloudsim.Fault{Endpoint: e, Answer: cloudsim.Stale})
		}
		if err := c.SetStatus(r.id, r.is.refusedAs); err != nil {
			t.Fatal(err)
		}
	default:
		r.fault = fault(t, c, f)
	}
}

// ends waits until every row has the ending it should have, and checks that
// none went beyond it.
func (d *daemon) ends(c *cloudsim.Cloud, rows []*calling, what string, want func(*calling) ending) {
	d.t.Helper()
	eventually(d.t, 90*time.Second, what, func() string {
		var off []string
		incidents := d.incidents()
		for _, r := range rows {
			if text := r.differs(c, incidents[r.id], want(r)); text != "" {
				off = append(off, text)
			}
		}
		return strings.Join(off, "\n")
	})
}

// differs says how a row is not as it should be, "" when it is.
func (r *calling) differs(c *cloudsim.Cloud, list []replication.Incident, want ending) string {
	got := ending{calls: calls(c, r.id), effected: c.EffectiveFailovers(r.id)}
	if len(list) > 0 {
		got.phase = list[0].Phase
	}
	if got == want || r.is.late && got.phase.Ended() && got.calls <= want.calls && got.effected == want.effected {
		return ""
	}
	return fmt.Sprintf("%s: %+v, want %+v (%s)", r.name, got, want, show(list))
}

func (d *daemon) throttledCounted(rows []*calling) {
	d.t.Helper()
	s := d.scrape()
	for _, r := range rows {
		n := s.sum("drwatch_provider_throttled_total", "account="+r.name)
		if (n > 0) != (r.row == "throttled") {
			d.t.Errorf("%s: drwatch_provider_throttled_total %g", r.name, n)
		}
	}
}

// stays looks for longer than the cool-down and the wait for a second send:
// nothing more is sent, and what failed or is ambiguous is latched.
func (d *daemon) stays(c *cloudsim.Cloud, rows []*calling) {
	d.t.Helper()
	clock := time.NewTimer(6 * time.Second)
	defer clock.Stop()
	<-clock.C
	s, incidents := d.scrape(), d.incidents()
	for _, r := range rows {
		want := r.want()
		if text := r.differs(c, incidents[r.id], want); text != "" {
			d.t.Errorf("later, %s", text)
		}
		if n := len(incidents[r.id]); n != 1 {
			d.t.Errorf("%s: %d incidents of one loss, want one: %s", r.name, n, show(incidents[r.id]))
		}
		if r.is.late {
			continue
		}
		latched := want.phase.Ended() && (want.phase != replication.Succeeded || r.provider.Async())
		if n := s.sum("drwatch_group_latched", "group="+r.id); (n == 1) != latched {
			d.t.Errorf("%s: drwatch_group_latched %g after %s", r.name, n, want.phase)
		}
	}
}

// release clears the faults of what can be released, and acknowledges what
// failed.
func (d *daemon) release(c *cloudsim.Cloud, rows []*calling) {
	d.t.Helper()
	incidents := d.incidents()
	c.ClearFaults()
	for _, r := range rows {
		if r.is.refusedAs != "" {
			healthy := map[replication.Provider]string{
				replication.HuaweiSDRS: "protected", replication.HuaweiEVS: "available", replication.HuaweiDWS: "abnormal", replication.AliyunEBS: "normal",
			}
			if err := c.SetStatus(r.id, healthy[r.provider]); err != nil {
				d.t.Fatal(err)
			}
		}
		if r.released() == r.want() || r.want().phase != replication.Failed {
			continue
		}
		if code, body := d.post("/api/v1/incidents/"+incidents[r.id][0].ID+"/ack", `{"reason":"looked at it","who":"sre"}`); code != 200 {
			d.t.Errorf("%s: ack answered %d %s", r.name, code, body)
		}
	}
}
