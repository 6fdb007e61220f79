package config

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// endpoint checks where a provider answers: scheme and host. The SDKs drop a
// path in silence, so it is refused. What is wrong is returned as it stands.
func (c *checker) endpoint(s string, path ...any) string {
	if s == "" {
		return ""
	}
	u, err := hostOnly(s)
	if err != nil {
		c.errorf(path, "%s: %s", dotted(path), err)
		return s
	}
	if u.Scheme == "http" && !loopback(u) {
		c.warnf(path, "%s: http sends requests in the clear, security tokens included; write https", dotted(path))
	}
	return u.Scheme + "://" + u.Host
}

// hostURL checks a URL that has a scheme and a host and nothing else.
func (c *checker) hostURL(s string, path ...any) {
	if s == "" {
		return
	}
	if _, err := hostOnly(s); err != nil {
		c.errorf(path, "%s: %s", dotted(path), err)
	}
}

// url checks a full URL; it may have a path and a query.
func (c *checker) url(s string, path ...any) {
	if s == "" {
		return
	}
	if _, err := parseURL(s); err != nil {
		c.errorf(path, "%s: %s", dotted(path), err)
	}
}

var errNoScheme = errors.New("expected a URL that starts with https:// or http://")

func hostOnly(s string) (*url.URL, error) {
	u, err := parseURL(s)
	switch {
	case err != nil:
		return nil, err
	case u.Path != "" && u.Path != "/":
		return nil, fmt.Errorf("expected scheme and host only, without the path %q", u.Path)
	case u.RawQuery != "" || u.ForceQuery:
		return nil, errors.New("expected scheme and host only, without a query")
	}
	return u, nil
}

// parseURL reads an http or https URL. Its errors do not repeat the URL: there
// may be a password in it.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case !strings.Contains(s, "://"): // 127.0.0.1:8080 is no URL, and localhost:8080 one of the scheme localhost
		return nil, errNoScheme
	case err != nil:
		return nil, errors.New("expected a URL such as https://host:port")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errNoScheme
	case u.User != nil:
		return nil, errors.New("a URL must not hold a user or password")
	case u.Fragment != "":
		return nil, errors.New("expected a URL without a fragment (#…)")
	case u.Hostname() == "" || strings.ContainsAny(u.Host, " \t,"):
		return nil, errors.New("expected a URL with a host, such as https://host:port")
	}
	if p := u.Port(); p != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.Atoi(p); err != nil || n > 65535 {
			return nil, fmt.Errorf("expected a port up to 65535, got %q", p)
		}
	}
	return u, nil
}
