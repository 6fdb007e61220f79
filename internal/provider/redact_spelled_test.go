package provider_test

import (
	"strings"
	"testing"

	"github.com/drwatch/drwatch/internal/provider"
)

// A gateway's error page repeats a token in whatever way its encoder writes it.
func TestSecretsAsEncodersWriteThem(t *testing.T) {
	const token = "CAISgAJ1q6Ft5B2yfSjIr5bRNGY6x/Ab3+Zz&9=="
	for name, text := range map[string]string{
		"plain":           `you sent ` + token + `.`,
		"JSON, slash":     `you sent CAISgAJ1q6Ft5B2yfSjIr5bRNGY6x\/Ab3+Zz&9==.`,
		"JSON, Gson":      `you sent CAISgAJ1q6Ft5B2yfSjIr5bRNGY6x/Ab3+Zz\u00269\u003d\u003d.`,
		"JSON, upper":     `you sent CAISgAJ1q6Ft5B2yfSjIr5bRNGY6x\u002FAb3\u002BZz\u00269\u003D\u003D.`,
		"HTML":            `<p>you sent CAISgAJ1q6Ft5B2yfSjIr5bRNGY6x/Ab3&#43;Zz&amp;9&#61;&#61;.</p>`,
		"HTML, hex":       `<p>you sent CAISgAJ1q6Ft5B2yfSjIr5bRNGY6x&#x2F;Ab3&#x2b;Zz&#x26;9&#x3D;&#x3d;.</p>`,
		"URL":             `you sent CAISgAJ1q6Ft5B2yfSjIr5bRNGY6x%2fAb3%2BZz%269%3D%3D.`,
		"URL, twice":      `you sent CAISgAJ1q6Ft5B2yfSjIr5bRNGY6x%252fAb3%252BZz%25269%253D%253D.`,
		"URL, three":      `you sent CAISgAJ1q6Ft5B2yfSjIr5bRNGY6x%25252fAb3%25252BZz%2525269%25253D%25253D.`,
		"far, cut within": strings.Repeat(" ", 64<<10-20) + token,
	} {
		got := provider.RedactText(text, token)
		for n := 8; n < len(token); n++ { // no part of it
			if strings.Contains(got, token[:n]) {
				t.Errorf("%s: %q shows %q", name, got, token[:n])
				break
			}
		}
		if name != "far, cut within" && !strings.Contains(got, "you sent [redacted].") {
			t.Errorf("%s: %q", name, got)
		}
	}
}
