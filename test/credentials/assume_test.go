package credentials_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

// assuming starts clouds with token services, whose keys live as long as told,
// and a daemon whose own keys are good for nothing but to assume a role.
func assuming(t *testing.T, life time.Duration) (*cloudsim.Cloud, *daemon) {
	t.Helper()
	c := newClouds(t, cloudsim.Options{
		Credentials: []cloudsim.Credential{base(0)}, AssumedLife: life,
		Endpoints: append(cloudsim.DefaultEndpoints(), cloudsim.TokenEndpoints()...),
	})
	d := start(t, c, "", func(account doc) {
		role := doc{"agency": cloudsim.Agency, "domain": cloudsim.AgencyDomain, "endpoint": c.URL(cloudsim.EndpointIAM), "duration": "15m"}
		if account["provider"] == "aliyun_ebs" {
			role = doc{"role_arn": cloudsim.RoleARN, "endpoint": c.URL(cloudsim.EndpointSTS)}
		}
		account["credentials"].(doc)["assume_role"] = role
	})
	return c, d
}

// base are keys by number that may only assume a role.
func base(n int) cloudsim.Credential {
	k := key(n)
	k.AssumeOnly = true
	return k
}

// given is how often each token service was asked.
func given(c *cloudsim.Cloud) (agency, role int) {
	return c.Calls(cloudsim.HuaweiIAM, cloudsim.AssumeAgency), c.Calls(cloudsim.AliyunSTS, cloudsim.AssumeRole)
}

// temporary is in all keys that the simulated clouds give out.
var temporary = []string{"HIDDEN", "hidden", "SIMTEMPORARY", "simulated-temporary-secret", "simulated-token"}

// TestAssumedKeys polls four providers with the keys of an agency and of a RAM
// role, which live for ten seconds: they are renewed early and once for all
// accounts of a cloud, while the keys that they are assumed with are rotated,
// and no poll is lost.
func TestAssumedKeys(t *testing.T) {
	const life = 10 * time.Second
	c, d := assuming(t, life)
	d.up()
	if agency, role := given(c); agency != 1 || role != 1 {
		t.Errorf("asked %d times for the agency and %d for the role at the start, want once each", agency, role)
	}
	for n := 1; n <= 3; n++ {
		c.SetCredentials(base(n-1), base(n))
		write(t, filepath.Join(d.dir, "secrets/access-key"), base(n).AccessKey+"\n")
		write(t, filepath.Join(d.dir, "secrets/secret-key"), base(n).SecretKey+"\n")
		c.SetCredentials(base(n))
		d.further(3)
	}
	if log := d.logs.String(); strings.Contains(log, "poll is not complete") || strings.Contains(log, "could not be renewed") {
		t.Error("a poll or a renewal was lost")
	}
	if agency, role := given(c); agency < 4 || role < 4 || agency > 8 || role > 8 {
		t.Errorf("asked %d times for the agency and %d for the role in about 18s, want about every %s", agency, role, life/2)
	}
	ends := d.series("drwatch_credentials_expiry_timestamp_seconds")
	if len(ends) != 2*d.accounts {
		t.Errorf("%d ends are told, want those for reading and acting of %d accounts: %v", len(ends), d.accounts, ends)
	}
	for labels, v := range ends {
		if left := time.Until(time.UnixMilli(int64(v * 1000))); left < 0 || left > life {
			t.Errorf("%s ends in %s", labels, left)
		}
	}
	d.noSecrets(temporary...)
}

// TestReloadKeepsAssumedKeys: keys that live are not asked for again.
func TestReloadKeepsAssumedKeys(t *testing.T) {
	c, d := assuming(t, 0)
	d.up()
	d.do(http.MethodPost, "/-/reload")
	d.further(2)
	if agency, role := given(c); agency != 1 || role != 1 {
		t.Errorf("asked %d times for the agency and %d for the role, want once each", agency, role)
	}
}

// TestTokenServiceFails: while the token services are down the keys that were
// given serve until they end. Then it is told what is wrong, and all is well
// again when the services are.
func TestTokenServiceFails(t *testing.T) {
	c, d := assuming(t, 12*time.Second)
	d.up()
	for _, f := range []cloudsim.Fault{
		{Endpoint: cloudsim.EndpointIAM, Answer: cloudsim.Unavailable},
		{Endpoint: cloudsim.EndpointSTS, Answer: cloudsim.NumericCode}, // which panics in the SDK
	} {
		if _, err := c.AddFault(f); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "renewals have failed", func() bool { return strings.Count(d.logs.String(), "could not be renewed") >= 2 })
	d.further(1)
	if strings.Contains(d.logs.String(), "poll is not complete") {
		t.Error("a poll was lost although the old keys still live")
	}
	d.allAt(0)
	status := d.get("/api/v1/status")
	for _, want := range []string{
		"the keys expired at", "no new ones came", `assuming the agency \"drwatch\" of \"production\" at ` + c.URL(cloudsim.EndpointIAM),
		"assuming the role " + cloudsim.RoleARN + " at " + c.URL(cloudsim.EndpointSTS),
	} {
		if !strings.Contains(status, want) {
			t.Errorf("the status does not say %q: %s", want, status)
		}
	}
	c.ClearFaults()
	d.up()
	d.noSecrets(temporary...)
}
