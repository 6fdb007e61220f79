package evs_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/evs"
	"github.com/drwatch/drwatch/internal/replication"
)

func failover(t *testing.T, c *cloud, id string) provider.Result {
	t.Helper()
	a, err := evs.NewActor(settings(c.URL))
	if err != nil {
		t.Fatal(err)
	}
	return a.Failover(t.Context(), provider.Request{GroupID: id})
}

func TestFailoverOnTheWire(t *testing.T) {
	c := newCloud(t)
	c.set(groups+"/"+groupID+"/action", "")
	if r := failover(t, c, groupID); r.Outcome != replication.Accepted || r.JobID != "" || r.Err != nil || r.Status != 200 {
		t.Errorf("%+v", r)
	}
	want := []string{"POST " + groups + "/" + groupID + "/action {\"os-failover-replication-consistency-group\":null}\n"}
	if diff := cmp.Diff(want, c.asked()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if got := c.types[0]; got != "application/json" {
		t.Errorf("content type %q", got)
	}
}

func TestFailoverOutcomes(t *testing.T) {
	for body, want := range map[string]replication.Outcome{
		"":           replication.Accepted,
		"{}":         replication.Uncertain,
		"<html>":     replication.Uncertain,
		"202 ":       replication.Uncertain,
		"204 ":       replication.Uncertain,
		"400 ":       replication.Uncertain,
		"400 <html>": replication.Uncertain,
		`400 {"badRequest":{"message":"state","code":400}}`:                    replication.Rejected,
		`404 {"itemNotFound":{"message":"gone","code":404}}`:                   replication.Rejected,
		`413 {"overLimit":{"message":"slow down","code":413}}`:                 replication.Rejected,
		`409 {"conflictingRequest":{"message":"busy","code":409}}`:             replication.Rejected,
		`401 {"error_code":"APIGW.0301","error_msg":"Incorrect"}`:              replication.Rejected,
		`400 {"somethingElse":{"message":"m","code":400}}`:                     replication.Uncertain,
		`500 {"badRequest":{"message":"state","code":400}}`:                    replication.Uncertain,
		`429 {"error_code":"APIGW.0308","error_msg":"The throttling is over"}`: replication.Throttled,
		`429 {"overLimit":{"message":"slow down","code":429}}`:                 replication.Uncertain,
	} {
		t.Run(body, func(t *testing.T) {
			c := newCloud(t)
			c.set(groups+"/"+groupID+"/action", body)
			if r := failover(t, c, groupID); r.Outcome != want || (r.Err == nil) != (want == replication.Accepted) {
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
