package ebs_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/ebs"
	"github.com/drwatch/drwatch/internal/replication"
)

func newReader(t *testing.T, s provider.Settings) provider.Reader {
	t.Helper()
	r, err := ebs.NewReader(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func good(t *testing.T) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"DescribeDiskReplicaGroups": file(t, "groups.json"),
		"DescribeDiskReplicaPairs":  file(t, "pairs.json"),
	}
}

func TestListReadsTheVendorsSample(t *testing.T) {
	c := newCloud(t, good(t))
	l, err := newReader(t, c.settings()).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lag, rpo := 4*time.Second, 900*time.Second
	beijing := replication.Location{Region: "cn-beijing", Zone: "cn-beijing-a"}
	shanghai := replication.Location{Region: "cn-shanghai", Zone: "cn-shanghai-b"}
	want := []replication.Group{{
		Key: replication.GroupKey{Provider: replication.AliyunEBS, ID: "pg-1"}, Account: "acct", Name: "db", Region: "cn-beijing",
		Source: beijing, Target: shanghai, Active: beijing, RawStatus: "normal", State: replication.Replicating,
		LastSync: at.Add(-lag), Lag: &lag, RPOObjective: &rpo, Pairs: map[string]int{"normal": 1, "syncing": 1}, ReadAt: at,
		Ready: []replication.Condition{
			{Name: "status_allows_failover", Value: "normal", Threshold: "normal, syncing, manual_syncing, stopping, stop_failed, stopped, failover_failed", OK: true},
			{Name: "first_full_sync", Value: "2026-01-02T03:04:01Z", Threshold: "a completed replication", OK: true},
			{Name: "not_reversed", Value: "cn-beijing/cn-beijing-a to cn-shanghai/cn-shanghai-b", Threshold: "cn-beijing/cn-beijing-a to cn-shanghai/cn-shanghai-b", OK: true},
			{Name: "pairs_synced", Value: "2 of 2", Threshold: "all, at least one", OK: true},
			{Name: "pairs_not_expired", Value: "0 of 2 expired", Threshold: "none: renew them", OK: true},
		},
	}}
	// The server's own Date: without it no unknown call could ever be proven unsent.
	if len(l.Groups) != 1 || l.Groups[0].ProviderTime.IsZero() {
		t.Fatalf("%d groups, want one with the provider's time", len(l.Groups))
	}
	l.Groups[0].ProviderTime = time.Time{}
	if diff := cmp.Diff(want, l.Groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if len(l.Bad) != 0 {
		t.Errorf("bad fields %v", l.Bad)
	}
	for _, action := range []string{"DescribeDiskReplicaGroups", "DescribeDiskReplicaPairs"} {
		asked := c.asked(action)
		if len(asked) != 1 {
			t.Fatalf("%s was called %d times, want once", action, len(asked))
		}
		for name, value := range map[string]string{
			"method": "POST /", "RegionId": "cn-beijing", "Site": "production", "MaxResults": "500", "Version": "2021-07-30",
			"AccessKeyId": accessKey, "SecurityToken": stsToken, "SignatureMethod": "HMAC-SHA1", "leaked-header": "",
		} {
			if got := asked[0].Get(name); got != value {
				t.Errorf("%s: %s = %q, want %q", action, name, got, value)
			}
		}
		if ua := asked[0].Get("user-agent"); !strings.HasSuffix(ua, "drwatch/test") {
			t.Errorf("user agent %q", ua)
		}
	}
}

func TestReaderOfTheSecondaryRegionAsksForTheBackupView(t *testing.T) {
	c := newCloud(t, good(t))
	s := c.settings()
	s.Region = "cn-shanghai"
	g, err := newReader(t, s).Read(t.Context(), "pg-1")
	if err != nil {
		t.Fatal(err)
	}
	if g.Region != "cn-shanghai" {
		t.Errorf("region %q", g.Region)
	}
	q := c.asked("DescribeDiskReplicaGroups")[0]
	if q.Get("Site") != "backup" || q.Get("RegionId") != "cn-shanghai" || q.Get("GroupIds") != "pg-1" {
		t.Errorf("asked %v", q)
	}
	if q := c.asked("DescribeDiskReplicaPairs")[0]; q.Get("ReplicaGroupId") != "pg-1" {
		t.Errorf("pairs asked %v", q)
	}
}

func TestStatusAndDirection(t *testing.T) {
	const (
		forward = `"SourceRegionId":"cn-a","DestinationRegionId":"cn-b"`
		reverse = `"SourceRegionId":"cn-b","DestinationRegionId":"cn-a"`
	)
	tests := []struct {
		status, direction string
		state             replication.State
		active            string
		ready             bool
	}{
		{"normal", forward, replication.Replicating, "cn-a", true},
		{"syncing", forward, replication.Replicating, "cn-a", true},
		{"manual_syncing", forward, replication.Replicating, "cn-a", true},
		{"initial_syncing", forward, replication.Syncing, "cn-a", false},
		{"created", forward, replication.ProtectionOff, "cn-a", false},
		{"stopped", forward, replication.ProtectionOff, "cn-a", true},
		{"creating", forward, replication.Changing, "cn-a", false},
		{"stopping", forward, replication.Changing, "cn-a", true},
		{"failovering", forward, replication.Switching, "cn-a", false},
		{"failovered", forward, replication.FailedOver, "cn-b", false},
		{"reprotecting", forward, replication.Reprotecting, "", false},
		{"deleting", forward, replication.Changing, "", false},
		{"deleted", forward, replication.Errored, "", false},
		{"invalid", forward, replication.Errored, "cn-a", false},
		{"create_failed", forward, replication.Errored, "cn-a", false},
		{"stop_failed", forward, replication.Errored, "cn-a", true},
		{"failover_failed", forward, replication.Errored, "cn-a", true},
		{"reprotect_failed", forward, replication.Errored, "", false},
		{"delete_failed", forward, replication.Errored, "", false},
		{"normal", reverse, replication.Replicating, "cn-b", false},
		{"failovered", reverse, replication.FailedOver, "cn-a", false},
		{"NORMAL", forward, replication.Unknown, "", false},
		{"null", forward, replication.Unknown, "", false},
		{"", forward, replication.Unknown, "", false},
		{"normal", `"SourceRegionId":"cn-a","DestinationRegionId":"cn-c"`, replication.Replicating, "", false},
		{"normal", `"SourceRegionId":"cn-a"`, replication.Replicating, "", false},
		{"normal", `"SourceRegionId":7,"DestinationRegionId":"cn-b"`, replication.Replicating, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.status+" "+tt.direction, func(t *testing.T) {
			answers := good(t)
			answers["DescribeDiskReplicaGroups"] = body(200, fmt.Sprintf(`{"ReplicaGroups":[{"ReplicaGroupId":"pg-1","Status":%q,"PairNumber":2,
				"LastRecoverPoint":1767323041,"PrimaryRegion":"cn-a","StandbyRegion":"cn-b",%s}]}`, tt.status, tt.direction))
			g, err := newReader(t, newCloud(t, answers).settings()).Read(t.Context(), "pg-1")
			if err != nil {
				t.Fatal(err)
			}
			if g.State != tt.state || g.Active.String() != tt.active || g.FailoverReady() != tt.ready || g.RawStatus != tt.status {
				t.Errorf("state %q, active %q, ready %v: %v", g.State, g.Active, g.FailoverReady(), g.Ready)
			}
		})
	}
}

func TestTolerantReading(t *testing.T) {
	group := func(id, fields string) string {
		return fmt.Sprintf(`{"ReplicaGroupId":%s,"Status":"normal","PairNumber":2,"LastRecoverPoint":1767323041,"SourceRegionId":"a",
			"DestinationRegionId":"b","PrimaryRegion":"a","StandbyRegion":"b"%s}`, id, fields)
	}
	tests := []struct {
		name   string
		item   string
		want   []string // id, state, lag, rpo, ready of what is read beside the good one
		bad    map[string]int
		metric string
	}{
		{"a number for the status", group(`"pg-2"`, `,"Status":3`), []string{"pg-2 unknown 4s none false"}, map[string]int{"Status": 1}, "Status"},
		{"no id", group(`null`, ""), nil, map[string]int{"ReplicaGroupId": 1}, "ReplicaGroupId"},
		{"an id that would change the request", group(`"a/../b"`, ""), nil, map[string]int{"ReplicaGroupId": 1}, "ReplicaGroupId"},
		{"an id of the wrong type", group(`["pg-2"]`, ""), nil, map[string]int{"ReplicaGroupId": 1}, "ReplicaGroupId"},
		{"no object", `"pg-2"`, nil, map[string]int{"ReplicaGroups": 1}, "ReplicaGroups"},
		{"null", `null`, nil, map[string]int{"ReplicaGroups": 1}, "ReplicaGroups"},
		{"never synchronised", group(`"pg-2"`, `,"LastRecoverPoint":0`), []string{"pg-2 replicating none none false"}, map[string]int{}, ""},
		{"no recover point", group(`"pg-2"`, `,"LastRecoverPoint":null`), []string{"pg-2 replicating none none false"}, map[string]int{}, ""},
		{"a recover point as text", group(`"pg-2"`, `,"LastRecoverPoint":"1767323041"`), []string{"pg-2 replicating 4s none false"}, map[string]int{}, ""},
		{"a recover point as a float", group(`"pg-2"`, `,"LastRecoverPoint":1.767323041e9`), []string{"pg-2 replicating 4s none false"}, map[string]int{}, ""},
		{"a recover point of another kind", group(`"pg-2"`, `,"LastRecoverPoint":"yesterday"`), []string{"pg-2 replicating none none false"}, map[string]int{"LastRecoverPoint": 1}, "LastRecoverPoint"},
		{"a recover point in milliseconds", group(`"pg-2"`, `,"LastRecoverPoint":1767323041000`), []string{"pg-2 replicating none none false"}, map[string]int{"LastRecoverPoint": 1}, "LastRecoverPoint"},
		{"a huge recover point", group(`"pg-2"`, `,"LastRecoverPoint":1e999999`), []string{"pg-2 replicating none none false"}, map[string]int{"LastRecoverPoint": 1}, "LastRecoverPoint"},
		{"a recover point just ahead of our clock", group(`"pg-2"`, `,"LastRecoverPoint":1767323046`), []string{"pg-2 replicating 0s none false"}, map[string]int{}, ""},
		{"a recover point five seconds ahead", group(`"pg-2"`, `,"LastRecoverPoint":1767323050`), []string{"pg-2 replicating 0s none false"}, map[string]int{}, ""},
		{"a recover point in the future", group(`"pg-2"`, `,"LastRecoverPoint":1767323051`), []string{"pg-2 replicating none none false"}, map[string]int{"clock": 1}, "clock"},
		{"a negative RPO", group(`"pg-2"`, `,"RPO":-1`), []string{"pg-2 replicating 4s none false"}, map[string]int{"RPO": 1}, "RPO"},
		{"an RPO of zero", group(`"pg-2"`, `,"RPO":0`), []string{"pg-2 replicating 4s none false"}, map[string]int{}, ""},
		{"odd fields that are not used", group(`"pg-2"`, `,"PairIds":"x","Tags":7,"RPO":60,"New":{}`), []string{"pg-2 replicating 4s 1m0s false"}, map[string]int{}, ""},
		{"the same group twice", group(`"pg-1"`, ""), nil, map[string]int{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answers := good(t)
			answers["DescribeDiskReplicaGroups"] = body(200, `{"ReplicaGroups":[`+tt.item+`,`+group(`"pg-1"`, "")+`]}`)
			s := newCloud(t, answers).settings()
			m := &meter{}
			s.Meter = m
			l, err := newReader(t, s).List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			goodOne := 0
			for _, g := range l.Groups {
				if g.Key.ID == "pg-1" {
					goodOne++
					if !g.FailoverReady() {
						t.Errorf("the good item: %v", g.Ready)
					}
					continue
				}
				got = append(got, fmt.Sprint(g.Key.ID, " ", g.State, " ", told(g.Lag), " ", told(g.RPOObjective), " ", g.FailoverReady()))
			}
			if goodOne != 1 {
				t.Errorf("the good item was read %d times", goodOne)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.bad, l.Bad); diff != "" {
				t.Errorf("bad (-want +got):\n%s", diff)
			}
			if tt.metric != "" && m.counts[tt.metric] != 1 {
				t.Errorf("counted %v, want one %s", m.counts, tt.metric)
			}
		})
	}
}

func told(d *time.Duration) string {
	if d == nil {
		return "none"
	}
	return d.String()
}

func TestPairsDecideReadiness(t *testing.T) {
	const second = `{"ReplicaPairId":"p2","ReplicaGroupId":"pg-1","Status":"normal"}`
	tests := []struct {
		name, pairs string
		want        map[string]int
		ready       bool
		fault       string
	}{
		{"no pairs", ``, nil, false, ""},
		{"fewer than the group has", `{"ReplicaPairId":"p1","ReplicaGroupId":"pg-1","Status":"normal"}`, map[string]int{"normal": 1}, false, ""},
		{"one not synchronised", `{"ReplicaPairId":"p1","ReplicaGroupId":"pg-1","Status":"initial_syncing"},` + second, map[string]int{"initial_syncing": 1, "normal": 1}, false, ""},
		{"one without a recover point", `{"ReplicaPairId":"p1","ReplicaGroupId":"pg-1","Status":"normal","LastRecoverPoint":0},` + second, map[string]int{"normal": 2}, false, ""},
		{"one whose disk is gone", `{"ReplicaPairId":"p1","ReplicaGroupId":"pg-1","Status":"invalid","StatusMessage":"DeviceRemoved"},` + second, map[string]int{"invalid": 1, "normal": 1}, false, "DeviceRemoved"},
		{"one whose order expired", `{"ReplicaPairId":"p1","ReplicaGroupId":"pg-1","Status":"invalid","StatusMessage":"PrePayOrderExpired"},` + second, map[string]int{"invalid": 1, "normal": 1}, false, "PrePayOrderExpired"},
		{"one that is not paid, one of another size", `{"ReplicaPairId":"p1","ReplicaGroupId":"pg-1","Status":"invalid","StatusMessage":"PostPayOrderCeaseService"},{"ReplicaPairId":"p2","ReplicaGroupId":"pg-1","Status":"invalid","StatusMessage":"DeviceSizeChanged"}`, map[string]int{"invalid": 2}, false, "DeviceSizeChanged, PostPayOrderCeaseService"},
		{"two for the same reason", `{"ReplicaPairId":"p1","ReplicaGroupId":"pg-1","Status":"invalid","StatusMessage":"DeviceKeyChanged"},{"ReplicaPairId":"p2","ReplicaGroupId":"pg-1","Status":"invalid","StatusMessage":"DeviceKeyChanged"}`, map[string]int{"invalid": 2}, false, "DeviceKeyChanged"},
		{"one of an unknown status", `{"ReplicaPairId":"p1","ReplicaGroupId":"pg-1","Status":"resting"},` + second, map[string]int{"resting": 1, "normal": 1}, false, ""},
		{"one that cannot be read", `7,` + second, map[string]int{"normal": 1}, false, ""},
		{"one told twice", `{"ReplicaPairId":"p1","ReplicaGroupId":"pg-1","Status":"normal"},{"ReplicaPairId":"p1","ReplicaGroupId":"pg-1","Status":"normal"},{"ReplicaPairId":"p2","ReplicaGroupId":"pg-1","Status":"syncing"}`, map[string]int{"normal": 1, "syncing": 1}, true, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answers := good(t)
			answers["DescribeDiskReplicaPairs"] = body(200, `{"ReplicaPairs":[`+tt.pairs+`]}`)
			g, err := newReader(t, newCloud(t, answers).settings()).Read(t.Context(), "pg-1")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, g.Pairs); diff != "" {
				t.Errorf("pairs (-want +got):\n%s", diff)
			}
			if g.FailoverReady() != tt.ready || g.Fault != tt.fault {
				t.Errorf("ready %v, fault %q: %v", g.FailoverReady(), g.Fault, g.Ready)
			}
		})
	}
}

// Each precondition stands alone: with that one broken, it is the one named.
func TestConditionsStandAlone(t *testing.T) {
	tests := []struct{ old, new, want string }{
		{`"Status":"normal","RPO"`, `"Status":"failovered","RPO"`, "status_allows_failover not_reversed"},
		{`"Status":"normal","RPO"`, `"Status":"initial_syncing","RPO"`, "status_allows_failover"},
		{`"LastRecoverPoint":1767323041,"Site"`, `"LastRecoverPoint":0,"Site"`, "first_full_sync"},
		{`"SourceZoneId":"cn-beijing-a"`, `"SourceZoneId":"cn-beijing-c"`, "not_reversed"},
		{`"PairNumber":2`, `"PairNumber":3`, "pairs_synced"},
	}
	for _, tt := range tests {
		t.Run(tt.new, func(t *testing.T) {
			answers := good(t)
			text := strings.Replace(read(t, "groups.json"), tt.old, tt.new, 1)
			answers["DescribeDiskReplicaGroups"] = body(200, text)
			g, err := newReader(t, newCloud(t, answers).settings()).Read(t.Context(), "pg-1")
			if err != nil {
				t.Fatal(err)
			}
			var broken []string
			for _, c := range g.Ready {
				if !c.OK {
					broken = append(broken, c.Name)
				}
			}
			if got := strings.Join(broken, " "); got != tt.want || g.FailoverReady() {
				t.Errorf("broken: %q, want %q", got, tt.want)
			}
		})
	}
}

func TestListPages(t *testing.T) {
	item := `{"ReplicaGroupId":"pg-%s"}`
	paged := func(w http.ResponseWriter, r *http.Request) {
		switch token := r.URL.Query().Get("NextToken"); token {
		case "":
			fmt.Fprintf(w, `{"ReplicaGroups":[`+item+`],"NextToken":"t 1"}`, "1")
		case "t 1":
			fmt.Fprintf(w, `{"ReplicaGroups":[],"NextToken":"t2"}`)
		case "t2":
			fmt.Fprintf(w, `{"ReplicaGroups":[`+item+`],"NextToken":null}`, "3")
		}
	}
	c := newCloud(t, map[string]http.HandlerFunc{"DescribeDiskReplicaGroups": paged, "DescribeDiskReplicaPairs": file(t, "pairs.json")})
	l, err := newReader(t, c.settings()).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Groups) != 2 || l.Groups[1].Key.ID != "pg-3" || len(c.asked("DescribeDiskReplicaGroups")) != 3 {
		t.Errorf("%d groups in %d pages", len(l.Groups), len(c.asked("DescribeDiskReplicaGroups")))
	}
}

func TestListRefusesWhatIsNoAnswer(t *testing.T) {
	endless := 0
	tests := map[string]http.HandlerFunc{
		"an empty object":        body(200, `{}`),
		"an empty body":          body(200, ``),
		"HTML":                   body(200, `<html>maintenance</html>`),
		"a list":                 body(200, `[]`),
		"null":                   body(200, `null`),
		"a null list":            body(200, `{"ReplicaGroups":null}`),
		"an object for the list": body(200, `{"ReplicaGroups":{"ReplicaGroup":[]}}`),
		"a broken answer":        body(200, `{"ReplicaGroups":[{"ReplicaGroupId":"pg-1"}`),
		"an error with 200":      body(200, `{"RequestId":"r","Code":"Forbidden","Message":"no","ReplicaGroups":[]}`),
		"a repeated page token":  body(200, `{"ReplicaGroups":[],"NextToken":"t"}`),
		"a token that is none":   body(200, `{"ReplicaGroups":[],"NextToken":7}`),
		"pages without end": func(w http.ResponseWriter, _ *http.Request) {
			endless++
			fmt.Fprintf(w, `{"ReplicaGroups":[],"NextToken":"t%d"}`, endless)
		},
		"an error":                   body(403, `{"RequestId":"r","Code":"Forbidden","Message":"no"}`),
		"an error the SDK panics on": body(403, `{"RequestId":7,"Code":403,"Message":null}`),
		"a gateway's HTML":           body(502, `<html>`),
		"an empty 503":               body(503, ``),
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		},
	}
	for name, h := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, map[string]http.HandlerFunc{"DescribeDiskReplicaGroups": h, "DescribeDiskReplicaPairs": file(t, "pairs.json")})
			l, err := newReader(t, c.settings()).List(t.Context())
			if err == nil || len(l.Groups) != 0 {
				t.Fatalf("List = %+v, %v", l, err)
			}
			secretsIn(t, err.Error())
			if name == "a repeated page token" && len(c.asked("DescribeDiskReplicaGroups")) != 2 {
				t.Errorf("asked %d times for the same page", len(c.asked("DescribeDiskReplicaGroups")))
			}
			if _, err := newReader(t, c.settings()).Read(t.Context(), "pg-1"); err == nil || errors.Is(err, provider.ErrNotFound) {
				t.Errorf("Read: %v", err)
			}
		})
	}
	// The same for the pairs: without them readiness would be a guess.
	c := newCloud(t, map[string]http.HandlerFunc{"DescribeDiskReplicaGroups": file(t, "groups.json"), "DescribeDiskReplicaPairs": body(200, `{}`)})
	if l, err := newReader(t, c.settings()).List(t.Context()); err == nil {
		t.Errorf("List = %+v without pairs", l)
	}
}

func TestReadOfAnUnknownGroup(t *testing.T) {
	c := newCloud(t, map[string]http.HandlerFunc{"DescribeDiskReplicaGroups": body(200, `{"ReplicaGroups":[]}`)})
	if _, err := newReader(t, c.settings()).Read(t.Context(), "pg-9"); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("an empty list: %v", err)
	}
	c = newCloud(t, map[string]http.HandlerFunc{"DescribeDiskReplicaGroups": body(404, `{"RequestId":"r","Code":"NoSuchResource","Message":"no"}`)})
	if _, err := newReader(t, c.settings()).Read(t.Context(), "pg-9"); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("404: %v", err)
	}
	if _, err := newReader(t, c.settings()).Read(t.Context(), "../pg"); err == nil || len(c.asked("DescribeDiskReplicaGroups")) != 1 {
		t.Errorf("an odd id: %v", err)
	}
}

func TestTrack(t *testing.T) {
	c := newCloud(t, good(t))
	p, err := newReader(t, c.settings()).Track(t.Context(), "pg-1", "no-such-job")
	if err != nil {
		t.Fatal(err)
	}
	if p.Job != provider.JobNone || p.Group.Key.ID != "pg-1" || p.Detail != "status normal, pairs: 1 normal, 1 syncing" {
		t.Errorf("progress %+v", p)
	}
}

func TestListIsSafeForConcurrentUse(t *testing.T) {
	c := newCloud(t, good(t))
	r := newReader(t, c.settings())
	want, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := r.List(t.Context())
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(replication.Group{}, "ProviderTime")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	wg.Wait()
}

func TestListEndsWithItsContext(t *testing.T) {
	hang := make(chan struct{})
	c := newCloud(t, map[string]http.HandlerFunc{"DescribeDiskReplicaGroups": func(http.ResponseWriter, *http.Request) { <-hang }})
	defer close(hang)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := newReader(t, c.settings()).List(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err %v", err)
	}
	secretsIn(t, err.Error())
}

func TestReaderCountsThrottling(t *testing.T) {
	c := newCloud(t, map[string]http.HandlerFunc{"DescribeDiskReplicaGroups": body(400, `{"RequestId":"r","Code":"Throttling.User","Message":"slow down"}`)})
	s := c.settings()
	m := &meter{}
	s.Meter = m
	if _, err := newReader(t, s).List(t.Context()); err == nil {
		t.Error("no error")
	}
	want := map[string]int{"throttled DescribeDiskReplicaGroups": 1, "DescribeDiskReplicaGroups 400": 1}
	if diff := cmp.Diff(want, m.counts); diff != "" {
		t.Errorf("metered (-want +got):\n%s", diff)
	}
}
