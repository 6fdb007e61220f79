package sdrs_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/providertest"
	"github.com/drwatch/drwatch/internal/provider/sdrs"
	"github.com/drwatch/drwatch/internal/replication"
)

// echoing is an account whose provider may repeat the token that it was asked with.
func echoing(c *providertest.Answers) provider.Settings {
	s := settings(c.URL)
	s.TimeZone = time.UTC
	s.Credentials = providertest.Keys
	return s
}

func FuzzList(f *testing.F) {
	f.Add(file(f, "groups.json"), file(f, "replications.json"), file(f, "instances.json"))
	f.Add(`{"server_groups":[{"id":"a","progress":1e400,"replication_num":-1}]}`, `{"replications":[{"id":null,"record_metadata":"{}","fault_level":5}]}`, `{"protected_instances":[{}]}`)
	const group = `{"server_groups":[{"id":"a","status":"protected","priority_station":"source","source_availability_zone":"x","target_availability_zone":"y"}]}`
	f.Add(group, `{"replications":[{"id":"p","server_group_id":"a","status":"protected"},7,{"server_group_id":[]}]}`, `{"protected_instances":[]}`)
	f.Add(group, `{"replications":[`+strings.Repeat(`{"server_group_id":"a","record_metadata":{"volume_size":2147483647}},`, 4)+`{"server_group_id":"a","record_metadata":"{\"volume_size\":2147483647}"}]}`, `{"protected_instances":[]}`)
	f.Add(group, `{"replications":[{"id":"p","server_group_id":"a","status":"protected","fault_level":"5"}]}`, `{"protected_instances":[]}`)
	f.Add(`SECRET`, `403 {"error_code":"SECRET","error_msg":"SECRET"}`, `500 <html>SECRET`)
	c := providertest.Serve(f)
	r, err := sdrs.NewReader(echoing(c))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, groups, pairs, instances string) {
		defer providertest.Soon(t, time.Now)()
		groups, pairs, instances = providertest.Plant(groups), providertest.Plant(pairs), providertest.Plant(instances)
		c.Say(base+"/server-groups", groups)
		c.Say(base+"/replications", pairs)
		c.Say(base+"/protected-instances", instances)
		l, err := r.List(t.Context())
		providertest.Listing(t, l, err)
		providertest.Silent(t, err, providertest.Token())
		if err != nil {
			return
		}
		items, _ := providertest.Items(groups, "server_groups")
		for _, it := range items {
			id, _ := it.Word("id")
			at := slices.IndexFunc(l.Groups, func(g replication.Group) bool { return g.Key.ID == id })
			if at < 0 && len(l.Bad) == 0 {
				t.Errorf("group %q is neither read nor counted as unreadable", id)
			}
		}
		for _, g := range l.Groups {
			if g.FailoverReady() {
				checkReady(t, g, groups, pairs)
			}
		}
	})
}

// checkReady reads the answers once more, in another way: a group is ready only when
// all that the provider says allows it, and all of it was read.
func checkReady(t *testing.T, g replication.Group, groups, pairs string) {
	t.Helper()
	items, _ := providertest.Items(groups, "server_groups")
	it := items[slices.IndexFunc(items, func(it providertest.Item) bool { return it.Is("id", g.Key.ID) })]
	if !it.Is("status", "protected", "error-failing-over", "error-reversing") || !it.Is("priority_station", "source", "target") || it.Is("replication_status", "copying") {
		t.Errorf("ready, and the provider says %s", it)
	}
	list, _ := providertest.Items(pairs, "replications")
	seen, known, lost := map[string]bool{}, 0, 0
	for _, p := range list {
		of, readable := p.Word("server_group_id")
		if p == nil || !readable {
			lost++
			continue
		}
		id, _ := p.Word("id")
		if of != g.Key.ID || provider.ValidID(id) == nil && seen[id] {
			continue
		}
		seen[id] = true
		known++
		if !p.Is("fault_level", "", "0", "2") || p.Is("replication_status", "copying") || p.Is("status", "invalid") {
			t.Errorf("ready, and a pair is %s", p)
		}
	}
	counted, _ := it.Word("replication_num")
	if n, err := strconv.ParseFloat(counted, 64); lost > 0 && (err != nil || n > float64(known)) {
		t.Errorf("ready with %d of %q pairs, and %d that could not be read", known, counted, lost)
	}
}

func FuzzJob(f *testing.F) {
	f.Add(file(f, "job_running.json"))
	f.Add(file(f, "job_fail.json"))
	f.Add(`{"status":"FAIL","fail_reason":"SECRET","entities":{"sub_jobs":[{"status":"FAIL","job_type":"\u001b[2J"}]}}`)
	f.Add(`404 {"error_code":"SDRS.0101","error_msg":"SECRET"}`)
	c := providertest.Serve(f)
	c.Say(base+"/server-groups/"+groupID, text(f, object{"server_group": items(f, "groups.json", "server_groups")[0]}))
	c.Say(base+"/replications", file(f, "replications.json"))
	c.Say(base+"/protected-instances", file(f, "instances.json"))
	r, err := sdrs.NewReader(echoing(c))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, job string) {
		defer providertest.Soon(t, time.Now)()
		job = providertest.Plant(job)
		c.Say(base+"/jobs/"+jobID, job)
		p, err := r.Track(t.Context(), groupID, jobID)
		providertest.Silent(t, err, providertest.Token())
		if strings.ContainsAny(p.Detail, "\n\r\x00\x1b") || len(p.Detail) > 4000 {
			t.Errorf("not a line for a person: %q", p.Detail)
		}
		said := providertest.Item{}
		if items, ok := providertest.Items(`{"of":[`+job+`]}`, "of"); ok && len(items) == 1 {
			said = items[0]
		}
		want := map[provider.JobState][]string{provider.JobRunning: {"INIT", "RUNNING"}, provider.JobDone: {"SUCCESS"}, provider.JobFailed: {"FAIL"}}[p.Job]
		if p.Job != provider.JobNone && (err != nil || !said.Is("status", want...)) {
			t.Errorf("job %q of %q (%v)", p.Job, job, err)
		}
	})
}

func FuzzSlowFacts(f *testing.F) {
	f.Add(`{"quotas":{"resources":[{"type":"a","used":1,"quota":-1}]}}`, `{"disaster_recovery_drills":[]}`, `{"failure_jobs":[{"job_id":"j"}]}`, `{"resource_rpo_statistics":[{"point_time":"2026-01-02 03:00","resource_num":1e9}]}`)
	f.Add(file(f, "facts.json"), `{"disaster_recovery_drills":[{"id":"d","server_group_id":"g","status":7}]}`, `SECRET`, `429 {"error_code":"SECRET"}`)
	c := providertest.Serve(f)
	r := factReader(f, echoing(c))
	f.Fuzz(func(t *testing.T, quotas, drills, failures, statistics string) {
		defer providertest.Soon(t, time.Now)()
		for part, body := range map[string]string{"quotas": quotas, "drills": drills, "failures": failures, "statistics": statistics} {
			c.Say(factPaths[part], providertest.Plant(body))
		}
		facts, err := r.SlowFacts(t.Context())
		if err != nil {
			providertest.Silent(t, lines(err), providertest.Token())
		}
		notFound := func(body string) bool { return strings.HasPrefix(body, "404 ") } // only that is no error
		if err == nil && (facts.Quotas == nil && !notFound(quotas) || facts.Drills == nil && !notFound(drills) || facts.FailedJobs == nil && !notFound(failures)) {
			t.Errorf("no error, and nothing told: %+v", facts)
		}
		for _, q := range facts.Quotas {
			if q.Resource == "" || !(q.Used >= 0) || q.Limit != nil && !(*q.Limit >= 0) {
				t.Errorf("quota %+v", q)
			}
		}
		for _, n := range slices.Concat(facts.Drills, facts.FailedJobs) {
			if n.Count <= 0 || n.Kind == "" {
				t.Errorf("counted %+v", n)
			}
		}
		if facts.Breaches != nil && *facts.Breaches < 0 {
			t.Errorf("%d breaches", *facts.Breaches)
		}
	})
}

// lines is the error of several questions as one line.
func lines(err error) error { return oneLine(strings.ReplaceAll(err.Error(), "\n", "; ")) }

type oneLine string

func (o oneLine) Error() string { return string(o) }

func FuzzDrills(f *testing.F) {
	f.Add(`{"disaster_recovery_drills":[{"id":"d","server_group_id":"` + groupID + `","name":"n","status":"available"}]}`)
	f.Add(`{"disaster_recovery_drills":[{"id":"d","server_group_id":"other","status":null},{"id":"d"}]}`)
	f.Add(`{"disaster_recovery_drills":[7]}`)
	c := providertest.Serve(f)
	r := factReader(f, echoing(c)).(provider.DrillReader)
	f.Fuzz(func(t *testing.T, body string) {
		defer providertest.Soon(t, time.Now)()
		body = providertest.Plant(body)
		c.Say(base+"/disaster-recovery-drills", body)
		drills, err := r.Drills(t.Context(), groupID)
		providertest.Silent(t, err, providertest.Token())
		if (err == nil) != (drills != nil) {
			t.Fatalf("drills %v and the error %v", drills, err)
		}
		mine, listed := 0, map[string]bool{}
		items, _ := providertest.Items(body, "disaster_recovery_drills")
		for _, it := range items {
			id, _ := it.Word("id")
			if err == nil && (it == nil || it.Is("server_group_id", "") && !listed[id]) {
				t.Errorf("a drill was passed over: %s", it)
			}
			if it.Is("server_group_id", groupID) && !listed[id] {
				mine++
			}
			listed[id] = true
		}
		seen := map[string]bool{}
		for _, d := range drills {
			if provider.ValidID(d.ID) != nil || seen[d.ID] || d.State == "" {
				t.Errorf("drill %+v", d)
			}
			seen[d.ID] = true
		}
		if mine > 0 && err == nil && len(drills) == 0 {
			t.Errorf("%d drills of the group, and none is told", mine)
		}
	})
}

// FuzzAction is about what an answer to a failover proves: taken it is only with the
// id of a job, and refused only by a documented code.
func FuzzAction(f *testing.F) {
	f.Add(200, `{"job_id":"ff808082"}`)
	f.Add(200, `{"job_id":"a/b"}`)
	f.Add(200, `{"job_id":"a","error_code":"SDRS.1013"}`)
	f.Add(400, `{"error":{"code":"SDRS.1013","message":"SECRET"}}`)
	f.Add(429, `{"error_code":"APIGW.0308","error_msg":"m"}`)
	f.Add(500, `{"job_id":"a"}`)
	c := providertest.Serve(f)
	a, err := sdrs.NewActor(echoing(c))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		defer providertest.Soon(t, time.Now)()
		body = providertest.Plant(body)
		c.SayStatus(base+"/server-groups/"+groupID+"/action", status, body)
		res := a.Failover(t.Context(), provider.Request{GroupID: groupID})
		providertest.Result(t, status, res)
		said, _ := providertest.Items(`{"of":[`+body+`]}`, "of")
		if res.Outcome == replication.Accepted && (provider.ValidID(res.JobID) != nil || len(said) != 1 || !said[0].Has(res.JobID)) {
			t.Errorf("%d %q: accepted, job %q", status, body, res.JobID)
		}
	})
}
