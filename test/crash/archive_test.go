package crash_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestEndedIncidentsMoveIntoTheArchive: what ends leaves the store for the files,
// nothing of it disappears for a reader, its decision can be made again, and
// neither a kill nor the end of the daemon changes that.
func TestEndedIncidentsMoveIntoTheArchive(t *testing.T) {
	t.Parallel()
	c, config := world(t)
	storage := t.TempDir()
	p := start(t, config, storage, "")
	p.eventually("ready and fit", 40*time.Second, p.fit)
	if err := c.LoseSite("az-a", cloudsim.Loss{}); err != nil {
		t.Fatal(err)
	}
	p.eventually("all four groups have an end", 90*time.Second, func() bool { return ended(p) == 4 })
	before := incidentsOf(t, p)
	p.eventually("all four are in the archive", 30*time.Second, func() bool { return checkOf(p).Records >= 4 })
	if n := checkOf(p).Stored; n != 4 {
		t.Errorf("%d incidents are in the store, want all 4 while the site is lost and groups are latched", n)
	}
	for _, i := range before {
		answer(t, p, i.ID, "ack") // of those that latch their group
	}
	if err := c.RestoreSite("az-a"); err != nil {
		t.Fatal(err)
	}
	p.eventually("all have left the store", 60*time.Second, func() bool { k := checkOf(p); return k.OK && k.Stored == 0 && k.Records > 4 })
	whole(t, p, before)
	for _, verb := range []string{"ack", "abort", "approve"} {
		if e := answer(t, p, before[0].ID, verb); e.ErrorType != "refused" || !strings.Contains(e.Error, "has ended as succeeded and is archived") {
			t.Errorf("%s of an archived incident: %s %q", verb, e.ErrorType, e.Error)
		}
	}

	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.done
	check, err := app.CheckJournal(storage)
	if err != nil || !check.OK {
		t.Errorf("without the daemon: %+v (%v)", check, err)
	}
	for _, i := range before {
		alone, err := app.ArchivedIncident(storage, i.ID)
		if err != nil {
			t.Fatal(err)
		}
		if r := app.Replay(alone); !r.OK {
			t.Errorf("incident %s, without the daemon: %+v", i.ID, r)
		}
	}

	second := start(t, config, storage, "")
	second.eventually("it runs again", 40*time.Second, func() bool { return checkOf(second).OK })
	whole(t, second, before)
	second.end()
	if err := <-second.done; err != nil {
		t.Errorf("the daemon did not end in order: %v\n%s", err, second.logs())
	}
	file := filepath.Join(storage, "journal", "journal-000001.jsonl")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if check, err := app.CheckJournal(storage); err != nil || check.OK {
		t.Errorf("an altered byte is not found (%v)", err)
	}
}

func incidentsOf(t *testing.T, p *process) []replication.Incident {
	t.Helper()
	incidents, err := get[[]replication.Incident](p, "incidents")
	if err != nil {
		t.Fatal(err)
	}
	return incidents
}

// checkOf is the daemon's own check of its journals, the zero one while it has no
// answer.
func checkOf(p *process) api.JournalCheck {
	check, err := get[api.JournalCheck](p, "journal/check")
	if err != nil {
		return api.JournalCheck{}
	}
	return check
}

// answer says something to an incident, and returns what drwatch says to that.
func answer(t *testing.T, p *process, id, verb string) api.Envelope {
	t.Helper()
	resp, err := http.Post(p.url+"/api/v1/incidents/"+id+"/"+verb, "application/json", bytes.NewReader([]byte(`{"reason": "looked at it", "who": "alice"}`)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var e api.Envelope
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil {
		t.Fatal(err)
	}
	return e
}

// whole wants the same incidents as before, each with its whole journal and a
// decision that is the same again.
func whole(t *testing.T, p *process, before []replication.Incident) {
	t.Helper()
	var was, is []string
	for _, i := range before {
		was = append(was, i.ID)
	}
	for _, i := range incidentsOf(t, p) {
		is = append(is, i.ID)
		one, err := get[api.Incident](p, "incidents/"+i.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := quorum.VerifyHead(one.Incident, one.Journal); err != nil || len(one.Journal) == 0 {
			t.Errorf("incident %s: %d entries (%v)", i.ID, len(one.Journal), err)
		}
		if r := app.Replay(one); !r.OK {
			t.Errorf("incident %s: %+v", i.ID, r)
		}
	}
	if !slices.Equal(was, is) {
		t.Errorf("incidents %v, before %v", is, was)
	}
}
