package dws_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/dws"
	"github.com/drwatch/drwatch/internal/provider/providertest"
	"github.com/drwatch/drwatch/internal/replication"
)

func FuzzList(f *testing.F) {
	f.Add(file(f, "list.json"), file(f, "detail.json"), file(f, "progress.json"))
	f.Add(`{"disaster_recovery":[{"id":"`+drID+`","last_disaster_time":"x"}]}`, `{"disaster_recovery":{"id":"`+drID+`","dr_sync_period":"é"}}`, `{"disaster_recovery_progress":{"recovery_point_object":1e300}}`)
	f.Add(`{"disaster_recovery":[{"id":"`+drID+`","status":"running","last_disaster_time":"2199-01-02 03:04:05","dr_type":"region"}]}`,
		`{"disaster_recovery":{"id":"`+drID+`","primary_cluster":{"id":"a","role":"standby","region":"x"},"standby_cluster":{"id":"b","role":"primary","region":"y"}}}`,
		`{"disaster_recovery_progress":{"recovery_point_object":"NaN","recovery_time_object":-1,"latest_barrier_time":"20260102_030405"}}`)
	f.Add(file(f, "list.json"), strings.Replace(file(f, "detail.json"), "cluster-a", "cluster-c", 1), file(f, "progress.json"))
	f.Add(strings.ReplaceAll(file(f, "list.json"), `"2026-`, `"2199-`), file(f, "detail.json"), `{"disaster_recovery_progress":{}}`)
	f.Add(file(f, "list.json"), `SECRET`, `500 SECRET`)
	f.Add(`403 {"error_code":"SECRET","error_msg":"SECRET"}`, `404 {}`, ``)
	c := providertest.Serve(f)
	s := settings(c.URL)
	s.Credentials = providertest.Keys
	r, err := dws.NewReader(s)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, list, detail, progress string) {
		defer providertest.Soon(t, time.Now)()
		list, detail, progress = providertest.Plant(list), providertest.Plant(detail), providertest.Plant(progress)
		for path, body := range map[string]string{listPath: list, detailPath: detail, progressPath: progress} {
			c.Say(path, body)
		}
		l, err := r.List(t.Context())
		providertest.Listing(t, l, err)
		providertest.Silent(t, err, providertest.Token())
		for _, g := range l.Groups {
			if g.Lag != nil && g.LastSync.After(g.ReadAt) && len(l.Bad) == 0 {
				t.Errorf("last synchronised in the future, at %v, and nothing is said of it", g.LastSync)
			}
			if g.FailoverReady() {
				checkReady(t, g, list, detail)
			}
		}
		one, err := r.Read(t.Context(), drID)
		providertest.Silent(t, err, providertest.Token())
		if err == nil {
			providertest.Group(t, one)
		}
		if err != nil && one.Key.ID != "" {
			t.Errorf("the group %v and the error %v", one, err)
		}
	})
}

// checkReady reads the answers once more, in another way: a group is ready only in a
// documented status, and with two clusters that list and detail agree on.
func checkReady(t *testing.T, g replication.Group, list, detail string) {
	t.Helper()
	items, _ := providertest.Items(list, "disaster_recovery")
	it := items[slices.IndexFunc(items, func(it providertest.Item) bool { return it.Is("id", g.Key.ID) })]
	details, _ := providertest.Items(`{"of":[`+detail+`]}`, "of")
	if len(details) != 1 {
		t.Fatalf("ready without a detail: %s", detail)
	}
	one, ok := details[0].Object("disaster_recovery")
	if !ok || !one.Is("id", g.Key.ID) {
		t.Fatalf("ready with the detail of another: %s", detail)
	}
	if !one.Is("status", "running", "abnormal", "") || !it.Is("status", "running", "abnormal") && !one.Is("status", "running", "abnormal") {
		t.Errorf("ready, and the provider says %s, then %s", it, one)
	}
	for _, field := range []string{"primary_cluster", "standby_cluster"} {
		cluster, told := one.Object(field)
		for _, name := range []string{"id", "role"} {
			a, _ := it.Word(field + "_" + name)
			b, _ := cluster.Word(name)
			if name == "id" && (provider.ValidID(a) != nil || provider.ValidID(b) != nil) {
				continue // one that cannot be used is not told
			}
			if a != b && a != "" && b != "" {
				t.Errorf("ready, and the %s of the %s is %q, then %q", name, field, a, b)
			}
		}
		if told && cluster.Is("status", "drDeleted") {
			t.Errorf("ready, and the %s is deleted", field)
		}
	}
}

// FuzzAction is about what an answer to a failover proves: taken it is only with the
// id that was asked for.
func FuzzAction(f *testing.F) {
	f.Add(200, `{"disaster_recovery":{"id":"`+drID+`"}}`)
	f.Add(200, `{"disaster_recovery":{"id":"other"}}`)
	f.Add(202, `{"disaster_recovery":{"id":"`+drID+`"},"error_code":"DWS.1"}`)
	f.Add(400, `{"error_code":"DWS.10101","error_msg":"SECRET"}`)
	f.Add(503, ``)
	c := providertest.Serve(f)
	s := settings(c.URL)
	s.Credentials = providertest.Keys
	a, err := dws.NewActor(s)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		defer providertest.Soon(t, time.Now)()
		body = providertest.Plant(body)
		c.SayStatus(detailPath+"/failover", status, body)
		res := a.Failover(t.Context(), provider.Request{GroupID: drID})
		providertest.Result(t, status, res)
		if res.Outcome == replication.Accepted && (res.JobID != "" || !strings.Contains(body, drID) && !strings.Contains(body, `\\u`)) {
			t.Errorf("%d %q: accepted, job %q", status, body, res.JobID)
		}
	})
}
