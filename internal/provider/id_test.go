package provider_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

func TestClientToken(t *testing.T) {
	token := provider.ClientToken(replication.AliyunEBS, "pg-1", "inc-1", replication.Failover)
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(token) {
		t.Fatalf("token %q: want 64 hex digits", token)
	}
	// Pinned: another version of drwatch must send the same token for an
	// incident that this one began.
	if want := "35a23ff4adc5c807b4ed22abaafff367455508b789366b1bdd482e8f3208b4ec"; token != want {
		t.Errorf("token %q, want %q", token, want)
	}
	others := []string{
		provider.ClientToken(replication.HuaweiDWS, "pg-1", "inc-1", replication.Failover),
		provider.ClientToken(replication.AliyunEBS, "pg-2", "inc-1", replication.Failover),
		provider.ClientToken(replication.AliyunEBS, "pg-1", "inc-2", replication.Failover),
		provider.ClientToken(replication.AliyunEBS, "pg-1", "inc-1", replication.Reprotect),
		provider.ClientToken(replication.AliyunEBS, "pg-1i", "nc-1", replication.Failover),
	}
	for _, o := range others {
		if o == token {
			t.Errorf("two calls share the token %q", o)
		}
	}
}

func TestValidID(t *testing.T) {
	for _, id := range []string{"pg-myreplica", "40df180b-9fe2-471a-8c64-1b758dc84189", "0", strings.Repeat("a", 128)} {
		if err := provider.ValidID(id); err != nil {
			t.Errorf("ValidID(%q) = %v", id, err)
		}
	}
	for _, id := range []string{"", ".", "..", "a/../b", "a b", "a\n", "a?b", "a%2f", "ä", "a_b", strings.Repeat("a", 129)} {
		if err := provider.ValidID(id); err == nil {
			t.Errorf("ValidID(%q) = nil", id)
		}
	}
}
