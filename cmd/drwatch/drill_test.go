package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/replication"
)

// What was shown is what is done: `drill clear` without --drill shows a plan about
// the only drill there is, and must ask for that one.
func TestDrillClearAsksForTheDrillThatItShowed(t *testing.T) {
	var asked []api.Ask
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var a api.Ask
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &a)
		asked = append(asked, a)
		plan := api.Plan{
			Account: "ali", Group: "pg-1", Provider: replication.AliyunEBS, Name: "db", Action: replication.ClearDrill, Active: "a", To: "a", OK: true, Drill: "d-1",
			Steps: []api.PlanStep{{Action: replication.ClearDrill, Call: "ClearReplicaGroupDrill", Ready: []replication.Condition{{Name: "drill_of_group", Value: "d-1", OK: true}}}},
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": api.Asked{Plan: plan}})
	}))
	defer srv.Close()
	a := &acting{action: replication.ClearDrill, group: "db", reason: "done", yes: true}
	a.url, a.output = srv.URL, "table"
	_ = a.run(context.Background())
	if len(asked) != 2 || asked[1].Drill != "d-1" {
		t.Errorf("shown: drill d-1; asked for: %+v", asked[len(asked)-1])
	}
}
