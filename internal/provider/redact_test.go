package provider_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/drwatch/drwatch/internal/provider"
)

const (
	accessKey = "EXAMPLEAKID"
	secretKey = "example/secret+key=="
	token     = "example token~*"
	signature = "ovesT9Z7qHflJKqGdXVBIe4OkBM="
)

func TestRedact(t *testing.T) {
	query := "Action=FailoverDiskReplicaGroup&AccessKeyId=" + accessKey + "&SecurityToken=" + url.QueryEscape(token) + "&Signature=" + url.QueryEscape(signature)
	creds := provider.Credentials{AccessKey: accessKey, SecretKey: secretKey, SecurityToken: token}
	percent := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	errs := []error{
		&url.Error{Op: "Post", URL: "https://ebs.example.com/?" + query, Err: errors.New("EOF")},
		&url.Error{Op: "Post", URL: "/?" + query, Err: errors.New("EOF")},
		fmt.Errorf("sign %s with %s and %s", accessKey, secretKey, token),
		fmt.Errorf("server string to sign is:POST&%%2F&%s", percent("AccessKeyId="+accessKey+"&SecurityToken="+percent(token))),
		fmt.Errorf("SecretKey: %s", secretKey),
		fmt.Errorf(`{"AccessKeyId":"%s","SecurityToken":"%s"}`, accessKey, token),
		fmt.Errorf("Authorization: SDK-HMAC-SHA256 Access=%s, SignedHeaders=host, Signature=%s", accessKey, signature),
		fmt.Errorf("%+v %#v %v", creds, creds, creds),
	}
	for _, err := range errs {
		for _, known := range [][]string{creds.Secrets(), append(creds.Secrets(), signature)} {
			got := provider.Redact(err, known...)
			for _, text := range []string{got.Error(), fmt.Sprintf("%+v", got), fmt.Sprintf("%#v", got), fmt.Sprintf("%q", got)} {
				for _, secret := range []string{accessKey, secretKey, token, signature, percent(token), url.QueryEscape(token), percent(percent(token)), url.QueryEscape(signature)} {
					if strings.Contains(text, secret) {
						t.Errorf("%q shows %q", text, secret)
					}
				}
			}
		}
	}
}

// What is named like a secret goes even when nobody knew its value.
func TestRedactByName(t *testing.T) {
	for _, text := range []string{
		"Authorization: Bearer hunter2-hunter2", "X-Auth-Token: hunter2-hunter2", "AccessKeySecret=hunter2-hunter2",
		`"SecurityToken": "hunter2-hunter2"`, "access_key=hunter2-hunter2", "GET https://h/p?x=hunter2-hunter2",
		"Signature%3Dhunter2-hunter2%26Timestamp", "Access=hunter2-hunter2, x",
	} {
		if got := provider.RedactText(text); strings.Contains(got, "hunter2") {
			t.Errorf("RedactText(%q) = %q", text, got)
		}
	}
}

func TestRedactKeepsWhatIsUseful(t *testing.T) {
	err := provider.Redact(fmt.Errorf("list groups: %w", context.DeadlineExceeded), accessKey, "", "a")
	if err.Error() != "list groups: context deadline exceeded" {
		t.Errorf("text %q", err)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error("errors.Is no longer holds")
	}
	wrapped := &url.Error{Op: "Post", URL: "https://h/?AccessKeyId=" + accessKey, Err: errors.New("EOF")}
	if inner, ok := errors.AsType[*url.Error](provider.Redact(wrapped)); ok {
		t.Errorf("the original can be reached: %v", inner)
	}
	if provider.Redact(nil) != nil {
		t.Error("no error became one")
	}
	if got := provider.RedactText("a\r\nb\x00c\tdéjà"); got != "a b c déjà" {
		t.Errorf("one line: %q", got)
	}
	if got := provider.RedactText(strings.Repeat("é", 70000)); len(got) > 510 {
		t.Errorf("%d bytes long", len(got))
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("https://h/?AccessKeyId=", "&x")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "s3cr3t-t0k3n"
		if got := provider.RedactText(before+secret+after, secret); strings.Contains(got, secret) {
			t.Fatalf("%q", got)
		}
	})
}

func TestGuard(t *testing.T) {
	var m map[string]any
	tests := []func() error{
		func() error { m["Code"] = 1; return nil },
		func() error { var v any = 1.5; _ = v.(string); return nil },
		func() error { panic("AccessKeyId=" + accessKey) },
		func() error { panic(fmt.Errorf("AccessKeyId=%s", accessKey)) },
		func() error { panic(nil) }, //nolint:govet // the panic without a value is what is tried
	}
	for i, call := range tests {
		err := provider.Guard(call)
		if !errors.Is(err, provider.ErrPanic) || strings.Contains(err.Error(), accessKey) {
			t.Errorf("%d: %v", i, err)
		}
	}
	want := errors.New("plain")
	if err := provider.Guard(func() error { return want }); !errors.Is(err, want) {
		t.Errorf("a plain error became %v", err)
	}
	if err := provider.Guard(func() error { return nil }); err != nil {
		t.Errorf("success became %v", err)
	}
}
