package chaos_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/api"
)

// observer is one daemon at its site. Its data outlives its runs.
type observer struct {
	t       *testing.T
	name    string
	site    string
	links   links
	config  string
	storage string
	log     string
	env     []string
	root    doc // its configuration
	later   doc // its configuration once all began, nil: as at first

	mu    sync.Mutex
	run   *run
	steps []step
}

// run is one life of the daemon.
type run struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	url  string
	hit  chan struct{} // closed when it came to the step that it dies or stops at
	done chan struct{}
}

// step is when the daemon came where.
type step struct {
	name string
	at   time.Time
}

// start starts the daemon and waits until it listens.
func (o *observer) start() {
	o.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		o.t.Fatal(err)
	}
	r := &run{cmd: exec.Command(exe), done: make(chan struct{}), hit: make(chan struct{})}
	r.cmd.Env = append(os.Environ(), "CHAOS_CONFIG="+o.config, "CHAOS_STORAGE="+o.storage, "HTTP_PROXY="+o.links.proxy())
	r.cmd.Env = append(r.cmd.Env, o.env...)
	logs, err := os.OpenFile(o.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		o.t.Fatal(err)
	}
	r.cmd.Stderr = struct{ io.Writer }{logs}       // by a pipe: what befalls its disk does not befall its log
	if r.in, err = r.cmd.StdinPipe(); err != nil { // it stays open as long as this process lives
		o.t.Fatal(err)
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	if err := o.links.start(r.cmd); err != nil {
		o.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for r.url == "" && lines.Scan() {
		if a, ok := strings.CutPrefix(lines.Text(), "listening "); ok {
			r.url = "http://" + a
		}
	}
	o.mu.Lock()
	o.run = r
	o.mu.Unlock()
	go func() {
		for lines.Scan() {
			o.heard(r, strings.Fields(lines.Text()))
		}
		_ = r.cmd.Wait() // how it ended is seen by what it did
		_ = logs.Close()
		close(r.done)
	}()
	if r.url == "" {
		o.t.Fatalf("%s did not start\n%s", o.name, o.logs())
	}
}

// reload makes the daemon read its files again.
func (o *observer) reload() { o.order("reload") }

// clock makes the wall clock of the daemon wrong by so much.
func (o *observer) clock(by time.Duration) { o.order("clock " + by.String()) }

func (o *observer) order(line string) {
	o.t.Helper()
	if _, err := io.WriteString(o.current().in, line+"\n"); err != nil {
		o.t.Fatal(err)
	}
}

// logged tells whether the observer has ever logged the text.
func (o *observer) logged(text string) bool {
	b, _ := os.ReadFile(o.log)
	return strings.Contains(string(b), text)
}

func (o *observer) heard(r *run, words []string) {
	switch {
	case len(words) == 2 && words[0] == "hit":
		close(r.hit)
	case len(words) == 3 && words[0] == "at":
		if nanos, err := strconv.ParseInt(words[2], 10, 64); err == nil {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.steps = append(o.steps, step{words[1], time.Unix(0, nanos)})
		}
	}
}

// came is when the daemon first came to the step after a moment.
func (o *observer) came(name string, after time.Time) (time.Time, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.steps {
		if s.name == name && s.at.After(after) {
			return s.at, true
		}
	}
	return time.Time{}, false
}

func (o *observer) current() *run {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.run
}

// alive tells whether the daemon runs.
func (o *observer) alive() bool {
	r := o.current()
	if r == nil {
		return false
	}
	select {
	case <-r.done:
		return false
	default:
		return true
	}
}

func (o *observer) logs() string {
	b, err := os.ReadFile(o.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(b), "\n")
	return "--- " + o.name + ":\n" + strings.Join(lines[max(0, len(lines)-60):], "\n")
}

// client asks the daemon where it stands.
func (o *observer) client() *http.Client {
	return &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: o.links.dial}}
}

// get asks the daemon's API.
func get[T any](o *observer, path string) (out T, err error) {
	resp, err := o.client().Get(o.current().url + "/api/v1/" + path)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	var e api.Envelope
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil {
		return out, err
	}
	if e.Status != "success" {
		return out, fmt.Errorf("%s: %s", path, e.Error)
	}
	return out, json.Unmarshal(e.Data, &out)
}

// post sends a body to the daemon's API.
func (o *observer) post(path, body string) error {
	c := o.client()
	c.Timeout = 30 * time.Second // a change of the members takes its time
	resp, err := c.Post(o.current().url+"/api/v1/"+path, "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s answers %s", o.name, path, resp.Status)
	}
	return nil
}

// fit tells whether the observer is ready, and vouches for itself.
func (o *observer) fit() bool {
	s, err := get[api.Status](o, "status")
	if err != nil || !s.Ready || s.Leader == "" || len(s.Fitness) == 0 {
		return false
	}
	for _, f := range s.Fitness {
		if !f.OK {
			return false
		}
	}
	return true
}

func (o *observer) leads() bool {
	s, err := get[api.Status](o, "status")
	return err == nil && s.Leads
}

// notes tells whether the observer's status has a note with that in it.
func (o *observer) notes(text string) bool {
	s, err := get[api.Status](o, "status")
	return err == nil && slices.ContainsFunc(s.Notes, func(n string) bool { return strings.Contains(n, text) })
}
