package config

import (
	"cmp"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// Credentials name where keys are kept. Exactly one kind is given: files, names
// of environment variables, or the machine's own role.
type Credentials struct {
	AccessKeyFile     string `yaml:"access_key_file"`
	SecretKeyFile     string `yaml:"secret_key_file"`
	SecurityTokenFile string `yaml:"security_token_file"` // for short-lived keys
	AccessKeyEnv      string `yaml:"access_key_env"`
	SecretKeyEnv      string `yaml:"secret_key_env"`
	Metadata          bool   `yaml:"metadata"`
	// AssumeRole is what these keys are only good for: other keys, that live for a
	// while.
	AssumeRole AssumeRole `yaml:"assume_role"`
}

// AssumeRole names the role whose keys are used: an agency of Huawei Cloud, or a
// RAM role of Alibaba Cloud.
type AssumeRole struct {
	Agency  string `yaml:"agency"`   // huawei_* only
	Domain  string `yaml:"domain"`   // huawei_* only: the name of the account that made the agency
	RoleARN string `yaml:"role_arn"` // aliyun_ebs only
	Session string `yaml:"session"`  // aliyun_ebs only; default: drwatch
	// Endpoint is IAM's or STS's, scheme and host. Default: the region's.
	Endpoint string        `yaml:"endpoint"`
	Duration time.Duration `yaml:"duration"` // of the keys' life; default: 1h

	Region string // aliyun_ebs only: of the account, or where it acts
	// Fallback is asked when Endpoint has given no keys; "" when that was
	// configured.
	Fallback string
}

// IsZero tells that no role is assumed.
func (r AssumeRole) IsZero() bool { return r == AssumeRole{} }

// fill derives what is left out. The keys of either region's endpoint are good
// everywhere, so that the other region's is the way out when this one is lost.
func (r *AssumeRole) fill(p replication.Provider, region, other string) {
	if r.IsZero() {
		return
	}
	r.Duration = cmp.Or(r.Duration, time.Hour)
	aliyun := p == replication.AliyunEBS
	if aliyun {
		r.Region, r.Session = region, cmp.Or(r.Session, "drwatch")
	}
	switch {
	case r.Endpoint != "":
	case aliyun && other != region:
		r.Endpoint, r.Fallback = "https://sts."+region+".aliyuncs.com", "https://sts."+other+".aliyuncs.com"
	case aliyun:
		r.Endpoint, r.Fallback = "https://sts."+region+".aliyuncs.com", "https://sts.aliyuncs.com"
	default:
		r.Endpoint, r.Fallback = "https://iam."+region+".myhuaweicloud.com", "https://iam.myhuaweicloud.com"
	}
}

// IsZero tells that nothing is named.
func (c Credentials) IsZero() bool { return c == Credentials{} }
