package provider_test

import (
	"fmt"
	"testing"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

func TestOutcomeOf(t *testing.T) {
	whole := func(status int, code provider.CodeClass, proof bool) provider.Facts {
		return provider.Facts{Sent: true, Status: status, Whole: true, Code: code, Proof: proof}
	}
	tests := []struct {
		name string
		f    provider.Facts
		want replication.Outcome
	}{
		{"refused, DNS, TLS, lease too short, SDK never sent", provider.Facts{}, replication.NotSent},
		{"an answer to a request that never left", provider.Facts{Status: 200, Whole: true, Proof: true}, replication.NotSent},
		{"2xx with an id", whole(200, provider.CodeUnknown, true), replication.Accepted},
		{"202 with an id", whole(202, provider.CodeUnknown, true), replication.Accepted},
		{"2xx without an id", whole(200, provider.CodeUnknown, false), replication.Uncertain},
		{"2xx with an id and an error code", whole(200, provider.CodeRefused, true), replication.Uncertain},
		{"2xx that cannot be decoded", provider.Facts{Sent: true, Status: 200, Proof: true}, replication.Uncertain},
		{"4xx with a known code", whole(400, provider.CodeRefused, false), replication.Rejected},
		{"403 with a known code", whole(403, provider.CodeRefused, false), replication.Rejected},
		{"404 with a known code", whole(404, provider.CodeRefused, false), replication.Rejected},
		{"4xx with an unknown code or HTML", whole(403, provider.CodeUnknown, false), replication.Uncertain},
		{"4xx that broke off", provider.Facts{Sent: true, Status: 400, Code: provider.CodeRefused}, replication.Uncertain},
		{"429 with the vendor's code", whole(429, provider.CodeThrottled, false), replication.Throttled},
		{"429 without", whole(429, provider.CodeUnknown, false), replication.Uncertain},
		{"429 with another known code", whole(429, provider.CodeRefused, false), replication.Uncertain},
		{"Alibaba's 400 Throttling.User", whole(400, provider.CodeThrottled, false), replication.Throttled},
		{"3xx", provider.Facts{Sent: true, Status: 307}, replication.Uncertain},
		{"3xx, had it been read", whole(302, provider.CodeUnknown, true), replication.Uncertain},
		{"time-out, EOF, reset after a byte left", provider.Facts{Sent: true}, replication.Uncertain},
	}
	for _, status := range []int{500, 502, 503, 504, 599} {
		for _, code := range []provider.CodeClass{provider.CodeUnknown, provider.CodeRefused, provider.CodeThrottled} {
			tests = append(tests, struct {
				name string
				f    provider.Facts
				want replication.Outcome
			}{fmt.Sprintf("%d with code class %d", status, code), whole(status, code, true), replication.Uncertain})
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := provider.OutcomeOf(tt.f); got != tt.want {
				t.Errorf("OutcomeOf(%+v) = %q, want %q", tt.f, got, tt.want)
			}
		})
	}
}

// Taking evidence away never makes an outcome more certain.
func TestOutcomeOfIsMonotone(t *testing.T) {
	for status := range 600 {
		for code := provider.CodeUnknown; code <= provider.CodeThrottled; code++ {
			full := provider.Facts{Sent: true, Status: status, Whole: true, Code: code, Proof: true}
			less := []provider.Facts{full, full}
			less[0].Whole = false
			less[1].Proof, less[1].Code = false, provider.CodeUnknown
			for _, f := range less {
				if got := provider.OutcomeOf(f); got != replication.Uncertain {
					t.Errorf("OutcomeOf(%+v) = %q, want unknown", f, got)
				}
			}
		}
	}
}
