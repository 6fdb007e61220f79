package replication_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/replication"
)

// FuzzIncident: an incident that was read and written is the same when it is read and
// written again, to the byte: hashes are taken over it.
func FuzzIncident(f *testing.F) {
	f.Add([]byte(`{"id":"i","plan":{"for":0.29,"veto_window":1e-9,"execution_timeout":600},"opened_clock":123456.789012345,"rpo_seconds":null}`))
	f.Add([]byte(`{"opened_clock":1e300,"executed_clock":-1e300,"plan":{"for":9223372036.854775807}}`))
	f.Add([]byte(`{"opened_at":"2026-01-02T03:04:05.123456789+08:00","votes":[{"value":1e308,"group":{"provider":"p","id":"/"}}],"calls":[],"guards":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var read, again replication.Incident
		if json.Unmarshal(raw, &read) != nil {
			return
		}
		once, err := json.Marshal(read)
		if err != nil {
			return // a time that JSON has no form for
		}
		if err := json.Unmarshal(once, &again); err != nil {
			t.Fatalf("written %s, and not read: %v", once, err)
		}
		twice, err := json.Marshal(again)
		if err != nil || string(once) != string(twice) {
			t.Fatalf("written once and twice (%v):\n%s", err, cmp.Diff(string(once), string(twice)))
		}
		key := read.Key()
		if back, err := replication.ParseGroupKey(key.String()); key.Provider != "" && key.ID != "" && !strings.Contains(string(key.Provider), "/") && (err != nil || back != key) {
			t.Fatalf("group key %q is read back as %q: %v", key, back, err)
		}
	})
}

// FuzzDuration: what is read is what was written, to the nanosecond, for as long as a
// cluster may run; what no duration can hold is refused.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"0.29", "1e-9", "1e300", "-1e300", "9223372036.854775807", "290", "123456.789012345", "null", `"1s"`, "1e9", "-0.000000001"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var d, again replication.Duration
		if json.Unmarshal(raw, &d) != nil {
			return
		}
		var seconds float64
		if json.Unmarshal(raw, &seconds) == nil && ((seconds > 0) != (d > 0) && d != 0 || seconds < 0 && d > 0) {
			t.Fatalf("%s is read as %d ns", raw, d)
		}
		once, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(once, &again); err != nil {
			t.Fatal(err)
		}
		if few := d < 1<<52 && d > -1<<52; few && again != d { // 52 days
			t.Fatalf("%d ns is written as %s and read as %d ns", d, once, again)
		}
	})
}
