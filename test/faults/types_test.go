package faults_test

import (
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestAWrongTypeInOneItem: in a field that decides, the item is not acted on and
// a counter says so; in one that does not, the item is what it is.
func TestAWrongTypeInOneItem(t *testing.T) {
	t.Parallel()
	status, other := lanesOf("status", replication.Providers()...), lanesOf("other", replication.Providers()...)
	c := newField(t, time.Second, append(status, other...)...)
	var taps []*tap
	d := start(t, c, setting{edit: func(root doc) {
		each(root, func(account doc) {
			for _, l := range status {
				if account["name"] != l.name {
					continue
				}
				for _, key := range []string{"endpoint", "action_endpoint"} {
					if base, ok := account[key].(string); ok {
						taps = append(taps, newTap(t, base))
						account[key] = taps[len(taps)-1].url()
					}
				}
			}
		})
	}})
	if n := len(taps); n != len(status)+1 {
		t.Fatalf("%d endpoints are tapped, want %d", n, len(status)+1)
	}
	for _, tp := range taps {
		tp.wrong.Store(true)
	}
	for _, l := range other { // a name that is a number, a level that is one, …
		for _, e := range l.endpoints {
			fault(t, c, cloudsim.Fault{Endpoint: e, Answer: cloudsim.WrongType})
		}
	}
	eventually(t, 20*time.Second, "the wrong type is seen", func() string {
		groups := d.groups()
		for _, l := range status {
			if s := groups[l.id].State; s != replication.Unknown {
				return l.name + " is " + string(s)
			}
		}
		return ""
	})
	lose(t, c, "az-a", cloudsim.Loss{})
	d.failedOverOnce(c, other)
	s := d.scrape()
	for _, l := range status {
		if n := calls(c, l.id); n != 0 {
			t.Errorf("%s: %d calls", l.name, n)
		}
		field := "field=status"
		if l.provider == replication.AliyunEBS {
			field = "field=Status"
		}
		if n := s.sum("drwatch_provider_decode_errors_total", "account="+l.name, field); n < 1 {
			t.Errorf("%s: drwatch_provider_decode_errors_total of %s is %g", l.name, field, n)
		}
		if up := s.sum("drwatch_account_up", "account="+l.name); up != 1 {
			t.Errorf("%s: drwatch_account_up %g", l.name, up)
		}
		if ready := s.sum("drwatch_group_failover_ready", "account="+l.name); ready != 0 {
			t.Errorf("%s: drwatch_group_failover_ready %g", l.name, ready)
		}
	}
	for _, tp := range taps {
		tp.wrong.Store(false)
	}
	d.failedOverOnce(c, status)
}
