package cluster_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// An upgrade by one version, one observer after the other, while incidents are
// claimed: the older version reads what the newer one writes, takes its incidents
// over and keeps what it does not know, the newer one takes over from the older,
// and nothing that was acknowledged is lost. When the store's format is raised the
// one that is left behind keeps out and says so.
func TestUpgradeByOneVersion(t *testing.T) {
	t.Parallel()
	newer := newerVersion(t)
	c := newTrio(t, true)
	run, all := map[string]*observerProcess{}, []*observerProcess{}
	start := func(name, binary, version string) {
		t.Helper()
		run[name] = startObserver(t, binary, observerConfig{Name: name, Dir: c.dirs[name], Version: version, Peers: c.peers})
		all = append(all, run[name])
	}
	for _, n := range c.names {
		start(n, os.Args[0], "old")
	}
	a, b, w := "obs-a", "obs-b", "obs-w"
	run[a].ask(askLead)
	run[a].says(5, "claimed old-")

	run[a].stop()
	start(a, newer, "new")
	run[b].ask(askLead) // meanwhile, and it finds what obs-a had claimed
	run[b].saidOnce("took over old-obs-a")
	run[a].saidOnce("follows")

	run[b].ask(askFollow)
	run[a].ask(askLead)
	run[a].saidOnce("took over old-obs-b")
	run[a].says(5, "claimed new-")
	run[a].ask(askFollow)
	run[w].ask(askLead) // an older one leads again, over what the newer has written
	run[w].saidOnce("took over new-obs-a")
	run[w].says(5, "claimed old-")

	run[b].stop()
	start(b, newer, "new")
	run[b].saidOnce("follows")
	cli := directly(t, strings.Fields(run[b].saidOnce("follows http"))[1])
	if _, err := cli.Put(t.Context(), "/drwatch/test/format", "2"); err != nil {
		t.Fatal(err)
	}
	run[b].ask(askLead) // obs-w leads, until it notices
	run[w].saidOnce("format 2, this version reads up to 1: upgrade this observer")
	run[b].says(5, "claimed new-") // and it has taken over what obs-w had left open, if anything
	r, err := cli.Get(t.Context(), "/drwatch/test/observer/obs-w")
	if err != nil || r.Count != 0 {
		t.Errorf("obs-w cannot read the store and looks alive: %v, %v", r, err)
	}
	run[w].stop()
	start(w, newer, "new")
	run[w].saidOnce("follows")
	run[b].ask(askFollow)
	run[b].says(1, "follows")
	nothingIsLost(t, cli, all)
}

// nothingIsLost wants each incident that an observer was told to be there, with
// what its version wrote, and ended when it was told so.
func nothingIsLost(t *testing.T, cli *clientv3.Client, observers []*observerProcess) {
	t.Helper()
	r, err := cli.Get(t.Context(), "/drwatch/test/incident/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string]map[string]any{}
	for _, kv := range r.Kvs {
		var inc map[string]any
		if err := json.Unmarshal(kv.Value, &inc); err != nil {
			t.Fatal(err)
		}
		stored[strings.TrimPrefix(string(kv.Key), "/drwatch/test/incident/")] = inc
	}
	claimed := 0
	for _, p := range observers {
		for _, line := range p.lines() {
			what, id, _ := strings.Cut(line, " ")
			inc := stored[id]
			switch what {
			case "claimed":
				claimed++
				if inc == nil {
					t.Errorf("%s was claimed, and is gone", id)
				}
			case "ended":
				if inc["phase"] != "aborted" {
					t.Errorf("%s was ended, and is %v", id, inc["phase"])
				}
			}
		}
	}
	for id, inc := range stored {
		plan, _ := inc["plan"].(map[string]any)
		if byNewer := strings.HasPrefix(id, "new-"); byNewer != (inc["quarantine"] == "newer") || byNewer != (plan["wave"] == float64(7)) {
			t.Errorf("%s, written by both versions, is %v", id, inc)
		}
	}
	t.Logf("%d incidents, %d of them told as claimed", len(stored), claimed)
}

// directly is a client of one member, beside drwatch.
func directly(t *testing.T, url string) *clientv3.Client {
	t.Helper()
	cli, err := clientv3.New(clientv3.Config{Endpoints: []string{url}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cli.Close() })
	return cli
}
