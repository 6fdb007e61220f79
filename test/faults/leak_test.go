package faults_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestNoSecretIsShown goes through what makes clouds and SDKs repeat what they
// were sent (a wrong secret, a refused token, broken connections, refused and
// cut calls), with temporary keys, and then looks for each secret, token and
// signature in everything that the daemon showed, logged and left.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	key := cloudsim.Credential{AccessKey: "TEMPORARYKEY00000099", SecretKey: "temporary-secret-key-99/with+signs=", SecurityToken: "temporary-token-99/with+signs=="}
	lanes := lanesOf("secret", replication.Providers()...)
	refused := lanesOf("refused", replication.Providers()...)
	c := newFieldWith(t, cloudsim.Options{Transition: time.Second, Credentials: []cloudsim.Credential{key}}, append(lanes, refused...)...)
	taps := map[string]*tap{}
	tapped := func(endpoint any) string {
		base := endpoint.(string)
		if taps[base] == nil {
			taps[base] = newTap(t, base)
		}
		return taps[base].url()
	}
	h := newHome(t, c, setting{edit: func(root doc) {
		each(root, func(account doc) {
			account["endpoint"] = tapped(account["endpoint"])
			if other := account["action_endpoint"]; other != nil {
				account["action_endpoint"] = tapped(other)
			}
			account["credentials"].(doc)["security_token_file"] = "secrets/token"
		})
	}})
	write(t, filepath.Join(h.dir, "secrets/token"), key.SecurityToken+"\n")
	h.secrets = []string{key.AccessKey, key.SecretKey, key.SecurityToken, "wrong-secret-key-00000000", "wrong-token-000000000000"}
	d := h.run(t, nil)
	d.fit()
	// Rotated to what the clouds refuse, and back: Alibaba's answer repeats the
	// string that was signed.
	for _, w := range []struct{ file, wrong, right string }{
		{"secrets/secret-key", "wrong-secret-key-00000000", key.SecretKey},
		{"secrets/token", "wrong-token-000000000000", key.SecurityToken},
	} {
		write(t, filepath.Join(h.dir, w.file), w.wrong+"\n")
		d.accounts("refused", false)
		write(t, filepath.Join(h.dir, w.file), w.right+"\n")
		d.accounts("accepted again", true)
	}
	for i, l := range lanes {
		fault(t, c, cloudsim.Fault{Group: l.id, Operation: "failover", Answer: cloudsim.Cut, Count: 1})
		fault(t, c, cloudsim.Fault{Group: refused[i].id, Operation: "failover", Answer: cloudsim.Skewed, Count: 1})
	}
	lose(t, c, "az-a", cloudsim.Loss{})
	d.failedOverOnce(c, lanes)
	eventually(t, 30*time.Second, "the refused calls have failed", func() string {
		incidents := d.incidents()
		for _, l := range refused {
			if list := incidents[l.id]; len(list) == 0 || list[0].Phase != replication.Failed {
				return l.name + ": " + show(list)
			}
		}
		return ""
	})
	for _, e := range c.Faults() {
		t.Errorf("a fault that nothing met proves nothing: %+v", e)
	}
	for base, tp := range taps {
		found := tp.signatures(60)
		if len(found) < 2 {
			t.Errorf("no signature was seen on the way to %s", base)
		}
		h.secrets = append(h.secrets, found...)
	}
}

// accounts waits until all accounts are up, or none is.
func (d *daemon) accounts(what string, up bool) {
	d.t.Helper()
	eventually(d.t, 20*time.Second, "every account is "+what, func() string {
		for _, a := range d.status().Accounts {
			if a.Up != up {
				return a.Name + ": " + a.Error
			}
		}
		return ""
	})
}
