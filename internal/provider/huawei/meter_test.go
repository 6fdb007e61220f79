package huawei_test

import (
	"maps"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
)

// throttles notes the operations that were refused for their rate.
type throttles struct {
	provider.NopMeter
	seen map[string]int
}

func (m throttles) Throttled(operation string) { m.seen[operation]++ }

func TestRefusalsForTheRateAreCounted(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   int
	}{
		{"the gateway's code", 429, `{"error_code":"APIGW.0308","error_msg":"too many"}`, 1},
		{"its older code", 429, `{"error_code":"APIG.0308","error_msg":"too many"}`, 1},
		{"a 429 of nobody knows whom", 429, `<html>`, 0},
		{"another refusal", 401, `{"error_code":"APIGW.0301","error_msg":"m"}`, 0},
		{"the code in an error of the server", 503, `{"error_code":"APIGW.0308","error_msg":"m"}`, 0},
		{"an answer", 200, `{"things":[]}`, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := throttles{seen: map[string]int{}}
			s := settings(newCloud(t, says(tt.status, tt.body)).URL)
			s.Meter = m
			s.Pace = provider.NewPace(10, 20, func() time.Time { return time.Unix(1e9, 0) })
			c := client(t, s)
			_, err := get(t.Context(), c)
			if (err == nil) != (tt.status == 200) {
				t.Errorf("Get: %v", err)
			}
			c.Act(t.Context(), action(), nil)
			want := map[string]int{}
			if tt.want > 0 {
				want["ListThings"], want["DoThing"] = tt.want, tt.want
			}
			if !maps.Equal(m.seen, want) {
				t.Errorf("counted %v, want %v", m.seen, want)
			}
			rate := 10.0
			if tt.want > 0 {
				rate = 2.5 // refused twice
			}
			if got := s.Pace.Rate(); got != rate {
				t.Errorf("%g requests per second are left of 10, want %g", got, rate)
			}
		})
	}
}
