package cloudsim_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

const securityTokens = "/v3.0/OS-CREDENTIAL/securitytokens"

// newTokenLab has the token services too, and keys that may only assume a role.
func newTokenLab(t *testing.T) *lab {
	return newLab(t, func(o *cloudsim.Options) {
		o.Endpoints = append(cloudsim.DefaultEndpoints(), cloudsim.TokenEndpoints()...)
		o.Credentials = []cloudsim.Credential{{AccessKey: cloudsim.AccessKey, SecretKey: cloudsim.SecretKey, AssumeOnly: true}}
	})
}

func agency(name, domain string, seconds int) string {
	b, err := json.Marshal(map[string]any{"auth": map[string]any{"identity": map[string]any{
		"methods":     []string{"assume_role"},
		"assume_role": map[string]any{"agency_name": name, "domain_name": domain, "duration_seconds": seconds},
	}}})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestAgencyKeys assumes an agency and lists groups with the keys that it gives,
// until they end. The keys themselves may list nothing.
func TestAgencyKeys(t *testing.T) {
	l := newTokenLab(t)
	const groups = "/v1/{p}/server-groups"
	l.want(l.get(cloudsim.EndpointSDRS, groups), 403, "APIGW.0302")
	l.want(l.post(cloudsim.EndpointIAM, securityTokens, agency("another", cloudsim.AgencyDomain, 900)), 404, `"code":404`)
	l.want(l.post(cloudsim.EndpointIAM, securityTokens, agency(cloudsim.Agency, "another", 900)), 404, `"code":404`)
	l.want(l.post(cloudsim.EndpointIAM, securityTokens, agency(cloudsim.Agency, cloudsim.AgencyDomain, 899)), 400, `"code":400`)
	l.want(l.post(cloudsim.EndpointIAM, securityTokens, `{}`), 400, `"code":400`)
	unsigned := l.huawei(cloudsim.EndpointIAM, "POST", securityTokens, agency(cloudsim.Agency, cloudsim.AgencyDomain, 900))
	unsigned.Header.Del("Authorization")
	l.want(l.send(unsigned), 401, "APIGW.0301")

	r := l.post(cloudsim.EndpointIAM, securityTokens, agency(cloudsim.Agency, cloudsim.AgencyDomain, 900))
	l.want(r, 201, `"expires_at":"2026-01-02T03:19:05.000000Z"`)
	keys := r.doc["credential"].(map[string]any)
	list := func(token string) reply {
		req := l.huawei(cloudsim.EndpointSDRS, "GET", groups, "")
		req.Header.Set("X-Security-Token", token)
		signHuawei(req, "", keys["access"].(string), keys["secret"].(string), l.clock.now())
		return l.send(req)
	}
	token := keys["securitytoken"].(string)
	l.cloud.SetCredentials() // withdrawn; what was given out lives on
	l.want(list(token), 200, "server_groups")
	l.want(list("another"), 401, "security token")
	l.clock.move(900 * time.Second)
	l.want(list(token), 401, "security token")
}

// TestRoleKeys assumes a RAM role and lists groups with its keys.
func TestRoleKeys(t *testing.T) {
	l := newTokenLab(t)
	assume := func(change ...string) reply {
		return l.ali(cloudsim.EndpointSTS, "AssumeRole", append([]string{
			"Version", "2015-04-01", "RoleArn", cloudsim.RoleARN, "RoleSessionName", "test", "DurationSeconds", "900",
		}, change...)...)
	}
	l.want(l.ali(cloudsim.EndpointEBS, "DescribeDiskReplicaGroups"), 403, "Forbidden")
	l.want(assume("Version", "2021-07-30"), 400, "InvalidVersion")
	l.want(assume("RoleArn", "acs:ram::1:role/another"), 404, "EntityNotExist.Role")
	l.want(assume("RoleSessionName", ""), 400, "MissingRoleSessionName")
	l.want(assume("DurationSeconds", "43201"), 400, "InvalidParameter.DurationSeconds")
	l.want(assume("AccessKeyId", "nobody"), 404, "InvalidAccessKeyId.NotFound")

	r := assume()
	l.want(r, 200, `"Expiration":"2026-01-02T03:19:05Z"`)
	keys := r.doc["Credentials"].(map[string]any)
	list := func() reply {
		req := l.rpc(cloudsim.EndpointEBS, "DescribeDiskReplicaGroups", "AccessKeyId", keys["AccessKeyId"].(string), "SecurityToken", keys["SecurityToken"].(string))
		p := req.URL.Query()
		signRPC(p, keys["AccessKeySecret"].(string))
		req.URL.RawQuery = p.Encode()
		return l.send(req)
	}
	l.want(list(), 200, "ReplicaGroups")
	l.clock.move(900 * time.Second)
	l.want(list(), 400, "InvalidSecurityToken.Expired")
	if !strings.Contains(strings.Join(l.cloud.Operations(cloudsim.AliyunSTS), ","), cloudsim.AssumeRole) {
		t.Error("the calls are not counted")
	}
}
