package sdrs_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/sdrs"
	"github.com/drwatch/drwatch/internal/replication"
)

func failover(t *testing.T, c *cloud, id string) provider.Result {
	t.Helper()
	a, err := sdrs.NewActor(settings(c.URL))
	if err != nil {
		t.Fatal(err)
	}
	return a.Failover(t.Context(), provider.Request{GroupID: id, ClientToken: "not sent"})
}

func TestFailoverOnTheWire(t *testing.T) {
	c := newCloud(t)
	c.set(base+"/server-groups/"+groupID+"/action", `{"job_id":"`+jobID+`"}`)
	r := failover(t, c, groupID)
	if r.Outcome != replication.Accepted || r.JobID != jobID || r.Err != nil {
		t.Errorf("%+v", r)
	}
	want := []string{"POST " + base + "/server-groups/" + groupID + "/action {\"failover-server-group\":{}}\n"}
	if diff := cmp.Diff(want, c.asked()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if got := c.types[0]; got != "application/json;charset=UTF-8" {
		t.Errorf("content type %q", got)
	}
}

func TestFailoverOutcomes(t *testing.T) {
	for body, want := range map[string]replication.Outcome{
		`{}`:                     replication.Uncertain,
		``:                       replication.Uncertain,
		`{"job_id":null}`:        replication.Uncertain,
		`{"job_id":""}`:          replication.Uncertain,
		`{"job_id":"a/b"}`:       replication.Uncertain,
		`{"job_id":["` + `j"]}`:  replication.Uncertain,
		`[{"job_id":"` + `j"}]`:  replication.Uncertain,
		`{"job_id":"j-1"}`:       replication.Accepted,
		`400 {"job_id":"j-1"}`:   replication.Uncertain,
		`400 <html>bad request`:  replication.Uncertain,
		badRequest("SDRS.1002"):  replication.Rejected,
		badRequest("SDRS.1013"):  replication.Rejected,
		badRequest("SDRS.1020"):  replication.Rejected,
		badRequest("SDRS.1319"):  replication.Rejected,
		badRequest("SDRS.1030"):  replication.Uncertain, // it failed, perhaps half way
		badRequest("SDRS.9999"):  replication.Uncertain,
		badRequest("APIGW.0301"): replication.Rejected,
	} {
		t.Run(body, func(t *testing.T) {
			c := newCloud(t)
			c.set(base+"/server-groups/"+groupID+"/action", body)
			r := failover(t, c, groupID)
			if r.Outcome != want || (r.Err == nil) != (want == replication.Accepted) {
				t.Errorf("%+v, want %s", r, want)
			}
			if n := len(c.asked()); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func badRequest(code string) string {
	return `400 {"badrequest":{"message":"m","code":"` + code + `"}}`
}

func TestFailoverOfNoID(t *testing.T) {
	c := newCloud(t)
	for _, id := range []string{"", "../x", "a/b", "a b"} {
		if r := failover(t, c, id); r.Outcome != replication.NotSent || r.Err == nil {
			t.Errorf("%q: %+v", id, r)
		}
	}
	if asked := c.asked(); len(asked) != 0 {
		t.Errorf("sent %q", asked)
	}
}
