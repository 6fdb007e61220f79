package failover_test

import (
	"encoding/json"
	"math/rand"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// FuzzReplay: a journal entry that anybody may have written is either refused or
// replayed, soon, always with the same result, and never as the same decision when it
// says of itself that it acts where a condition does not hold.
func FuzzReplay(f *testing.F) {
	data := func(s failover.Snapshot) []byte {
		b, err := json.Marshal(failover.Record(s, failover.Decide(s)))
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	s := allHolds()
	f.Add(data(s))
	claimed(&s)
	f.Add(data(s))
	toEBS(&s)
	f.Add(data(s))
	r := rand.New(rand.NewSource(1))
	for range 5 {
		f.Add(data(randomSnapshot(r)))
	}
	f.Add([]byte(`{"replay":{"snapshot":{"slots":1000000000000}}}`))
	f.Add([]byte(`{"replay":{"snapshot":{"started_last_hour":1000000000000}}}`))
	f.Add([]byte(`{"replay":{"texts_cut_to":-1,"snapshot":{"clock":"-2562047h47m16.854775808s","group":{"lag":"2562047h"}}}}`))
	f.Add([]byte(`{"replay":7}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var data map[string]any
		if json.Unmarshal(raw, &data) != nil {
			return
		}
		e := replication.Entry{Incident: "i", Seq: 1, Event: "claimed", Data: data}
		if !failover.Recorded(e) {
			return
		}
		began := time.Now()
		got, err := failover.ReplayEntry(e)
		if err != nil && (got.Act || got.Mode != "" || got.Missing != nil || got.Differences != nil) {
			t.Errorf("%+v and the error %v", got, err)
		}
		again, second := failover.ReplayEntry(e)
		if !cmp.Equal(got, again) || (err == nil) != (second == nil) {
			t.Errorf("the same entry, replayed twice: %+v, %v; %+v, %v", got, err, again, second)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
		var was struct {
			Replay struct {
				Decision struct {
					Act        bool
					Conditions []replication.Condition
				}
			}
		}
		if err != nil || !got.Same() || json.Unmarshal(raw, &was) != nil {
			return
		}
		for _, c := range was.Replay.Decision.Conditions {
			if got.Act && !c.OK {
				t.Errorf("acts although %s", c)
			}
		}
	})
}
