package ebs_test

import (
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/ebs"
	"github.com/drwatch/drwatch/internal/provider/providertest"
	"github.com/drwatch/drwatch/internal/replication"
)

func FuzzList(f *testing.F) {
	groups, pairs := read(f, "groups.json"), read(f, "pairs.json")
	f.Add(groups, pairs)
	f.Add(`{"ReplicaGroups":[{"ReplicaGroupId":"pg-1","Status":null,"LastRecoverPoint":"1e9"}]}`, `{"ReplicaPairs":[null,1,{}]}`)
	const group = `{"ReplicaGroups":[{"ReplicaGroupId":"a","Status":"normal","LastRecoverPoint":1767323045,"PrimaryRegion":"x","StandbyRegion":"y","SourceRegionId":"x","DestinationRegionId":"y"}]}`
	f.Add(group, `{"ReplicaPairs":[{"ReplicaPairId":"p","ReplicaGroupId":"a","Status":"normal"}]}`)
	f.Add(group, `{"ReplicaPairs":[{"ReplicaPairId":"p","ReplicaGroupId":"a","Status":"normal"},{"ReplicaPairId":"q","ReplicaGroupId":7}]}`)
	for _, status := range []string{"created", "initial_syncing", "failovered", "failovering", "invalid", "odd"} {
		f.Add(strings.Replace(group, "normal", status, 1), `{"ReplicaPairs":[{"ReplicaPairId":"p","ReplicaGroupId":"a","Status":"normal"}]}`)
	}
	r, err := ebs.NewReader((&cloud{Server: &httptest.Server{URL: "https://127.0.0.1"}}).settings())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, groups, pairs string) {
		defer providertest.Soon(t, time.Now)()
		l, ok := ebs.Decode(r, at, []byte(groups), []byte(pairs))
		items, isList := providertest.Items(groups, "ReplicaGroups")
		list, areList := providertest.Items(pairs, "ReplicaPairs")
		if ok != (isList && areList) {
			t.Fatalf("read: %t, lists: %t and %t", ok, isList, areList)
		}
		providertest.Listing(t, l, nil)
		for _, it := range items {
			if ok && len(l.Bad) == 0 && !slices.ContainsFunc(l.Groups, func(g replication.Group) bool { return it.Is("ReplicaGroupId", g.Key.ID) }) {
				t.Errorf("group %s is neither read nor counted as unreadable", it)
			}
		}
		for _, g := range l.Groups {
			if g.LastSync.After(at.Add(5*time.Second)) && (g.Lag != nil || l.Bad["clock"] == 0) {
				t.Errorf("last synchronised in the future, at %v, lag %v, bad %v", g.LastSync, g.Lag, l.Bad)
			}
			if g.FailoverReady() {
				checkReady(t, g, items, list)
			}
		}
	})
}

// checkReady reads the answers once more, in another way: a group is ready only in a
// documented status, and when all of its pairs were read and have a copy.
func checkReady(t *testing.T, g replication.Group, groups, pairs []providertest.Item) {
	t.Helper()
	it := groups[slices.IndexFunc(groups, func(it providertest.Item) bool { return text(it, "ReplicaGroupId") == g.Key.ID })]
	if !slices.Contains([]string{"normal", "syncing", "manual_syncing", "stopping", "stop_failed", "stopped", "failover_failed"}, text(it, "Status")) {
		t.Errorf("ready, and the provider says %s", it)
	}
	seen, lost := map[string]bool{}, 0
	for _, p := range pairs {
		of, id := text(p, "ReplicaGroupId"), text(p, "ReplicaPairId")
		_, readable := p.Text("ReplicaGroupId")
		switch {
		case p == nil || !readable || of == g.Key.ID && id == "":
			lost++
		case of == g.Key.ID && !seen[id]:
			seen[id] = true
			if !slices.Contains([]string{"normal", "syncing", "manual_syncing", "stopping", "stop_failed", "stopped", "failovering", "failovered", "failover_failed", "reprotecting", "reprotect_failed"}, text(p, "Status")) {
				t.Errorf("ready, and a pair is %s", p)
			}
		case id != "":
			seen[id] = true // whichever group named it first has it
		}
	}
	told, _ := it.Word("PairNumber")
	if n, err := strconv.ParseFloat(told, 64); lost > 0 && (err != nil || int(n) != len(g.Pairs) && n > float64(total(g))) {
		t.Errorf("ready with %d of %q pairs, and %d that could not be read", total(g), told, lost)
	}
}

func text(it providertest.Item, field string) string {
	word, _ := it.Text(field)
	return word
}

func total(g replication.Group) int {
	n := 0
	for _, of := range g.Pairs {
		n += of
	}
	return n
}

func FuzzSlowFacts(f *testing.F) {
	f.Add(`{"ReplicaPairs":[{"ReplicaPairId":"p","ReplicaGroupId":"pg-1","ChargeType":"PREPAY","ExpiredTime":1769911200}]}`, `{"Drills":[{"DrillId":"d","Status":"executed"}]}`)
	f.Add(`{"ReplicaPairs":[null,{"ReplicaPairId":"p","ReplicaGroupId":"pg-1","ChargeType":"PREPAY","ExpiredTime":"1e9"}]}`, `{"Drills":[7,{"DrillId":"d"}]}`)
	f.Add(`{"ReplicaPairs":[{"ReplicaPairId":"p","ReplicaGroupId":"g","ChargeType":"PREPAY","ExpiredTime":1e99}]}`, `{"Drills":[{"DrillId":"d","Status":"`+strings.Repeat("é", 100)+`"}]}`)
	f.Fuzz(func(t *testing.T, pairs, drills string) {
		defer providertest.Soon(t, time.Now)()
		expiries, statuses, ok := ebs.DecodeFacts([]byte(pairs), []byte(drills))
		items, isList := providertest.Items(pairs, "ReplicaPairs")
		_, areList := providertest.Items(drills, "Drills")
		if ok != (isList && areList) {
			t.Fatalf("read: %t, lists: %t and %t", ok, isList, areList)
		}
		for _, e := range expiries {
			if provider.ValidID(e.GroupID) != nil || provider.ValidID(e.Pair) != nil || e.At.Year() < 2000 || e.At.Year() > 2199 {
				t.Fatalf("expiry %+v", e)
			}
			if !slices.ContainsFunc(items, func(it providertest.Item) bool {
				return text(it, "ReplicaPairId") == e.Pair && text(it, "ReplicaGroupId") == e.GroupID && text(it, "ChargeType") == "PREPAY"
			}) {
				t.Fatalf("expiry %+v of no pair that is there", e)
			}
		}
		for _, status := range statuses {
			if status == "" || len(status) > 140 {
				t.Fatalf("status %q", status)
			}
		}
	})
}

// FuzzAnswer is about the envelope, errors above all: of a list, of one group, of
// drills, and of a failover.
func FuzzAnswer(f *testing.F) {
	f.Add(200, read(f, "groups.json"))
	f.Add(200, `{"RequestId":"r"}`)
	f.Add(200, `{"RequestId":"r","Code":{},"Message":"SECRET"}`)
	f.Add(200, `SECRET`)
	f.Add(400, `{"RequestId":"SECRET","Code":"OperationDenied.SECRET","Message":"SECRET"}`)
	f.Add(404, `{"RequestId":"r","Code":"NoSuchResource","Message":"m"}`)
	f.Add(429, `{"RequestId":"r","Code":"Throttling.User"}`)
	f.Add(503, `<html>AccessKeyId=SECRET`)
	c := providertest.Serve(f)
	s := (&cloud{Server: c.Server}).settings()
	s.Credentials = providertest.Keys
	r, err := ebs.NewReader(s)
	if err != nil {
		f.Fatal(err)
	}
	a, err := ebs.NewActor(s)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		defer providertest.Soon(t, time.Now)()
		body = providertest.Plant(body)
		c.SayStatus("/", status, body)
		l, err := r.List(t.Context())
		providertest.Listing(t, l, err)
		providertest.Silent(t, err, providertest.Token())
		if err == nil && status/100 != 2 {
			t.Errorf("%d %q: a list of %d groups", status, body, len(l.Groups))
		}
		_, err = r.Read(t.Context(), "pg-1")
		providertest.Silent(t, err, providertest.Token())
		res := a.Failover(t.Context(), provider.Request{GroupID: "pg-1", ClientToken: "t"})
		providertest.Result(t, status, res)
		if res.Outcome == replication.Accepted && !strings.Contains(body, "RequestId") && !strings.Contains(body, `\u`) {
			t.Errorf("%d %q: accepted", status, body)
		}
	})
}

// FuzzAssume is about the answer that has keys in it: they are taken whole or not at
// all, and no word of it gets into an error.
func FuzzAssume(f *testing.F) {
	f.Add(200, `{"RequestId":"r","Credentials":{"AccessKeyId":"A","AccessKeySecret":"SECRET","SecurityToken":"t","Expiration":"2026-01-02T03:04:05Z"}}`)
	f.Add(200, `{"RequestId":"r","Credentials":{"AccessKeyId":7,"AccessKeySecret":"SECRET"}}`)
	f.Add(200, `{"Credentials":"SECRET"}`)
	f.Add(200, `{"Credentials":{"AccessKeySecret":"SECRET"},"Code":"SECRET"}`)
	f.Add(403, `{"RequestId":"r","Code":"NoPermission","Message":"SECRET"}`)
	f.Add(500, `SECRET`)
	c := providertest.Serve(f)
	s := (&cloud{Server: c.Server}).settings()
	s.Credentials = providertest.Keys
	a, err := ebs.NewAssumer(s, ebs.Role{ARN: "acs:ram::1:role/r", Session: "drwatch", Duration: time.Hour})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		defer providertest.Soon(t, time.Now)()
		body = providertest.Plant(body)
		c.SayStatus("/", status, body)
		issued, err := a.Assume(t.Context())
		providertest.Silent(t, err, providertest.Token())
		if err != nil && issued != (provider.Issued{}) {
			t.Errorf("%d %q: keys, and the error %v", status, body, err)
		}
		if err == nil && status/100 != 2 {
			t.Errorf("%d %q: no error", status, body)
		}
	})
}
