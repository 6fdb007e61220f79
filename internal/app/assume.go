package app

import (
	"context"
	"fmt"
	"time"

	"github.com/drwatch/drwatch/internal/config"
	"github.com/drwatch/drwatch/internal/credentials"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/ebs"
	"github.com/drwatch/drwatch/internal/provider/huawei"
)

// assumeTimeout bounds one question to one token service.
const assumeTimeout = 5 * time.Second

// assumed gives out the keys of a role at one endpoint.
type assumed struct {
	what   string // for a person
	assume func(context.Context) (provider.Issued, error)
}

// newAssumed makes what keeps a role's keys. The calls for them go over the one
// Transport, spend from no account's rate and are in no account's metrics: the
// keys are shared by all accounts that name the role alike.
func newAssumed(account string, p place, base source, o *Options) (*credentials.Keeper, error) {
	r, role := p.AssumeRole, "role "+p.AssumeRole.RoleARN
	if !p.aliyun {
		role = fmt.Sprintf("agency %q of %q", r.Agency, r.Domain)
	}
	var all credentials.InTurn
	for _, endpoint := range []string{r.Endpoint, r.Fallback} {
		if endpoint == "" {
			continue
		}
		s := provider.Settings{
			Account: account, Region: r.Region, Endpoint: endpoint, Timeout: assumeTimeout,
			Now: o.Now, Meter: provider.NopMeter{}, UserAgent: "drwatch/" + o.Version,
		}
		signing(&s, base)
		assume, err := assumer(p.aliyun, s, r)
		if err != nil {
			return nil, fmt.Errorf("assume_role: %w", err)
		}
		all = append(all, &assumed{what: fmt.Sprintf("the %s at %s", role, endpoint), assume: assume})
	}
	return credentials.NewKeeper(all, o.Now, o.Logger.With("component", "credentials", "from", role)), nil
}

func assumer(aliyun bool, s provider.Settings, r config.AssumeRole) (func(context.Context) (provider.Issued, error), error) {
	if aliyun {
		a, err := ebs.NewAssumer(s, ebs.Role{ARN: r.RoleARN, Session: r.Session, Duration: r.Duration})
		if err != nil {
			return nil, err
		}
		return a.Assume, nil
	}
	a, err := huawei.NewAssumer(s, huawei.Agency{Name: r.Agency, Domain: r.Domain, Duration: r.Duration})
	if err != nil {
		return nil, err
	}
	return a.Assume, nil
}

// Issue asks the endpoint once, within 5 s.
func (a *assumed) Issue(ctx context.Context) (credentials.Keys, error) {
	ctx, cancel := context.WithTimeout(ctx, assumeTimeout)
	defer cancel()
	got, err := a.assume(ctx)
	var keys credentials.Keys
	if err == nil {
		keys, err = credentials.Temporary(got.AccessKey, got.SecretKey, got.SecurityToken, got.Expires)
	}
	if err != nil {
		return credentials.Keys{}, fmt.Errorf("assuming %s: %w", a.what, err)
	}
	return keys, nil
}
