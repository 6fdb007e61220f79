package faults_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestActingWithAssumedKeys gives an observer keys that may only read, and keys to
// act with that are good for nothing but to assume a role. The role is assumed
// when a claim is held and not before, and with its keys each group is failed
// over once.
func TestActingWithAssumedKeys(t *testing.T) {
	t.Parallel()
	reads := cloudsim.Credential{AccessKey: "READER00000000000001", SecretKey: "reader-secret", ReadOnly: true}
	assumes := cloudsim.Credential{AccessKey: "ASSUMER0000000000001", SecretKey: "assumer-secret", AssumeOnly: true}
	lanes := lanesOf("assumed", replication.Providers()...)
	c := newFieldWith(t, cloudsim.Options{
		Transition: time.Second, Credentials: []cloudsim.Credential{reads, assumes}, Endpoints: cloudsim.TokenEndpoints(),
	}, lanes...)
	dir := t.TempDir()
	ak, sk := filepath.Join(dir, "ak"), filepath.Join(dir, "sk")
	write(t, ak, assumes.AccessKey)
	write(t, sk, assumes.SecretKey)
	d := start(t, c, setting{edit: func(root doc) {
		each(root, func(account doc) {
			role := doc{"agency": cloudsim.Agency, "domain": cloudsim.AgencyDomain, "endpoint": c.URL(cloudsim.EndpointIAM)}
			if account["provider"] == string(replication.AliyunEBS) {
				role = doc{"role_arn": cloudsim.RoleARN, "endpoint": c.URL(cloudsim.EndpointSTS)}
			}
			account["action_credentials"] = doc{"access_key_file": ak, "secret_key_file": sk, "assume_role": role}
		})
	}})
	given := func() (agency, role int) {
		return c.Calls(cloudsim.HuaweiIAM, cloudsim.AssumeAgency), c.Calls(cloudsim.AliyunSTS, cloudsim.AssumeRole)
	}
	if agency, role := given(); agency != 0 || role != 0 {
		t.Errorf("the agency was assumed %d times and the role %d times without a claim", agency, role)
	}
	lose(t, c, "az-a", cloudsim.Loss{})
	d.failedOverOnce(c, lanes)
	if agency, role := given(); agency != 1 || role != 1 {
		t.Errorf("the agency was assumed %d times and the role %d times, want once each", agency, role)
	}
}
