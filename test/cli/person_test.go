package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/web"
)

// incidentID is what each daemon calls the one incident it starts.
const incidentID = "20260102t030405-0a1b2c3d"

// daemon is the real HTTP side of drwatch before an executor that does what its
// scenario says. What is asked of it stands in a file, a line each.
type daemon struct {
	web.View // only incidents are looked at

	scenario string
	file     string
	mu       sync.Mutex
	looks    int
	plan     api.Plan
}

// scenarios are what may become of an action, and the phase it ends in.
var scenarios = map[string]replication.Phase{
	"succeeds": replication.Succeeded, "fails": replication.Failed, "ambiguous": replication.Ambiguous, "aborted": replication.Aborted,
	"blocked":  "",                    // the plan is not OK
	"refuses":  "",                    // the plan is OK, and then it is not
	"frozen":   "",                    // refused without a plan
	"hangs up": "",                    // no answer comes to what was asked
	"goes on":  "",                    // it never ends
	"stutters": replication.Succeeded, // the store does not answer for a while
}

// startDaemon is `daemon SCENARIO`: one that asks are sent to at $URL, and noted
// in the file asked.
func startDaemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: daemon SCENARIO")
	}
	if _, ok := scenarios[args[0]]; !ok {
		ts.Fatalf("no such scenario: %s", args[0])
	}
	file := ts.MkAbs("asked")
	ts.Check(os.WriteFile(file, nil, 0o600))
	srv := serveActions(args[0], file)
	ts.Defer(srv.Close)
	ts.Setenv("URL", srv.URL)
}

func serveActions(scenario, file string) *httptest.Server {
	d := &daemon{scenario: scenario, file: file}
	return httptest.NewServer(web.Handler(web.Options{View: d, Actions: d, Operator: noOperator{}, Metrics: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler), Now: time.Now}))
}

// noOperator is there for its methods' names: nobody here answers an incident.
type noOperator struct{ web.Operator }

func (d *daemon) Act(_ context.Context, ask api.Ask, who, from string) (api.Asked, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.note(ask); err != nil {
		return api.Asked{}, err
	}
	d.plan = planOf(ask)
	switch {
	case d.scenario == "frozen":
		return api.Asked{}, fmt.Errorf("%w: frozen by ann: storage maintenance", web.ErrRefused)
	case d.scenario == "blocked", d.scenario == "refuses" && !ask.DryRun:
		d.plan.OK = false
		d.plan.Conditions[1] = replication.Condition{Name: "not_latched", Value: "latched by 20260101t000000-00000000", Threshold: "not latched; `drwatch ack` releases it"}
	case ask.DryRun:
	case d.scenario == "hangs up":
		panic(http.ErrAbortHandler)
	default:
		return api.Asked{Plan: d.plan, Incident: d.incident(replication.Open)}, nil
	}
	if ask.DryRun {
		return api.Asked{Plan: d.plan}, nil
	}
	return api.Asked{Plan: d.plan}, fmt.Errorf("%w: not_latched does not hold any more", web.ErrRefused)
}

// note writes down what was asked for, without the name of whoever runs the test.
func (d *daemon) note(ask api.Ask) error {
	if ask.Who == "" {
		return errors.New("nobody says who asks")
	}
	ask.Who = ""
	line, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(d.file, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

func planOf(ask api.Ask) api.Plan {
	p := api.Plan{
		Account: "ali", Provider: replication.AliyunEBS, Group: "pg-1", Name: "db-orders", Action: ask.Action, Active: "az-a", To: "az-a",
		State: replication.Replicating, RawStatus: "normal", LagSeconds: new(12.0), OK: true,
		Conditions: []replication.Condition{
			{Name: "not_frozen", Value: "not frozen", Threshold: "not frozen", OK: true},
			{Name: "not_latched", Value: "not latched", Threshold: "not latched", OK: true},
		},
		Steps: []api.PlanStep{{Action: ask.Action, Call: "VendorsCall", Ready: []replication.Condition{{Name: "status", Value: "normal", Threshold: "normal", OK: true}}}},
		Notes: []string{"What the vendor wants is said here."},
	}
	if ask.Action.Moves() {
		p.To = "az-b"
	}
	if ask.Action == replication.ClearDrill {
		p.Drill, p.Drills = ask.Drill, []api.Drill{{ID: "d1", Status: "active", State: replication.DrillReady, Incident: incidentID}}
	}
	return p
}

func (d *daemon) incident(phase replication.Phase) *replication.Incident {
	i := &replication.Incident{
		ID: incidentID, Rule: replication.PersonRule, Account: "ali", Provider: replication.AliyunEBS, Group: "pg-1", Name: "db-orders", Action: d.plan.Action, Phase: phase,
		Person: &replication.Person{Who: "ann", From: "127.0.0.1", Reason: "maintenance"},
		Plan:   replication.Plan{From: replication.Location{Region: d.plan.Active}, To: replication.Location{Region: d.plan.To}, Drill: d.plan.Drill, Steps: []replication.Action{d.plan.Action}},
	}
	if phase == replication.Succeeded {
		i.Step = 1
	} else if phase.Ended() {
		i.Error, i.Calls = "the provider said no", []replication.Call{{Operation: string(d.plan.Action), Attempt: 1}}
	}
	return i
}

// Incident is further with each look.
func (d *daemon) Incident(_ context.Context, id string) (api.Incident, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if id != incidentID {
		return api.Incident{}, fmt.Errorf("incident %q: %w", id, web.ErrNotFound)
	}
	d.looks++
	if d.scenario == "stutters" && d.looks == 2 {
		return api.Incident{}, errors.New("the store has no majority")
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	lines := []replication.Entry{
		{Seq: 1, At: at, Observer: "obs-w", Event: "claimed", Text: "ann asks for it"},
		{Seq: 2, At: at, Observer: "obs-w", Event: "intent", Text: "VendorsCall"},
		{Seq: 3, At: at, Observer: "obs-w", Event: "ended", Text: "the end of it"},
	}
	end := scenarios[d.scenario]
	switch {
	case d.looks == 1:
		return api.Incident{Incident: *d.incident(replication.Executing), Journal: lines[:1]}, nil
	case d.looks == 2 || end == "":
		return api.Incident{Incident: *d.incident(replication.Verifying), Journal: lines[:2]}, nil
	}
	return api.Incident{Incident: *d.incident(end), Journal: lines}, nil
}
