package config

import (
	"regexp"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/drwatch/drwatch/internal/replication"
)

func (c *checker) credentials(a *Account, cr *Credentials, p []any) {
	if !c.doc.Has(p...) {
		return // "required" is reported already
	}
	if c.doc.Has(under(p, "assume_role")...) {
		c.assumeRole(a, &cr.AssumeRole, under(p, "assume_role"))
	}
	files := cr.AccessKeyFile != "" || cr.SecretKeyFile != "" || cr.SecurityTokenFile != ""
	envs := cr.AccessKeyEnv != "" || cr.SecretKeyEnv != ""
	kinds := 0
	for _, k := range []bool{files, envs, cr.Metadata} {
		if k {
			kinds++
		}
	}
	if kinds != 1 {
		c.errorf(p, "%s: expected exactly one of files (access_key_file, secret_key_file), environment names (access_key_env, secret_key_env) or metadata, got %d of them", dotted(p), kinds)
		return
	}
	if files && (cr.AccessKeyFile == "" || cr.SecretKeyFile == "") {
		c.errorf(p, "%s: access_key_file and secret_key_file go together, only one of them is given", dotted(p))
	}
	if envs && (cr.AccessKeyEnv == "" || cr.SecretKeyEnv == "") {
		c.errorf(p, "%s: access_key_env and secret_key_env go together, only one of them is given", dotted(p))
	}
	c.envName(cr.AccessKeyEnv, under(p, "access_key_env"))
	c.envName(cr.SecretKeyEnv, under(p, "secret_key_env"))
}

var envForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// envName refuses what can be no name of a variable. It is not repeated in the
// message: it may be the secret itself.
func (c *checker) envName(name string, path []any) {
	if name != "" && !envForm.MatchString(name) {
		c.errorf(path, "%s: expected the name of an environment variable such as HW_AK", dotted(path))
	}
}

// What the vendors allow of a role to assume. Alibaba Cloud allows less where the
// role says so.
const (
	leastLife  = 15 * time.Minute
	mostHuawei = 24 * time.Hour
	mostAliyun = 12 * time.Hour
)

var (
	arnForm     = regexp.MustCompile(`^acs:ram::[0-9]+:role/[A-Za-z0-9._-]{1,64}$`)
	sessionForm = regexp.MustCompile(`^[A-Za-z0-9.@_-]{2,64}$`)
)

// assumeRole checks and completes a role: each vendor has keys of its own.
func (c *checker) assumeRole(a *Account, r *AssumeRole, p []any) {
	r.Endpoint = c.endpoint(r.Endpoint, under(p, "endpoint")...)
	for _, region := range []string{a.Region, a.ActionRegion} {
		if r.Endpoint == "" && region != "" && !regionForm.MatchString(region) {
			c.errorf(p, "%s: %q is required, because none can be derived from the region %q", dotted(p), "endpoint", region)
		}
	}
	if !slices.Contains(replication.Providers(), a.Provider) {
		return
	}
	most := mostHuawei
	if a.Provider == replication.AliyunEBS {
		most = mostAliyun
		c.onlyFor("huawei_*", r.Agency != "", under(p, "agency"))
		c.onlyFor("huawei_*", r.Domain != "", under(p, "domain"))
		c.neededFor(a, r.RoleARN, "role_arn", p)
		if r.RoleARN != "" && !arnForm.MatchString(r.RoleARN) {
			c.errorf(under(p, "role_arn"), "%s.role_arn: expected acs:ram::ACCOUNT:role/NAME, got %q", dotted(p), r.RoleARN)
		}
		if r.Session != "" && !sessionForm.MatchString(r.Session) {
			c.errorf(under(p, "session"), `%s.session: expected 2 to 64 letters, digits, ".", "@", "_" and "-", got %q`, dotted(p), r.Session)
		}
	} else {
		c.onlyFor("aliyun_ebs", r.RoleARN != "", under(p, "role_arn"))
		c.onlyFor("aliyun_ebs", r.Session != "", under(p, "session"))
		c.neededFor(a, r.Agency, "agency", p)
		c.neededFor(a, r.Domain, "domain", p)
	}
	if d := r.Duration; c.doc.Has(under(p, "duration")...) && (d < leastLife || d > most || d%time.Second != 0) {
		c.errorf(under(p, "duration"), "%s.duration: expected whole seconds from %s to %s, got %s", dotted(p), model.Duration(leastLife), model.Duration(most), model.Duration(d))
	}
}

// neededFor reports a key that this provider cannot do without.
func (c *checker) neededFor(a *Account, value, key string, p []any) {
	if value == "" {
		c.errorf(p, "%s: %q is required for %s", dotted(p), key, a.Provider)
	}
}
