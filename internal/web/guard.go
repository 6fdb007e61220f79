package web

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

var errForbidden = errors.New("forbidden")

// localOnly lets a mutating call through only when it comes from this machine
// and from no web page: without any role configured there is nobody to ask for
// a token, so the loopback address is the permission, and neither a page in the
// operator's browser nor a name that an attacker points here may borrow it.
func (h handler) localOnly(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := local(r); err != nil {
			h.o.Logger.Warn("mutating call refused", "path", r.URL.Path, "from", r.RemoteAddr, "err", err)
			h.answer(w, nil, err)
			return
		}
		next(w, r)
	}
}

func local(r *http.Request) error {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !from.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("%w: calls that change something are taken from this machine only", errForbidden)
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Forwarded-") || name == "Forwarded" || name == "Via" || name == "X-Real-Ip" {
			return fmt.Errorf("%w: this call came through a proxy, so its real sender is not known", errForbidden)
		}
	}
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		return fmt.Errorf("%w: calls that change something are not taken from web pages; use the drwatch command", errForbidden)
	}
	if !loopbackHost(r.Host) {
		return fmt.Errorf("%w: the host %q is not a name of the loopback address", errForbidden, r.Host)
	}
	return nil
}

func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// secure sets the headers that keep a browser from guessing.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("X-Frame-Options", "DENY")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:")
		next.ServeHTTP(w, r)
	})
}
