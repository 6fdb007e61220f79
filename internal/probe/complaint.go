package probe

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
)

// maxDetail bounds Result.Detail, in bytes.
const maxDetail = 300

// complaint is a slog.Handler that keeps the last warning or error a prober
// logs, as one bounded line. It keeps only attributes that tell what went wrong
// and not what the target said: a page, a header or a redirect may carry
// secrets.
type complaint struct {
	mu   sync.Mutex
	line string
}

// told are the attributes that a detail may show.
var told = map[string]bool{"err": true, "error": true, "status_code": true, "version": true, "string_rcode": true, "header": true, "ip_protocol": true}

// Enabled wants warnings and errors.
func (c *complaint) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

// Handle keeps the record as the last complaint.
func (c *complaint) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		if told[a.Key] {
			fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		}
		return true
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line = tidy(b.String())
	return nil
}

// WithAttrs drops the attributes: they repeat the probe's own name and target.
func (c *complaint) WithAttrs([]slog.Attr) slog.Handler { return c }

// WithGroup drops the group.
func (c *complaint) WithGroup(string) slog.Handler { return c }

func (c *complaint) last() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.line
}

var (
	userinfo = regexp.MustCompile(`://[^/\s"@]*@`)
	query    = regexp.MustCompile(`\?[^\s"]+`)
)

// tidy makes one bounded line of valid text without URL credentials and queries.
func tidy(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	s = userinfo.ReplaceAllString(s, "://")
	s = query.ReplaceAllString(s, "?…")
	if len(s) > maxDetail {
		s = strings.ToValidUTF8(s[:maxDetail-len("…")], "") + "…"
	}
	return s
}
