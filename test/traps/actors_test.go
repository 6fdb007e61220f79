package traps_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/dws"
	"github.com/drwatch/drwatch/internal/provider/ebs"
	"github.com/drwatch/drwatch/internal/provider/evs"
	"github.com/drwatch/drwatch/internal/provider/sdrs"
	"github.com/drwatch/drwatch/internal/replication"
)

// What acts for a rule can fail over and nothing else, whatever a person may ask
// for: no reprotection, which overwrites the old production, and no deletion.
func TestARuleIsGivenNothingButTheFailover(t *testing.T) {
	s := provider.Settings{
		Account: "a", Region: "cn-north-4", ProjectID: "0123456789abcdef0123456789abcdef", Endpoint: "https://127.0.0.1:1",
		PrimaryZone: "a", SecondaryZone: "b", Now: time.Now,
		Credentials: func() (provider.Credentials, error) { return provider.Credentials{}, nil },
	}
	for name, build := range map[replication.Provider]func(provider.Settings) (provider.Actor, error){
		replication.HuaweiSDRS: sdrs.NewActor, replication.HuaweiEVS: evs.NewActor, replication.HuaweiDWS: dws.NewActor, replication.AliyunEBS: ebs.NewActor,
	} {
		actor, err := build(s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for method := range reflect.TypeOf(actor).Methods() {
			if method.Name != "Failover" {
				t.Errorf("%s: what a rule acts with also has the method %s", name, method.Name)
			}
		}
	}
}

func TestARuleKnowsNoReprotection(t *testing.T) {
	for _, action := range []string{"reprotect", "recovery", "start", "stop", "delete"} {
		_, problems := rulefile.Parse("rules.yml", []byte(`
groups: [{name: g, rules: [{failover: r, targets: '{active_site="az-a"}', site_unreachable: az-a, for: 1m, action: `+action+`}]}]
`), rulefile.Known{})
		if text := fmt.Sprint(problems); len(problems) == 0 || !strings.Contains(text, action) {
			t.Errorf("action: %s: %s, want it to be refused", action, text)
		}
	}
}
