package credentials

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// settle is how long a file must have stood still before its size, time and
	// inode prove that it is unchanged, and how long the old keys are used while
	// only some of the files are new.
	settle = 2 * time.Second
	// maxSecret bounds a secret file, in bytes; a session token has about 4 KiB.
	maxSecret = 64 << 10
)

// Paths are the files that hold one key pair, one secret each.
type Paths struct {
	AccessKey     string
	SecretKey     string
	SecurityToken string // "" for long-lived keys
}

// Files are keys in files. They are looked at on each use and read when they
// changed. While only some of them are new, somebody is changing them: the keys
// read before stay in use for 2 s more. Files that can no longer be read take
// nothing away either: a key is withdrawn at the provider. Safe for concurrent
// use.
type Files struct {
	now func() time.Time
	log *slog.Logger

	mu    sync.Mutex
	files []secretFile
	held  Keys      // in use; none before the first good look
	torn  time.Time // since when only some files are new; zero when none are
	again bool      // the provider refused what is held: read all, wait for nothing
	said  string    // the last complaint in the log
	tried bool      // looked at least once
	err   error     // of the last look
}

// secretFile is what one file held when it was read last.
type secretFile struct {
	path    string
	info    os.FileInfo // nil before the first read
	settled bool        // it had stood still when it was read
	text    string
}

// NewFiles names the files; nothing is read before the first use.
func NewFiles(p Paths, now func() time.Time, log *slog.Logger) *Files {
	f := &Files{now: now, log: log, files: []secretFile{{path: p.AccessKey}, {path: p.SecretKey}}}
	if p.SecurityToken != "" {
		f.files = append(f.files, secretFile{path: p.SecurityToken})
	}
	return f
}

// Keys are the keys to use now. An error names the file, never what is in it,
// and comes only while no keys could be read yet.
func (f *Files) Keys() (Keys, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	found, err := f.look(now)
	f.tried, f.err = true, err
	switch {
	case err != nil && f.held.AccessKey == "":
		return Keys{}, err
	case err != nil:
		f.complain(err)
	case f.taken(found, now):
		if f.held.AccessKey != "" {
			f.log.Info("the credential files changed, the new keys are used", "access_key_file", f.files[0].path)
		}
		f.held = found
	}
	return f.held, nil
}

// look reads what changed. All problems are told at once.
func (f *Files) look(now time.Time) (Keys, error) {
	var errs []error
	for i := range f.files {
		errs = append(errs, f.files[i].look(now, f.again))
	}
	if err := errors.Join(errs...); err != nil {
		return Keys{}, err
	}
	f.said = ""
	k := Keys{AccessKey: f.files[0].text, SecretKey: f.files[1].text}
	if len(f.files) > 2 {
		k.SecurityToken = f.files[2].text
	}
	return k, nil
}

// taken tells whether what was found is to be used instead of what is held.
func (f *Files) taken(found Keys, now time.Time) bool {
	again := f.again
	f.again = false
	if found.Same(f.held) {
		f.torn = time.Time{}
		return false
	}
	some := found.AccessKey == f.held.AccessKey || found.SecretKey == f.held.SecretKey ||
		found.SecurityToken != "" && found.SecurityToken == f.held.SecurityToken
	if !some || again {
		f.torn = time.Time{}
		return true
	}
	if f.torn.IsZero() {
		f.torn = now
	}
	if now.Sub(f.torn) < settle {
		return false
	}
	f.torn = time.Time{}
	return true
}

// complain logs a problem once, until another comes or it has gone.
func (f *Files) complain(err error) {
	if err.Error() != f.said {
		f.said = err.Error()
		f.log.Warn("the credential files cannot be read, the keys read before stay in use", "err", err)
	}
}

// Refused tells that the provider did not take the keys: the next use reads all
// files anew and takes what it finds.
func (f *Files) Refused(k Keys) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.again = f.again || k.Same(f.held)
}

// LastRead tells whether the last look at the files read all of them. It is not
// told before the first.
func (f *Files) LastRead() (ok, told bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err == nil, f.tried
}

// Expires is not told by files.
func (f *Files) Expires() time.Time { return time.Time{} }

// look reads the file unless it is surely the one read before. A file that was
// written a moment ago may be written again without a trace in its time.
func (s *secretFile) look(now time.Time, again bool) error {
	info, err := os.Stat(s.path)
	if err != nil {
		s.info = nil
		return err
	}
	if s.info != nil && s.settled && !again &&
		os.SameFile(info, s.info) && info.Size() == s.info.Size() && info.ModTime().Equal(s.info.ModTime()) {
		return nil
	}
	text, err := ReadFile(s.path)
	if err != nil {
		s.info = nil
		return err
	}
	s.text, s.info, s.settled = text, info, now.Sub(info.ModTime()) >= settle
	return nil
}

// ReadFile reads a file that holds one secret: one line, surrounding space cut
// off. Its error names the file, never what is in it.
func ReadFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return "", fmt.Errorf("%s is a directory, want a file that holds the secret", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	s := strings.TrimSpace(string(b))
	switch {
	case len(b) > maxSecret:
		return "", fmt.Errorf("%s is larger than %d KiB, want a file that holds only the secret", path, maxSecret>>10)
	case s == "":
		return "", fmt.Errorf("%s is empty, want a file that holds the secret", path)
	case strings.ContainsAny(s, "\r\n\x00"):
		return "", fmt.Errorf("%s has more than one line, want a file that holds only the secret", path)
	}
	return s, nil
}
