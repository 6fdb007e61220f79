package huawei_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
	"github.com/drwatch/drwatch/internal/replication"
)

// broken panics in the middle of the SDK's call.
type broken struct{ provider.NopMeter }

func (broken) Request(string, string, time.Duration) { panic("key " + secretKey) }

func TestAPanicWithinTheSDKIsAnError(t *testing.T) {
	c := newCloud(t, says(200, `{"things":[]}`))
	s := settings(c.URL)
	s.Meter = broken{}
	if _, err := get(t.Context(), client(t, s)); !errors.Is(err, provider.ErrPanic) || strings.Contains(err.Error(), secretKey) {
		t.Errorf("a read: %v", err)
	}
	got := client(t, s).Act(t.Context(), huawei.Action{
		Operation: "Do", Path: "/v1/{project_id}/things/1/action", Accepted: func(int, []byte) (string, bool) { return "", false },
	}, nil)
	if got.Outcome != replication.Uncertain || !errors.Is(got.Err, provider.ErrPanic) || strings.Contains(got.Err.Error(), secretKey) {
		t.Errorf("an action: %+v", got)
	}
}

// Without a name for itself the SDK would keep an id in a file below the home
// folder, and send it with what it found out about the machine.
func TestTheSDKLeavesNoTrace(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	c := newCloud(t, says(200, `{"things":[]}`))
	s := settings(c.URL)
	s.UserAgent = ""
	if _, err := get(t.Context(), client(t, s)); err != nil {
		t.Fatal(err)
	}
	if got := c.requests()[0].header.Get("User-Agent"); got != "huaweicloud-usdk-go/3.0; drwatch" {
		t.Errorf("User-Agent %q", got)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) != 0 {
		t.Errorf("left in the home folder: %v, %v", left, err)
	}
}

// The SDK's own timeout would count what a poll waits for its turn.
func TestTheWaitForATurnIsNoPartOfTheCall(t *testing.T) {
	c := newCloud(t, says(200, `{"things":[]}`))
	s := settings(c.URL)
	s.Timeout = 300 * time.Millisecond
	s.Pace = provider.NewPace(1, 1, time.Now)
	k := client(t, s)
	for range 2 { // the second has its turn a second after the first
		if _, err := get(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
}
