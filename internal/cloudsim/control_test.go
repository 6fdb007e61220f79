package cloudsim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

func controlled(o *cloudsim.Options) { o.ControlAddress = "127.0.0.1:0" }

func (l *lab) control(method, path, body string) reply {
	l.t.Helper()
	req, err := http.NewRequest(method, l.cloud.ControlURL()+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	return l.send(req)
}

func TestControl(t *testing.T) {
	l := demoLab(t, controlled)
	sites := l.control("GET", "/sim/state", "").list(t, "sites")
	if len(sites) != 2 || sites[0]["name"] != "az-a" || sites[0]["up"] != true || sites[0]["health_url"] != l.cloud.HealthURL("az-a") {
		t.Errorf("sites %v", sites)
	}
	l.want(l.control("POST", "/sim/sites/az-a/lose", `{"api":true}`), 200, "ok")
	state := l.control("GET", "/sim/state", "")
	if s := state.list(t, "sites"); s[0]["up"] != false || s[1]["up"] != true {
		t.Errorf("sites after the loss %v", s)
	}
	for _, e := range state.list(t, "endpoints") {
		if up := e["name"] != "ebs"; e["up"] != up {
			t.Errorf("endpoint %v", e)
		}
	}
	if n := len(state.list(t, "groups")); n != 21 {
		t.Errorf("%d groups", n)
	}
	l.want(l.control("POST", "/sim/sites/az-a/restore", ""), 200, "ok")
	l.want(l.control("POST", "/sim/sites/moon/lose", ""), 400, "no site")
	l.want(l.control("POST", "/sim/sites/az-a/lose", `{"apis":true}`), 400, "apis")
}

func TestControlFaults(t *testing.T) {
	l := newLab(t, controlled)
	id := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, Pairs: 1}))
	l.want(l.control("POST", "/sim/faults", `{"operation":"failover","count":1,"before":"1ms","answer":"throttled"}`), 200, "fault-1")
	want := cloudsim.Fault{ID: "fault-1", Operation: "failover", Count: 1, Before: time.Millisecond, Answer: cloudsim.Throttled}
	if f := l.cloud.Faults(); len(f) != 1 || f[0] != want {
		t.Errorf("faults %+v", f)
	}
	if f := l.control("GET", "/sim/state", "").list(t, "faults"); len(f) != 1 || f[0]["before"] != "1ms" || f[0]["after"] != nil {
		t.Errorf("faults in the state %v", f)
	}
	l.want(l.sdrsAct(id, failoverSDRS), 429, "APIGW.0308")
	l.want(l.control("POST", "/sim/faults", `{"answer":"shrug"}`), 400, "shrug")
	for _, nothing := range []string{"", "{}", `{"operation":"failover","count":1}`} {
		l.want(l.control("POST", "/sim/faults", nothing), 400, "this fault changes nothing")
	}
	l.want(l.control("GET", "/", ""), 200, "POST   /sim/faults")
	l.want(l.control("POST", "/sim/faults", `{"answer":"empty"}`), 200, "fault-2")
	l.want(l.control("POST", "/sim/faults", `{"answer":"found"}`), 200, "fault-3")
	l.want(l.control("DELETE", "/sim/faults?id=fault-2", ""), 200, "ok")
	l.want(l.get(cloudsim.EndpointSDRS, sdrsGroups), 302, "")
	l.want(l.control("DELETE", "/sim/faults", ""), 200, "ok")
	l.want(l.sdrsAct(id, failoverSDRS), 200, "job_id")
	l.clock.move(time.Minute)
	var log []map[string]any
	r := l.control("GET", "/sim/effects", "")
	decode(t, r.body, &log)
	if len(log) != 3 || log[0]["verdict"] != "dropped" || log[1]["verdict"] != "accepted" || log[2]["kind"] != "change" ||
		log[2]["to"].(map[string]any)["zone"] != "cn-north-4b" {
		t.Errorf("effects %s", r.body)
	}
}

func TestControlIsForLoopback(t *testing.T) {
	l := newLab(t, controlled)
	req, err := http.NewRequest("POST", l.cloud.ControlURL()+"/sim/sites/az-a/lose", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "rebound.example.com"
	l.want(l.send(req), 403, "loopback")
	if !l.cloud.SiteUp("az-a") {
		t.Error("the site was lost all the same")
	}
}
