package breakglass_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/archive"
	"github.com/drwatch/drwatch/internal/breakglass"
	"github.com/drwatch/drwatch/internal/replication"
)

// FuzzJournal: the journal of earlier runs in which bytes were cut out and others put in
// is refused, unless it is only shorter by a torn end or by whole records; what is taken
// shows every intent that it holds, and goes on.
func FuzzJournal(f *testing.F) {
	now := func() time.Time { return time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC) }
	var whole string
	write := func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "j")
		j, err := breakglass.OpenJournal(dir, "obs-a", now)
		if err != nil {
			t.Fatal(err)
		}
		inc := replication.Incident{ID: "i1", Provider: replication.HuaweiSDRS, Group: "g", Phase: replication.Executing, Calls: []replication.Call{{ExpectedStatus: "protected"}}}
		for _, event := range []string{"intent", "outcome"} {
			if inc, err = j.Write(inc, replication.Entry{At: now(), Event: event}); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, "journal-000001.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		whole = string(b)
	}
	f.Add(uint16(0), uint16(0), []byte(""))
	f.Add(uint16(0), uint16(65535), []byte(""))
	f.Add(uint16(300), uint16(1), []byte("x"))
	f.Add(uint16(1500), uint16(65535), []byte(""))
	f.Add(uint16(65535), uint16(0), []byte("{\"anchor\":"))
	f.Fuzz(func(t *testing.T, at, gone uint16, put []byte) {
		if whole == "" {
			write(t)
		}
		from := int(at) % (len(whole) + 1)
		to := min(len(whole), from+int(gone))
		text := whole[:from] + string(put) + whole[to:]
		dir := filepath.Join(t.TempDir(), "j")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "journal-000001.jsonl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		read, _ := breakglass.ReadJournal(dir)
		j, err := breakglass.OpenJournal(dir, "obs-b", now)
		if err != nil {
			return // refused
		}
		defer j.Close()
		left, err := os.ReadFile(filepath.Join(dir, "journal-000001.jsonl"))
		if err != nil || !strings.HasPrefix(whole, string(left)) || !strings.HasPrefix(text, string(left)) {
			t.Fatalf("bytes %d to %d replaced by %q, and it is taken (%v)", from, to, put, err)
		}
		if strings.Contains(string(left), `"event":"intent"`) && (len(j.Incidents()) != 1 || read == nil || len(read.Incidents()) == 0) {
			t.Errorf("incidents %v of %s", j.Incidents(), left)
		}
		if _, err := j.Write(replication.Incident{ID: "i2"}, replication.Entry{At: now(), Event: "intent"}); err != nil {
			t.Errorf("it does not go on: %v", err)
		}
		if r, err := archive.Verify(dir); err != nil || len(r.Problems) > 0 {
			t.Errorf("what follows is not whole: %v, %v", r.Problems, err)
		}
	})
}
