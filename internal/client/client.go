// Package client asks a running drwatch over its HTTP API. It is what the
// client commands stand on; it prints nothing.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/replication"
)

// ErrUnreachable is returned when no drwatch answers at the URL.
var ErrUnreachable = errors.New("no drwatch answers")

// ErrRefused is returned when drwatch answers with an error.
var ErrRefused = errors.New("drwatch refused")

// refusal is drwatch's own sentence.
type refusal string

func (r refusal) Error() string { return string(r) }

func (refusal) Is(target error) bool { return target == ErrRefused }

// maxAnswer bounds what is read of an answer.
const maxAnswer = 256 << 20

// Client asks one daemon. Safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// New makes a client of the daemon at base, e.g. http://127.0.0.1:10109.
func New(base string, c *http.Client) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("--url %q: want http://HOST:PORT or https://HOST:PORT", base)
	}
	return &Client{base: strings.TrimSuffix(u.String(), "/"), http: c}, nil
}

// Status asks for the daemon's own state.
func (c *Client) Status(ctx context.Context) (out api.Status, err error) {
	return out, c.get(ctx, "status", &out)
}

// Groups asks for all groups.
func (c *Client) Groups(ctx context.Context) (out []api.Group, err error) {
	return out, c.get(ctx, "groups", &out)
}

// Rules asks for all rules.
func (c *Client) Rules(ctx context.Context) (out []api.Rule, err error) {
	return out, c.get(ctx, "rules", &out)
}

// Incidents asks for the newest incidents, newest first, at most limit; 0 leaves
// the number to the daemon.
func (c *Client) Incidents(ctx context.Context, limit int) (out []replication.Incident, err error) {
	path := "incidents"
	if limit > 0 {
		path += "?limit=" + strconv.Itoa(limit)
	}
	return out, c.get(ctx, path, &out)
}

// CheckJournal asks whether every journal is as it was written.
func (c *Client) CheckJournal(ctx context.Context) (out api.JournalCheck, err error) {
	return out, c.get(ctx, "journal/check", &out)
}

// Incident asks for one incident with its journal.
func (c *Client) Incident(ctx context.Context, id string) (out api.Incident, err error) {
	return out, c.get(ctx, "incidents/"+url.PathEscape(id), &out)
}

// Explain asks why a group has or has not been failed over. account may be
// empty when the group's name or id is unique.
func (c *Client) Explain(ctx context.Context, account, group string) (out api.Explain, err error) {
	q := url.Values{"group": {group}}
	if account != "" {
		q.Set("account", account)
	}
	return out, c.get(ctx, "explain?"+q.Encode(), &out)
}

// Answer answers an incident: verb is approve, abort or ack.
func (c *Client) Answer(ctx context.Context, verb, id string, why api.Reason) error {
	return c.post(ctx, "incidents/"+url.PathEscape(id)+"/"+verb, why)
}

// Freeze sets the kill switch, and tells whether it was set already.
func (c *Client) Freeze(ctx context.Context, why api.Reason) (out api.Frozen, err error) {
	return out, c.postFor(ctx, "freeze", why, &out)
}

// Unfreeze releases the kill switch, and tells what it released.
func (c *Client) Unfreeze(ctx context.Context, why api.Reason) (out api.Unfrozen, err error) {
	return out, c.postFor(ctx, "unfreeze", why, &out)
}

// Act asks for an action on a group, or with DryRun for its plan alone. A refusal
// comes with the plan when drwatch told one: it names what blocks.
func (c *Client) Act(ctx context.Context, ask api.Ask) (out api.Asked, err error) {
	body, err := json.Marshal(ask)
	if err != nil {
		return out, fmt.Errorf("encoding what is asked for: %w", err)
	}
	err = c.do(ctx, http.MethodPost, "actions", body, &out)
	return out, err
}

func (c *Client) get(ctx context.Context, path string, out any) error {
	return c.do(ctx, http.MethodGet, path, nil, out)
}

func (c *Client) post(ctx context.Context, path string, why api.Reason) error {
	return c.postFor(ctx, path, why, nil)
}

func (c *Client) postFor(ctx context.Context, path string, why api.Reason, out any) error {
	body, err := json.Marshal(why)
	if err != nil {
		return fmt.Errorf("encoding the reason: %w", err)
	}
	return c.do(ctx, http.MethodPost, path, body, out)
}

func (c *Client) do(ctx context.Context, method, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+"/api/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("building the request for %s: %w", path, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%w at %s: %w", ErrUnreachable, c.base, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%w at %s: reading the answer: %w", ErrUnreachable, c.base, err)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		return fmt.Errorf("%w: %s wants a user or a token: give them by --http.config.file", ErrRefused, c.base)
	}
	var e api.Envelope
	if err := json.Unmarshal(raw, &e); err != nil {
		return fmt.Errorf("%w at %s: HTTP %d is not an answer of drwatch", ErrUnreachable, c.base, resp.StatusCode)
	}
	return unpack(e, path, out)
}

// unpack takes the data out of an answer, of a refusal too when it has some: the
// sentence of a refusal counts whatever the data is.
func unpack(e api.Envelope, path string, out any) error {
	if e.Status != "success" {
		if out != nil && len(e.Data) > 0 {
			return errors.Join(refusal(e.Error), undecoded(path, json.Unmarshal(e.Data, out)))
		}
		return refusal(e.Error)
	}
	if out == nil {
		return nil
	}
	return undecoded(path, json.Unmarshal(e.Data, out))
}

func undecoded(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("decoding the answer to %s: %w", path, err)
}
