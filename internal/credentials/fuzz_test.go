package credentials_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drwatch/drwatch/internal/credentials"
)

// FuzzFile: a file is a secret of one line or none, and no error says what is in it.
func FuzzFile(f *testing.F) {
	for _, s := range []string{"", "key", " key \r\n", "two\nlines", "a\x00b", "\ufeffkey", "key\u2028", strings.Repeat("k", 70<<10)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		secret, err := credentials.ReadFile(path)
		if (secret == "") == (err == nil) {
			t.Errorf("secret %q and error %v", secret, err)
		}
		if secret != strings.TrimSpace(secret) || strings.ContainsAny(secret, "\r\n\x00") || !strings.Contains(string(content), secret) {
			t.Errorf("secret %q of %q", secret, content)
		}
		if err != nil && len(content) >= 4 && strings.Contains(strings.ReplaceAll(err.Error(), path, ""), string(content[:4])) && strings.TrimSpace(string(content[:4])) != "" {
			for _, known := range []string{" want a file that holds", "is larger than 64 KiB", "has more than one line", "only the secret", "is empty"} {
				if strings.Contains(known, string(content[:4])) {
					return
				}
			}
			t.Errorf("the error repeats the file: %v", err)
		}
	})
}
