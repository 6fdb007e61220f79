package config_test

import "testing"

// The vendor's own table of regions sends one of them to another's host, and
// lacks most: the endpoint is made of the region and nothing else.
func TestEndpointOfEachRegion(t *testing.T) {
	for _, region := range []string{"ap-southeast-2", "ap-southeast-3", "cn-north-4", "eu-west-0", "tr-west-1"} {
		for provider, service := range map[string]string{"huawei_sdrs": "sdrs", "huawei_evs": "evs", "huawei_dws": "dws"} {
			zones := ""
			if provider == "huawei_evs" {
				zones = "zones: {primary: a, secondary: b}, "
			}
			c := parse(t, `
observer: {name: o}
accounts:
  - {name: s, provider: `+provider+`, region: `+region+`, `+zones+`project_id: 0123456789abcdef0123456789abcdef, credentials: {access_key_env: A, secret_key_env: B}}
`)
			want := "https://" + service + "." + region + ".myhuaweicloud.com"
			if a := c.Accounts[0]; a.Endpoint != want || a.ActionEndpoint != want {
				t.Errorf("%s: endpoints %q and %q, want %q", region, a.Endpoint, a.ActionEndpoint, want)
			}
		}
	}
}
