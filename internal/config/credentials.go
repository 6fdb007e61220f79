package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
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
}

// IsZero tells that nothing is named.
func (c Credentials) IsZero() bool { return c == Credentials{} }

// Keys is a key pair. Whatever prints or logs it gets no secret; only its
// fields tell them.
type Keys struct {
	AccessKey     string
	SecretKey     string
	SecurityToken string // "" for long-lived keys
}

const redacted = "[redacted]"

// String hides the keys.
func (Keys) String() string { return redacted }

// GoString hides the keys.
func (Keys) GoString() string { return redacted }

// LogValue hides the keys.
func (Keys) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the keys.
func (Keys) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Read reads the keys, afresh each time, so that rotated ones are taken up. The
// error names the file or variable, never what is in it.
func (c Credentials) Read() (Keys, error) {
	var k Keys
	var err error
	switch {
	case c.Metadata:
		return Keys{}, errors.New("credentials.metadata is not available in this version")
	case c.AccessKeyFile != "":
		var errs [3]error
		k.AccessKey, errs[0] = readSecret("access_key_file", c.AccessKeyFile)
		k.SecretKey, errs[1] = readSecret("secret_key_file", c.SecretKeyFile)
		if c.SecurityTokenFile != "" {
			k.SecurityToken, errs[2] = readSecret("security_token_file", c.SecurityTokenFile)
		}
		err = errors.Join(errs[:]...)
	case c.AccessKeyEnv != "":
		var errs [2]error
		k.AccessKey, errs[0] = readEnv("access_key_env", c.AccessKeyEnv)
		k.SecretKey, errs[1] = readEnv("secret_key_env", c.SecretKeyEnv)
		err = errors.Join(errs[:]...)
	default:
		err = errors.New("no credentials are named")
	}
	if err != nil {
		return Keys{}, err
	}
	return k, nil
}

// maxSecret bounds a secret file; a session token has about 4 KiB.
const maxSecret = 64 << 10

// readSecret reads one secret file: one line, surrounding space cut off.
func readSecret(key, path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	if info.IsDir() {
		return "", fmt.Errorf("%s: %s is a directory, want a file that holds the secret", key, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	s := strings.TrimSpace(string(b))
	switch {
	case len(b) > maxSecret:
		return "", fmt.Errorf("%s: %s is larger than %d KiB, want a file that holds only the secret", key, path, maxSecret>>10)
	case s == "":
		return "", fmt.Errorf("%s: %s is empty, want a file that holds the secret", key, path)
	case strings.ContainsAny(s, "\r\n\x00"):
		return "", fmt.Errorf("%s: %s has more than one line, want a file that holds only the secret", key, path)
	}
	return s, nil
}

func readEnv(key, name string) (string, error) {
	s := strings.TrimSpace(os.Getenv(name))
	if s == "" {
		return "", fmt.Errorf("%s: the environment variable %s is not set", key, name)
	}
	return s, nil
}
