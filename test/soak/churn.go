package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// groupsComeAndGo adds groups that no rule is for, and takes others away: about
// twenty are there at a time.
func (w *world) groupsComeAndGo(ctx context.Context) {
	a, b := replication.Location{Region: "cn-north-4", Zone: "cn-north-4a"}, replication.Location{Region: "cn-north-4", Zone: "cn-north-4b"}
	var there []string
	every(ctx, 3*time.Second, func(n int) {
		if n%2 == 1 {
			a, b = b, a
		}
		id, err := w.cloud.AddSDRS(cloudsim.SDRSGroup{Name: fmt.Sprintf("%s%d", passing, n), Source: a, Target: b, Pairs: 1 + n%3, Older: n%4 == 0})
		if err != nil {
			w.wrong("a group could not be added: %v", err)
			return
		}
		w.did("groups added")
		if there = append(there, id); len(there) > 20 {
			i := rand.IntN(len(there))
			if err := w.cloud.Remove(there[i]); err != nil {
				w.wrong("a group could not be removed: %v", err)
			}
			there = slices.Delete(there, i, i+1)
			w.did("groups removed")
		}
	})
}

// alerts tells every observer whether az-b is lost, as an Alertmanager does that
// repeats itself.
func (w *world) alerts(ctx context.Context) {
	var since time.Time
	every(ctx, 2*time.Second, func(int) {
		up := w.cloud.SiteUp(azB)
		switch {
		case up && since.IsZero():
			return
		case up:
			w.send(ctx, alert("SiteLost", "lost", azB, since, time.Now()))
			since = time.Time{}
			return
		case since.IsZero():
			since = time.Now()
		}
		w.send(ctx, alert("SiteLost", "lost", azB, since, time.Time{}))
	})
}

// alertNoise sends alerts that a rule asks for which has no groups: each is a new one.
func (w *world) alertNoise(ctx context.Context) {
	every(ctx, 4*time.Second, func(n int) {
		began := time.Now().Add(-time.Minute)
		ended := time.Time{}
		if n%2 == 0 {
			ended = time.Now()
		}
		w.send(ctx, alert("Noise", "instance", fmt.Sprint(n/2), began, ended))
	})
}

// alert is the payload of Alertmanager's webhook with one alert; a zero end: it fires.
func alert(name, label, value string, since, ended time.Time) string {
	status, end := "firing", ""
	if !ended.IsZero() {
		status, end = "resolved", fmt.Sprintf(`,"endsAt":%q`, ended.Format(time.RFC3339Nano))
	}
	return fmt.Sprintf(`{"version":"4","externalURL":"http://alertmanager","alerts":[{"status":%q,"labels":{"alertname":%q,%q:%q},"startsAt":%q%s}]}`,
		status, name, label, value, since.Format(time.RFC3339Nano), end)
}

func (w *world) send(ctx context.Context, body string) {
	for _, d := range w.daemons {
		if !d.runs() {
			continue
		}
		w.did("alerts sent")
		if code, err := ask(ctx, http.MethodPost, d.url("/api/v1/alerts"), body); err == nil && code != http.StatusOK {
			w.wrong("%s answers an alert with %d", d.name, code)
		}
	}
}

// reloads writes the files anew each minute and sends SIGHUP.
func (w *world) reloads(ctx context.Context) {
	n := 0
	for pause(ctx, time.Minute) {
		n++
		if err := w.configure(n); err != nil {
			w.wrong("the configuration could not be written: %v", err)
			return
		}
		for _, d := range w.daemons {
			d.hangup()
		}
		w.did("reloads of all")
	}
}

// looks asks each observer for everything that it shows. Of the incidents it asks for
// a hundred: the answer that has all of them grows until they are a thousand.
func (w *world) looks(ctx context.Context) {
	paths := []string{
		"/", "/metrics", "/-/healthy", "/-/ready", "/api/v1/status", "/api/v1/groups", "/api/v1/rules", "/api/v1/observers", "/api/v1/members",
		"/api/v1/incidents?limit=100", "/api/v1/incidents?limit=5", "/api/v1/journal/check", "/api/v1/explain?group=servers-0", "/api/v1/explain?group=disks-1", "/api/v1/no-such",
	}
	every(ctx, 500*time.Millisecond, func(n int) {
		for _, d := range w.daemons {
			if d.runs() {
				w.did("pages asked for")
				_, _ = ask(ctx, http.MethodGet, d.url(paths[n%len(paths)]), "") // one that dies does not answer
			}
		}
	})
}

// hangers connect to each observer and do not behave: they send half a request, or
// do not read the answers. They never let go by themselves before all is over.
func (w *world) hangers(ctx context.Context) {
	var held []net.Conn
	defer func() {
		for _, c := range held {
			_ = c.Close() // nothing was to come
		}
	}()
	every(ctx, 5*time.Second, func(n int) {
		d := w.daemons[n%len(w.daemons)]
		if !d.runs() {
			return
		}
		c, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "tcp", d.listen)
		if err != nil {
			return
		}
		w.did("clients that hang")
		said := "GET /metrics HTTP/1.1\r\nHost: " + d.listen + "\r\n"
		switch rand.IntN(3) {
		case 0: // half a request
		case 1: // many requests, no reading
			said = strings.Repeat(said+"\r\n", 50)
		case 2: // a body that never comes
			said = "POST /api/v1/alerts HTTP/1.1\r\nHost: " + d.listen + "\r\nContent-Length: 1000\r\n\r\n{"
		}
		_, _ = io.WriteString(c, said) // what becomes of it is the daemon's matter
		held = append(held, c)
	})
}

// ask sends one request and reads the answer away.
func ask(ctx context.Context, method, url, body string) (code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Close = true
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}
