package config

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
