package evs_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/evs"
	"github.com/drwatch/drwatch/internal/provider/providertest"
	"github.com/drwatch/drwatch/internal/replication"
)

func FuzzList(f *testing.F) {
	f.Add(file(f, "groups.json"), file(f, "replications.json"))
	f.Add(`{"replication_consistency_groups":[{"id":"a","status":"available","replication_ids":[1]}]}`, `{"replications":[{"id":"b","record_metadata":"{"}]}`)
	f.Add(`{"replication_consistency_groups":[{"id":"a","status":"available","replication_status":"active","priority_station":"eu-west-0a","replication_ids":["b","c"]}]}`,
		`{"replications":[{"id":"b"},{"id":"c","replication_consistency_group_id":{}},7]}`)
	const group = `{"replication_consistency_groups":[{"id":"a","status":"available","replication_status":"active","priority_station":"eu-west-0a"}]}`
	f.Add(group, `{"replications":[{"id":"b","replication_consistency_group_id":"a"}]}`)
	f.Add(group, `{"replications":[{"id":"b","replication_consistency_group_id":"a","fault_level":5}]}`)
	f.Add(strings.Replace(group, `"active"`, `"odd"`, 1), `{"replications":[{"id":"b","replication_consistency_group_id":"a"}]}`)
	f.Add(`SECRET`, `401 {"error_code":"SECRET","error_msg":"SECRET"}`)
	c := providertest.Serve(f)
	s := settings(c.URL)
	s.Credentials = providertest.Keys
	r, err := evs.NewReader(s)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, list, members string) {
		defer providertest.Soon(t, time.Now)()
		list, members = providertest.Plant(list), providertest.Plant(members)
		c.Say(groups, list)
		c.Say(pairs, members)
		l, err := r.List(t.Context())
		providertest.Listing(t, l, err)
		providertest.Silent(t, err, providertest.Token())
		if err != nil {
			return
		}
		items, _ := providertest.Items(list, "replication_consistency_groups")
		for _, it := range items {
			id, _ := it.Word("id")
			if len(l.Bad) == 0 && !slices.ContainsFunc(l.Groups, func(g replication.Group) bool { return g.Key.ID == id }) {
				t.Errorf("group %q is neither read nor counted as unreadable", id)
			}
		}
		for _, g := range l.Groups {
			if g.FailoverReady() {
				checkReady(t, g, items, members)
			}
		}
	})
}

// checkReady reads the answers once more, in another way: a group is ready only when
// all that the provider says allows it, and none of its pairs is missing.
func checkReady(t *testing.T, g replication.Group, groups []providertest.Item, members string) {
	t.Helper()
	it := groups[slices.IndexFunc(groups, func(it providertest.Item) bool { return it.Is("id", g.Key.ID) })]
	if !it.Is("status", "available", "error_failovering") || !it.Is("fault_level", "", "0", "2") || it.Is("replication_status", "copying") {
		t.Errorf("ready, and the provider says %s", it)
	}
	if it.Is("status", "available") && !it.Is("replication_status", "active", "inactive", "active-stopped", "error") {
		t.Errorf("ready in a replication status that nobody documented: %s", it)
	}
	list, _ := providertest.Items(members, "replications")
	seen := map[string]bool{}
	for _, p := range list {
		id, _ := p.Word("id")
		if p == nil || !p.Is("replication_consistency_group_id", g.Key.ID) || provider.ValidID(id) == nil && seen[id] {
			continue
		}
		seen[id] = true
		if !p.Is("fault_level", "", "0", "2") || p.Is("replication_status", "copying") {
			t.Errorf("ready, and a pair is %s", p)
		}
	}
}

// FuzzAction is about what an answer to a failover proves: taken it is only with
// status 200 and nothing.
func FuzzAction(f *testing.F) {
	f.Add(200, "")
	f.Add(200, "<html>SECRET")
	f.Add(202, "")
	f.Add(400, `{"badRequest":{"message":"SECRET","code":400}}`)
	f.Add(409, `{"conflictingRequest":{"message":"m"},"overLimit":{"message":"n"}}`)
	f.Add(503, "")
	c := providertest.Serve(f)
	s := settings(c.URL)
	s.Credentials = providertest.Keys
	a, err := evs.NewActor(s)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		defer providertest.Soon(t, time.Now)()
		body = providertest.Plant(body)
		c.SayStatus(groups+"/g/action", status, body)
		res := a.Failover(t.Context(), provider.Request{GroupID: "g"})
		providertest.Result(t, status, res)
		if res.Outcome == replication.Accepted && (status != 200 || strings.TrimSpace(body) != "") {
			t.Errorf("%d %q: accepted", status, body)
		}
	})
}
