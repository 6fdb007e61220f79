package credentials

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Env is a pair of environment variables, by name. They are read at each use.
type Env struct {
	AccessKey string
	SecretKey string
}

// Keys reads the variables. Its error names the variable, never what is in it.
func (e Env) Keys() (Keys, error) {
	var k Keys
	var errs [2]error
	k.AccessKey, errs[0] = ReadEnv(e.AccessKey)
	k.SecretKey, errs[1] = ReadEnv(e.SecretKey)
	if err := errors.Join(errs[:]...); err != nil {
		return Keys{}, err
	}
	return k, nil
}

// Refused changes nothing: a process's environment stays what it is.
func (Env) Refused(Keys) {}

// LastRead tells whether the variables are set.
func (e Env) LastRead() (ok, told bool) {
	_, err := e.Keys()
	return err == nil, true
}

// Expires is not told by an environment.
func (Env) Expires() time.Time { return time.Time{} }

// ReadEnv reads a secret from the environment, surrounding space cut off.
func ReadEnv(name string) (string, error) {
	s := strings.TrimSpace(os.Getenv(name))
	if s == "" {
		return "", fmt.Errorf("the environment variable %s is not set", name)
	}
	return s, nil
}
