package app

import (
	"cmp"
	"time"

	"github.com/drwatch/drwatch/internal/config"
	"github.com/drwatch/drwatch/internal/credentials"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// source is where keys come from. Nothing is read before Keys is called.
type source interface {
	// Keys are the keys to use for the next request.
	Keys() (credentials.Keys, error)
	// Refused tells that the provider did not take the keys.
	Refused(credentials.Keys)
	// LastRead tells whether the last attempt to read or renew the keys succeeded,
	// once there was one.
	LastRead() (ok, told bool)
	// Expires is when the keys last read end; zero when that is not told.
	Expires() time.Time
}

// keys are an account's sources: for what reads, and for what acts (nil when it
// never does).
type keys struct{ read, act source }

// place is where keys are found. Accounts that name the same place share what
// was read there.
type place struct {
	config.Credentials
	aliyun bool // whose metadata service or token service is asked
}

// keyring has the source of each place that the configuration names.
type keyring map[place]source

// newKeyring makes the sources; those of before stay as they are, with the
// temporary keys that they hold.
func newKeyring(accounts []config.Account, o *Options, before *clouds) (keyring, error) {
	out := keyring{}
	for _, a := range accounts {
		if err := out.add(a.Name, placeOf(a.Credentials, a.Provider), o, before); err != nil {
			return nil, err
		}
		if !a.CanAct() {
			continue
		}
		if err := out.add(a.Name, placeOf(a.Action.Credentials, a.Provider), o, before); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// add makes the source of a place unless there is one, and first that of the
// keys which a role is assumed with.
func (r keyring) add(account string, p place, o *Options, before *clouds) error {
	base := p.base()
	if base != p {
		if err := r.add(account, base, o, before); err != nil {
			return err
		}
	}
	if before != nil && before.keys[p] != nil {
		r[p] = before.keys[p]
	}
	if r[p] != nil {
		return nil
	}
	if base == p {
		r[p] = newSource(p, o)
		return nil
	}
	keeper, err := newAssumed(account, p, r[base], o)
	if err != nil {
		return err
	}
	r[p] = keeper
	return nil
}

func (r keyring) of(a config.Account) keys {
	k := keys{read: r[placeOf(a.Credentials, a.Provider)]}
	if a.CanAct() {
		k.act = r[placeOf(a.Action.Credentials, a.Provider)]
	}
	return k
}

func placeOf(c config.Credentials, p replication.Provider) place {
	return place{Credentials: c, aliyun: (c.Metadata || !c.AssumeRole.IsZero()) && p == replication.AliyunEBS}
}

// base is the place of the keys that a role is assumed with: the place itself
// when none is.
func (p place) base() place {
	p.AssumeRole = config.AssumeRole{}
	p.aliyun = p.aliyun && p.Metadata
	return p
}

func newSource(p place, o *Options) source {
	log := o.Logger.With("component", "credentials")
	switch {
	case p.Metadata && p.aliyun:
		return credentials.NewKeeper(credentials.NewAliyun(cmp.Or(o.MetadataAddress, credentials.AliyunMetadata)), o.Now, log.With("from", "aliyun metadata"))
	case p.Metadata:
		return credentials.NewKeeper(credentials.NewHuawei(cmp.Or(o.MetadataAddress, credentials.HuaweiMetadata)), o.Now, log.With("from", "huawei metadata"))
	case p.AccessKeyFile != "":
		return credentials.NewFiles(credentials.Paths{AccessKey: p.AccessKeyFile, SecretKey: p.SecretKeyFile, SecurityToken: p.SecurityTokenFile}, o.Now, log)
	}
	return credentials.Env{AccessKey: p.AccessKeyEnv, SecretKey: p.SecretKeyEnv}
}

// signing gives the source's keys to what signs requests.
func signing(s *provider.Settings, from source) {
	if from == nil {
		return
	}
	s.Credentials = func() (provider.Credentials, error) {
		k, err := from.Keys()
		return provider.Credentials{AccessKey: k.AccessKey, SecretKey: k.SecretKey, SecurityToken: k.SecurityToken}, err
	}
	s.Refused = func(c provider.Credentials) {
		from.Refused(credentials.Keys{AccessKey: c.AccessKey, SecretKey: c.SecretKey, SecurityToken: c.SecurityToken})
	}
}

// keys tells of each account's keys whether they could be read, and when they
// end, where that was told.
func (s *samples) keys(accounts []*account) {
	for _, a := range accounts {
		s.source(a.config.Name, "read", a.keys.read)
		s.source(a.config.Name, "act", a.keys.act)
	}
}

func (s *samples) source(account, use string, from source) {
	if from == nil {
		return
	}
	if ok, told := from.LastRead(); told {
		s.add("drwatch_credentials_last_read_successful", boolean(ok), account, use)
	}
	if t := from.Expires(); !t.IsZero() {
		s.add("drwatch_credentials_expiry_timestamp_seconds", unix(t), account, use)
	}
}
