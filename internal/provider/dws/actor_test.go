package dws_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/dws"
	"github.com/drwatch/drwatch/internal/replication"
)

func failover(t *testing.T, c *cloud, id string) provider.Result {
	t.Helper()
	a, err := dws.NewActor(settings(c.URL))
	if err != nil {
		t.Fatal(err)
	}
	return a.Failover(t.Context(), provider.Request{GroupID: id})
}

func TestFailoverOnTheWire(t *testing.T) {
	c := newCloud(t)
	c.set(detailPath+"/failover", `{"disaster_recovery":{"id":"`+drID+`"}}`)
	if r := failover(t, c, drID); r.Outcome != replication.Accepted || r.JobID != "" || r.Err != nil {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff([]string{"POST " + detailPath + "/failover"}, c.asked()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if got := c.types[0]; got != "application/json" {
		t.Errorf("content type %q", got)
	}
}

func TestFailoverOutcomes(t *testing.T) {
	for body, want := range map[string]replication.Outcome{
		`{"disaster_recovery":{"id":"` + drID + `"}}`:     replication.Accepted,
		`202 {"disaster_recovery":{"id":"` + drID + `"}}`: replication.Accepted,
		`{"disaster_recovery":{"id":"another"}}`:          replication.Uncertain,
		`{"disaster_recovery":{"id":null}}`:               replication.Uncertain,
		`{"disaster_recovery":[{"id":"` + drID + `"}]}`:   replication.Uncertain,
		`{}`:     replication.Uncertain,
		``:       replication.Uncertain,
		`<html>`: replication.Uncertain,
		`400 {"error_code":"DWS.10101","error_msg":"not found"}`: replication.Rejected,
		`400 {"error_code":"DWS.4711","error_msg":"state"}`:      replication.Uncertain,
		`401 {"error_code":"APIGW.0301","error_msg":"auth"}`:     replication.Rejected,
		`429 {"error_code":"APIGW.0308","error_msg":"rate"}`:     replication.Throttled,
		`500 {"error_code":"DWS.10101","error_msg":"m"}`:         replication.Uncertain,
	} {
		t.Run(body, func(t *testing.T) {
			c := newCloud(t)
			c.set(detailPath+"/failover", body)
			if r := failover(t, c, drID); r.Outcome != want || (r.Err == nil) != (want == replication.Accepted) {
				t.Errorf("%+v, want %s", r, want)
			}
			if n := len(c.asked()); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestFailoverOfNoID(t *testing.T) {
	c := newCloud(t)
	for _, id := range []string{"", "../x", "a/b"} {
		if r := failover(t, c, id); r.Outcome != replication.NotSent || r.Err == nil {
			t.Errorf("%q: %+v", id, r)
		}
	}
	if asked := c.asked(); len(asked) != 0 {
		t.Errorf("sent %q", asked)
	}
}
