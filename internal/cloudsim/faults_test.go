package cloudsim_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

const failoverSDRS = `{"failover-server-group":{}}`

// What a failover call says and what it does, under each fault that answers.
func TestFaultyAnswersToAFailover(t *testing.T) {
	for _, tc := range []struct {
		fault     cloudsim.Fault
		status    int
		contains  string
		failovers int
	}{
		{cloudsim.Fault{Answer: cloudsim.EmptyObject}, 200, "{}", 0},
		{cloudsim.Fault{Answer: cloudsim.EmptyObject, Applied: "applied"}, 200, "{}", 1},
		{cloudsim.Fault{Answer: cloudsim.Empty}, 200, "", 0},
		{cloudsim.Fault{Answer: cloudsim.OKWithError}, 200, "error_code", 0},
		{cloudsim.Fault{Answer: cloudsim.Found}, 302, "", 0},
		{cloudsim.Fault{Answer: cloudsim.Redirect}, 307, "", 0},
		{cloudsim.Fault{Answer: cloudsim.BadGateway}, 502, "<html>", 0},
		{cloudsim.Fault{Answer: cloudsim.BadGateway, Applied: "applied"}, 502, "<html>", 1},
		{cloudsim.Fault{Answer: cloudsim.Unavailable}, 503, "", 0},
		{cloudsim.Fault{Answer: cloudsim.InternalError}, 500, "APIGW", 0},
		{cloudsim.Fault{Answer: cloudsim.NumericCode}, 500, `"error_code":500`, 0},
		{cloudsim.Fault{Answer: cloudsim.Throttled}, 429, "APIGW.0308", 0},
		{cloudsim.Fault{Answer: cloudsim.Skewed}, 401, "APIGW.0301", 0},
		{cloudsim.Fault{After: time.Millisecond, Before: time.Millisecond}, 200, "job_id", 1},
	} {
		t.Run(string(tc.fault.Answer)+tc.fault.Applied, func(t *testing.T) {
			l := newLab(t, nil)
			id := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, Pairs: 1}))
			tc.fault.Operation, tc.fault.Count = "StartFailoverProtectionGroup", 1
			addFault(t, l, tc.fault)
			l.want(l.get(cloudsim.EndpointSDRS, sdrsGroups), 200, id) // another operation is not touched
			r := l.want(l.sdrsAct(id, failoverSDRS), tc.status, tc.contains)
			if tc.contains == "" && r.body != "" {
				t.Errorf("body %q, want none", r.body)
			}
			if loc := r.header.Get("Location"); (r.status/100 == 3) != (loc != "") {
				t.Errorf("Location %q with status %d", loc, r.status)
			}
			l.clock.move(time.Minute)
			l.wantFailovers(id, tc.failovers)
			if f := l.cloud.Faults(); len(f) != 0 {
				t.Errorf("faults left: %v", f)
			}
			if tc.failovers == 0 {
				l.want(l.sdrsAct(id, failoverSDRS), 200, "job_id") // it was for one call
			}
		})
	}
}

func TestAliyunFaults(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 1}))
	for answer, want := range map[cloudsim.Answer]struct {
		status int
		body   string
	}{
		cloudsim.Throttled: {400, "Throttling.User"}, cloudsim.Skewed: {400, "InvalidTimeStamp.Expired"}, cloudsim.InternalError: {500, "InternalError"},
		cloudsim.NumericCode: {500, `"Code":500`}, cloudsim.OKWithError: {200, `"Code":"Failed"`},
	} {
		addFault(t, l, cloudsim.Fault{Endpoint: standbyEBS, Operation: "failover", Group: id, Answer: answer, Count: 1})
		l.want(l.ali(standbyEBS, "FailoverDiskReplicaGroup", "ReplicaGroupId", id), want.status, want.body)
	}
	l.clock.move(time.Minute)
	l.wantFailovers(id, 0)
}

func TestEffectThenCut(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, Pairs: 1}))
	addFault(t, l, cloudsim.Fault{Operation: "failover", Answer: cloudsim.Cut, Count: 1})
	if _, err := l.roundTrip(l.huawei(cloudsim.EndpointSDRS, "POST", sdrsGroups+"/"+id+"/action", failoverSDRS)); !errors.Is(err, io.EOF) {
		t.Fatalf("error %v, want EOF", err)
	}
	l.clock.move(time.Minute)
	l.wantStatus(id, "failed-over", northB)
	l.wantFailovers(id, 1)
}

// The client gives up; the failover comes a minute later.
func TestLateEffect(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddDWS(cloudsim.DWSGroup{Source: northA, Target: northB}))
	addFault(t, l, cloudsim.Fault{Operation: "failover", Late: time.Minute, Count: 1})
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := l.roundTrip(l.huawei(cloudsim.EndpointDWS, "POST", "/v2/{p}/disaster-recovery/"+id+"/failover", "").WithContext(ctx))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v, want a deadline", err)
	}
	l.clock.move(59 * time.Second)
	l.wantStatus(id, "running", northA)
	if e := l.cloud.Effects(); len(e) != 1 || e[0].Verdict != cloudsim.Deferred {
		t.Errorf("effects %+v", e)
	}
	l.clock.move(time.Second)
	l.wantStatus(id, "switchovering", northA)
	l.clock.move(10 * time.Second)
	l.wantStatus(id, "abnormal", northB)
	l.wantFailovers(id, 1)
	if e := l.cloud.Effects(); len(e) != 2 || e[0].Verdict != cloudsim.Accepted || !e[1].At.Equal(start.Add(70*time.Second)) {
		t.Errorf("effects %+v", e)
	}
}

func TestSpoiltItems(t *testing.T) {
	l := newLab(t, nil)
	first := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 2}))
	second := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 2}))
	list := func(f cloudsim.Fault) []map[string]any {
		t.Helper()
		f.Count = 1
		addFault(t, l, f)
		got := l.ali(primaryEBS, "DescribeDiskReplicaGroups").list(t, "ReplicaGroups")
		if len(got) != 2 || got[0]["ReplicaGroupId"] != first || got[1]["ReplicaGroupId"] != second {
			t.Fatalf("%s: %v", f.Answer, got)
		}
		return got
	}
	if got := list(cloudsim.Fault{Answer: cloudsim.WrongType}); got[0]["PairIds"] != "pair-1,pair-2" || got[1]["PairIds"] == "pair-1,pair-2" {
		t.Errorf("wrong type: %v", got)
	}
	if got := list(cloudsim.Fault{Answer: cloudsim.Nulls, Group: second}); got[1]["Status"] != nil || got[0]["Status"] != "normal" {
		t.Errorf("nulls: %v", got)
	}
	if got := list(cloudsim.Fault{Answer: cloudsim.UnknownStatus, Group: second}); got[1]["Status"] != "contemplating" || got[0]["Status"] != "normal" {
		t.Errorf("unknown status: %v", got)
	}
	id := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, Pairs: 1}))
	addFault(t, l, cloudsim.Fault{Operation: "ListReplications", Group: id, Answer: cloudsim.WrongType})
	if got := l.get(cloudsim.EndpointSDRS, "/v1/{p}/replications").list(t, "replications"); got[0]["fault_level"] != 0.0 {
		t.Errorf("fault_level %v, want a number", got[0]["fault_level"])
	}
	addFault(t, l, cloudsim.Fault{Operation: "ShowProtectionGroup", Answer: cloudsim.UnknownStatus})
	if g := l.sdrsGroup(id); g["status"] != "contemplating" {
		t.Errorf("detail %v", g)
	}
}

func TestStaleReads(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, Pairs: 1}))
	fault := addFault(t, l, cloudsim.Fault{Answer: cloudsim.Stale, Group: id})
	l.want(l.sdrsAct(id, failoverSDRS), 200, "job_id")
	l.clock.move(time.Minute)
	l.wantStatus(id, "failed-over", northB)
	if g := l.sdrsGroup(id); g["status"] != "protected" || g["priority_station"] != "source" {
		t.Errorf("detail %v, want the old one", g)
	}
	if p := l.get(cloudsim.EndpointSDRS, "/v1/{p}/replications").list(t, "replications")[0]; p["priority_station"] != "source" {
		t.Errorf("pair %v, want the old one", p)
	}
	l.cloud.ClearFault(fault)
	if g := l.sdrsGroup(id); g["status"] != "failed-over" {
		t.Errorf("detail %v, want the new one", g)
	}
	ebs := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 1, RPO: time.Minute}))
	addFault(t, l, cloudsim.Fault{Answer: cloudsim.Stale})
	then := l.clock.now().Unix()
	l.clock.move(time.Hour)
	if p := l.ebsGroup(standbyEBS, "backup", ebs)["LastRecoverPoint"]; p != float64(then) {
		t.Errorf("recover point %v, want the old one, %d", p, then)
	}
}

func TestRepeatedToken(t *testing.T) {
	l := newLab(t, nil)
	for range 4 {
		must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 1}))
	}
	addFault(t, l, cloudsim.Fault{Answer: cloudsim.RepeatToken})
	one := l.ali(primaryEBS, "DescribeDiskReplicaGroups", "MaxResults", "2")
	two := l.ali(primaryEBS, "DescribeDiskReplicaGroups", "MaxResults", "2", "NextToken", one.doc["NextToken"].(string))
	if one.doc["NextToken"] == "" || one.doc["NextToken"] != two.doc["NextToken"] ||
		one.list(t, "ReplicaGroups")[0]["ReplicaGroupId"] != two.list(t, "ReplicaGroups")[0]["ReplicaGroupId"] {
		t.Errorf("%s\n%s", one.body, two.body)
	}
}

func TestStuckJob(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, Pairs: 1}))
	addFault(t, l, cloudsim.Fault{Operation: "failover", Fate: cloudsim.Stuck, Count: 1})
	job := l.want(l.sdrsAct(id, failoverSDRS), 200, "job_id").doc["job_id"].(string)
	l.clock.move(24 * time.Hour)
	l.want(l.get(cloudsim.EndpointSDRS, "/v1/{p}/jobs/"+job), 200, `"status":"RUNNING"`)
	l.wantStatus(id, "failing-over", northA)
	l.cloud.ClearFaults()
	l.clock.move(10 * time.Second)
	l.want(l.get(cloudsim.EndpointSDRS, "/v1/{p}/jobs/"+job), 200, `"status":"SUCCESS"`)
	l.wantFailovers(id, 1)
}

func TestTruncatedGzip(t *testing.T) {
	l := newLab(t, nil)
	must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, Pairs: 3}))
	if r := l.get(cloudsim.EndpointSDRS, "/v1/{p}/replications"); len(r.list(t, "replications")) != 3 {
		t.Fatal("the whole answer cannot be read")
	}
	addFault(t, l, cloudsim.Fault{Answer: cloudsim.TruncatedGzip})
	if _, err := l.roundTrip(l.huawei(cloudsim.EndpointSDRS, "GET", "/v1/{p}/replications", "")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want an unexpected EOF", err)
	}
}

func TestLongBodies(t *testing.T) {
	l := newLab(t, nil)
	must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, Pairs: 1}))
	read := func(a cloudsim.Answer, limit int64) (int64, *http.Response) {
		t.Helper()
		addFault(t, l, cloudsim.Fault{Answer: a, Count: 1, After: time.Millisecond})
		resp, err := l.http.Do(l.huawei(cloudsim.EndpointSDRS, "GET", sdrsGroups, ""))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, limit))
		if err != nil {
			t.Fatal(err)
		}
		return n, resp
	}
	if n, _ := read(cloudsim.Huge, 1<<40); n < 64<<20 {
		t.Errorf("a huge body of %d bytes", n)
	}
	if n, _ := read(cloudsim.Endless, 100<<20); n != 100<<20 {
		t.Errorf("an endless body ended after %d bytes", n)
	}
	if n, resp := read(cloudsim.Drip, 1<<20); n != resp.ContentLength || n < 300 {
		t.Errorf("dripped %d bytes of %d", n, resp.ContentLength)
	}
}

// A request on a connection that was used before is reset; the same on a fresh
// one is served. That is what a gateway does to idle keep-alives.
func TestResetReused(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, Pairs: 1}))
	addFault(t, l, cloudsim.Fault{Answer: cloudsim.ResetReused})
	conn, err := net.Dial("tcp", strings.TrimPrefix(l.cloud.URL(cloudsim.EndpointSDRS), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	exchange := func(req *http.Request) error {
		if err := req.Write(conn); err != nil {
			return err
		}
		resp, err := http.ReadResponse(in, req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	if err := exchange(l.huawei(cloudsim.EndpointSDRS, "GET", sdrsGroups, "")); err != nil {
		t.Fatalf("first request: %v", err)
	}
	err = exchange(l.huawei(cloudsim.EndpointSDRS, "POST", sdrsGroups+"/"+id+"/action", failoverSDRS))
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("error %v, want a reset", err)
	}
	l.clock.move(time.Minute)
	l.wantFailovers(id, 0)
	if e := l.cloud.Effects(); len(e) != 1 || e[0].Verdict != cloudsim.Dropped {
		t.Errorf("effects %+v", e)
	}
}

func TestFaultsAreChecked(t *testing.T) {
	l := newLab(t, nil)
	for _, f := range []cloudsim.Fault{{Answer: "shrug"}, {Fate: "maybe"}, {Applied: "perhaps"}, {Endpoint: "moon"}} {
		if _, err := l.cloud.AddFault(f); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
	if n := l.cloud.Calls(replication.HuaweiSDRS, ""); n != 0 {
		t.Errorf("%d calls", n)
	}
}

// A listener that is shut does not wait for what a fault delays, and what was
// delayed is not answered and has no effect.
func TestDelayEndsWithTheListener(t *testing.T) {
	for name, end := range map[string]func(l *lab) error{
		"refuse": func(l *lab) error { return l.cloud.LoseSite("az-b", cloudsim.Loss{API: true}) },
		"hang":   func(l *lab) error { return l.cloud.LoseSite("az-b", cloudsim.Loss{API: true, Hang: true}) },
		"close":  func(l *lab) error { l.cloud.Close(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, nil)
			id := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 1}))
			addFault(t, l, cloudsim.Fault{Before: time.Hour})
			req := l.rpc(standbyEBS, "FailoverDiskReplicaGroup", "ReplicaGroupId", id)
			answered := make(chan error, 1)
			go func() {
				r, err := l.roundTrip(req)
				if err == nil {
					err = fmt.Errorf("answered %d %q", r.status, r.body)
				} else {
					err = nil
				}
				answered <- err
			}()
			for l.cloud.Calls(replication.AliyunEBS, "FailoverDiskReplicaGroup") == 0 {
				runtime.Gosched()
			}
			if err := end(l); err != nil {
				t.Fatal(err)
			}
			if err := <-answered; err != nil {
				t.Error(err)
			}
			l.clock.move(time.Hour)
			l.wantFailovers(id, 0)
		})
	}
}
