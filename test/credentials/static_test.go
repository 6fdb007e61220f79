package credentials_test

import (
	"path/filepath"
	"testing"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

// TestEnvironmentKeys polls four providers with keys that only the environment
// has.
func TestEnvironmentKeys(t *testing.T) {
	k := key(0)
	c := newClouds(t, cloudsim.Options{Credentials: []cloudsim.Credential{k}})
	t.Setenv("DRWATCH_TEST_AK", k.AccessKey)
	t.Setenv("DRWATCH_TEST_SK", k.SecretKey)
	d := start(t, c, "", func(account doc) {
		account["credentials"] = doc{"access_key_env": "DRWATCH_TEST_AK", "secret_key_env": "DRWATCH_TEST_SK"}
	})
	d.up()
	if ends := d.series("drwatch_credentials_expiry_timestamp_seconds"); len(ends) != 0 {
		t.Errorf("ends are told of keys in the environment: %v", ends)
	}
	read := d.series("drwatch_credentials_last_read_successful")
	for series, v := range read {
		if v != 1 {
			t.Errorf("%s is %g", series, v)
		}
	}
	if len(read) == 0 {
		t.Error("it is not told that the keys could be read")
	}
	d.noSecrets("HIDDEN", "hidden")
}

// TestSecurityToken polls four providers with temporary keys in files: they are
// good with the right token only, which may change alone.
func TestSecurityToken(t *testing.T) {
	k := key(0)
	k.SecurityToken = "token-hidden-1"
	c := newClouds(t, cloudsim.Options{Credentials: []cloudsim.Credential{k}})
	token := filepath.Join(t.TempDir(), "token")
	write(t, token, "token-hidden-0\n")
	d := start(t, c, "", func(account doc) { account["credentials"].(doc)["security_token_file"] = token })
	d.allAt(0)
	write(t, token, "token-hidden-1\n")
	d.up()
	k.SecurityToken = "token-hidden-2"
	c.SetCredentials(k)
	d.allAt(0)
	write(t, token, "token-hidden-2\n")
	d.up()
	d.noSecrets("HIDDEN", "hidden")
}
