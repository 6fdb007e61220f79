package cloudsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// The services that give out temporary keys of a role. They hold no groups.
const (
	HuaweiIAM replication.Provider = "huawei_iam" // Identity and Access Management: keys of an agency
	AliyunSTS replication.Provider = "aliyun_sts" // Security Token Service: keys of a RAM role
)

// The names of the endpoints in TokenEndpoints.
const (
	EndpointIAM = "iam"
	EndpointSTS = "sts"
)

// The roles that may be assumed.
const (
	Agency       = "drwatch"
	AgencyDomain = "production"
	RoleARN      = "acs:ram::1234567890123456:role/drwatch"
)

// The operations of the token services.
const (
	AssumeAgency = "CreateTemporaryAccessKeyByAgency"
	AssumeRole   = "AssumeRole"
)

// What both vendors allow for the life of assumed keys, in seconds; Alibaba
// Cloud has a limit for each role, of which this is the usual one.
const (
	leastLife     = 900
	mostHuawei    = 86400
	mostAliyun    = 43200
	defaultHuawei = 900
	defaultAliyun = 3600
)

// TokenEndpoints are those of the token services. They are not among the
// DefaultEndpoints.
func TokenEndpoints() []Endpoint {
	return []Endpoint{
		{Name: EndpointIAM, Provider: HuaweiIAM, Region: "cn-north-4"},
		{Name: EndpointSTS, Provider: AliyunSTS, Region: "cn-beijing"},
	}
}

// gives tells whether the endpoint gives out keys.
func (e Endpoint) gives() bool { return e.Provider == HuaweiIAM || e.Provider == AliyunSTS }

// speaksRPC tells whether the endpoint speaks Alibaba Cloud's RPC style.
func (e Endpoint) speaksRPC() bool {
	return e.Provider == replication.AliyunEBS || e.Provider == AliyunSTS
}

// credential finds the key pair of an access key: one of those that were set, or
// one that was given out.
func (c *Cloud) credential(accessKey string) (Credential, bool) {
	if k, ok := c.creds[accessKey]; ok {
		return k, true
	}
	k, ok := c.issued[accessKey]
	return k, ok
}

// issue gives out a temporary key pair; c.mu is held.
func (c *Cloud) issue(seconds int, now time.Time) Credential {
	life := time.Duration(seconds) * time.Second
	if c.o.AssumedLife > 0 {
		life = c.o.AssumedLife
	}
	for access, k := range c.issued {
		if now.Sub(k.Expires) > clockSkew {
			delete(c.issued, access)
		}
	}
	c.issues++
	k := Credential{
		AccessKey: fmt.Sprintf("SIMTEMPORARY%08d", c.issues), SecretKey: "simulated-temporary-secret-" + c.uuid(c.requests),
		SecurityToken: "simulated-token-" + c.uuid(c.requests), Expires: now.Add(life),
	}
	c.issued[k.AccessKey] = k
	return k
}

func iamRoutes() []restRoute {
	return []restRoute{{method: http.MethodPost, path: "/v3.0/OS-CREDENTIAL/securitytokens", route: route{operation: AssumeAgency, serve: serveAgency}}}
}

// serveAgency is CreateTemporaryAccessKeyByAgency of IAM.
func serveAgency(c *Cloud, q *request, now time.Time) answer {
	var in struct {
		Auth struct {
			Identity struct {
				Methods []string `json:"methods"`
				Role    struct {
					Agency  string `json:"agency_name"`
					Domain  string `json:"domain_name"`
					Seconds *int   `json:"duration_seconds"`
				} `json:"assume_role"`
			} `json:"identity"`
		} `json:"auth"`
	}
	seconds := defaultHuawei
	err := json.Unmarshal(q.body, &in)
	role := in.Auth.Identity.Role
	if role.Seconds != nil {
		seconds = *role.Seconds
	}
	switch {
	case err != nil, len(in.Auth.Identity.Methods) != 1 || in.Auth.Identity.Methods[0] != "assume_role", seconds < leastLife || seconds > mostHuawei:
		return iamError(http.StatusBadRequest, "Bad Request", "Request body is invalid.")
	case role.Agency != Agency || role.Domain != AgencyDomain:
		return iamError(http.StatusNotFound, "Not Found", "Could not find the agency or its domain.")
	}
	k := c.issue(seconds, now)
	return answer{status: http.StatusCreated, value: object{"credential": object{
		"access": k.AccessKey, "secret": k.SecretKey, "securitytoken": k.SecurityToken,
		"expires_at": k.Expires.UTC().Format("2006-01-02T15:04:05.000000Z"),
	}}}
}

// iamError is an error as IAM words it: its code is a number.
func iamError(status int, title, message string) answer {
	return answer{status: status, value: object{"error": object{"message": message, "code": status, "title": title}}}
}

func stsRoutes() map[string]route {
	return map[string]route{AssumeRole: {operation: AssumeRole, serve: serveRole}}
}

// serveRole is AssumeRole of STS.
func serveRole(c *Cloud, q *request, now time.Time) answer {
	seconds, err := strconv.Atoi(or(q.param("DurationSeconds"), strconv.Itoa(defaultAliyun)))
	session := q.param("RoleSessionName")
	switch {
	case session == "":
		return q.aliyunError(http.StatusBadRequest, "MissingRoleSessionName", "RoleSessionName is mandatory for this action.")
	case err != nil || seconds < leastLife || seconds > mostAliyun:
		return q.aliyunError(http.StatusBadRequest, "InvalidParameter.DurationSeconds", "The specified DurationSeconds is out of range.")
	case q.param("RoleArn") != RoleARN:
		return q.aliyunError(http.StatusNotFound, "EntityNotExist.Role", "The specified Role does not exist.")
	}
	k := c.issue(seconds, now)
	return ok(object{
		"RequestId":       q.id,
		"AssumedRoleUser": object{"Arn": RoleARN + "/" + session, "AssumedRoleId": "3456789012345678:" + session},
		"Credentials": object{
			"AccessKeyId": k.AccessKey, "AccessKeySecret": k.SecretKey, "SecurityToken": k.SecurityToken,
			"Expiration": k.Expires.UTC().Format(aliyunTime),
		},
	})
}
