package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sample is one look at one observer.
type sample struct {
	daemon string
	at     time.Duration // since the soak began
	life   int
	age    time.Duration // of that life
	values map[string]float64
}

// measure looks at every observer that runs, again and again.
func (w *world) measure(ctx context.Context) {
	tick := time.NewTicker(w.s.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, d := range w.daemons {
			if s, ok := w.look(ctx, d); ok {
				w.mu.Lock()
				w.taken = append(w.taken, s)
				w.mu.Unlock()
				w.keep(s)
			}
		}
	}
}

func (w *world) samples() []sample {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.taken)
}

// keep adds the sample to a file, for who wants to draw it.
func (w *world) keep(s sample) {
	f, err := os.OpenFile(w.path("samples.csv"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		for _, q := range quantities() {
			_, err = fmt.Fprintf(f, "%.0f,%s,%d,%q,%g\n", s.at.Seconds(), s.daemon, s.life, q.name, s.values[q.name]/q.unit)
		}
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		w.wrong("samples could not be written: %v", err)
	}
}

// look measures one observer, unless it does not run or does not answer.
func (w *world) look(ctx context.Context, d *daemon) (sample, bool) {
	pid, life, age := d.state()
	if pid == 0 {
		return sample{}, false
	}
	s := sample{daemon: d.name, at: time.Since(w.began), life: life, age: age, values: map[string]float64{}}
	own, err := scrape(ctx, d.url("/metrics"))
	if err != nil {
		return s, false
	}
	store, err := scrape(ctx, "http://"+d.store+"/metrics")
	if err != nil {
		return s, false
	}
	keys, past, err := d.live(ctx)
	if err != nil {
		return s, false
	}
	s.values["store keys"], s.values["store keys of past"] = float64(keys-past), float64(past)
	for _, q := range quantities() {
		from := own
		if q.store {
			from = store
		}
		if v, ok := from[q.metric]; ok {
			s.values[q.name] = v
		}
	}
	journal, history, all := usage(filepath.Join(d.storage(), "journal")), usage(filepath.Join(d.storage(), "etcd", "member", "snap", "db")), usage(d.storage())
	s.values["files"], s.values["file MiB"] = float64(all.files-journal.files), float64(all.bytes-journal.bytes-history.bytes)
	s.values["journal files"], s.values["journal MiB"] = float64(journal.files), float64(journal.bytes)
	kids := children(pid)
	s.values["children"] = float64(len(kids))
	if mem, ok := resident(pid); ok {
		s.values["resident MiB"] = mem
	}
	if len(kids) == 1 {
		if mem, ok := resident(kids[0]); ok {
			s.values["store resident MiB"] = mem
		}
	}
	now, nowLife, _ := d.state()
	return s, now == pid && nowLife == life
}

// scrape reads the metrics that have no labels.
func scrape(ctx context.Context, url string) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	out := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil && !strings.HasPrefix(name, "#") {
			out[name] = v
		}
	}
	return out, lines.Err()
}

type used struct{ files, bytes int64 }

// usage counts what is below a folder.
func usage(dir string) (u used) {
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() { // files come and go
			return nil //nolint:nilerr // one that has just gone is none
		}
		if info, err := os.Lstat(path); err == nil {
			u.files++
			u.bytes += info.Size()
		}
		return nil
	})
	return u
}
