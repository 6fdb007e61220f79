package ebs

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
)

const (
	assumeRole = "AssumeRole"
	stsVersion = "2015-04-01"
)

// Role is a RAM role that the keys that are used may assume.
type Role struct {
	ARN      string        // acs:ram::ACCOUNT:role/NAME
	Session  string        // names the keys in the account's audit log: 2 to 64 of a-z A-Z 0-9 . @ - _
	Duration time.Duration // of the keys' life, in whole seconds: 15 minutes to what the role allows
}

// Assumer gets the temporary keys of a RAM role from STS. Safe for concurrent
// use.
type Assumer struct {
	client *client
	params map[string]string
}

// NewAssumer checks the settings, whose Endpoint is that of STS. It sends
// nothing.
func NewAssumer(s provider.Settings, r Role) (*Assumer, error) {
	c, err := newClientOf("sts", stsVersion, s)
	if err != nil {
		return nil, err
	}
	return &Assumer{client: c, params: map[string]string{
		"RoleArn": r.ARN, "RoleSessionName": r.Session, "DurationSeconds": strconv.Itoa(int(r.Duration.Seconds())),
	}}, nil
}

// errNoKeys is all that is told of an answer that should have keys in it.
var errNoKeys = errors.New("AssumeRole: the answer is not the JSON that is documented")

// Assume asks once, signed with the keys of the settings ("AssumeRole"). Its
// error holds no secret and nothing of an answer that may have keys in it.
func (a *Assumer) Assume(ctx context.Context) (provider.Issued, error) {
	r := a.client.call(ctx, provider.Op{Name: assumeRole}, a.params)
	var answer struct {
		AccessKeyID     string `json:"AccessKeyId"`
		AccessKeySecret string `json:"AccessKeySecret"`
		SecurityToken   string `json:"SecurityToken"`
		Expiration      string `json:"Expiration"`
	}
	switch {
	case r.OK() && (!r.answer.isObject || r.err == nil && json.Unmarshal(r.answer.fields.Get("Credentials"), &answer) != nil):
		return provider.Issued{}, errNoKeys
	case r.err != nil:
		return provider.Issued{}, r.err
	}
	return provider.Issued{
		Credentials: provider.Credentials{AccessKey: answer.AccessKeyID, SecretKey: answer.AccessKeySecret, SecurityToken: answer.SecurityToken},
		Expires:     answer.Expiration,
	}, nil
}
