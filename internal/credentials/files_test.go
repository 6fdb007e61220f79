package credentials_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/credentials"
)

// folder has the three files of a key pair, written at a time of the clock.
type folder struct {
	t     *testing.T
	dir   string
	clock *clock
	logs  logs
	files *credentials.Files
}

func newFolder(t *testing.T) *folder {
	f := &folder{t: t, dir: t.TempDir(), clock: newClock()}
	f.files = credentials.NewFiles(credentials.Paths{AccessKey: f.path("ak"), SecretKey: f.path("sk"), SecurityToken: f.path("token")}, f.clock.now, f.logs.logger())
	return f
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f *folder) write(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Chtimes(f.path(name), f.clock.now(), f.clock.now()); err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) writeAll(n string) {
	f.t.Helper()
	f.write("ak", "access-"+n+"-hidden\n")
	f.write("sk", " secret-"+n+"-hidden")
	f.write("token", "token-"+n+"-hidden\n\n")
}

// want looks at the keys now: the numbers of access key, secret and token.
func (f *folder) want(what, numbers string) {
	f.t.Helper()
	k, err := f.files.Keys()
	if err != nil {
		f.t.Errorf("%s: %v", what, err)
		return
	}
	got := ""
	for i, text := range []string{k.AccessKey, k.SecretKey, k.SecurityToken} {
		text = strings.TrimSuffix(strings.TrimPrefix(text, []string{"access-", "secret-", "token-"}[i]), "-hidden")
		got += text
	}
	if got != numbers {
		f.t.Errorf("%s: the keys are of %q, want %q", what, got, numbers)
	}
}

func (f *folder) move(d time.Duration) { f.clock.move(d) }

func TestFilesAreReadWhenTheyChange(t *testing.T) {
	f := newFolder(t)
	f.writeAll("1")
	f.want("at first", "111")
	f.move(10 * time.Second)
	f.want("unchanged", "111")
	f.move(10 * time.Second)
	f.writeAll("2")
	f.want("all replaced", "222")
	if !strings.Contains(f.logs.String(), "the new keys are used") {
		t.Errorf("the log says nothing of it: %s", f.logs.String())
	}
	// Replaced by files that lie elsewhere, as a mounted secret is.
	f.move(10 * time.Second)
	old := f.dir
	f.dir = t.TempDir()
	f.writeAll("3")
	for _, name := range []string{"ak", "sk", "token"} {
		if err := os.Rename(filepath.Join(f.dir, name), filepath.Join(old, name)); err != nil {
			t.Fatal(err)
		}
	}
	f.dir = old
	f.want("renamed into place", "333")
}

// TestUnchangedFilesAreNotRead changes what is in a file without a trace: that it
// is not seen shows that the content is not read each time.
func TestUnchangedFilesAreNotRead(t *testing.T) {
	f := newFolder(t)
	f.writeAll("1")
	written := f.clock.now()
	f.move(time.Minute)
	f.want("at first", "111")
	for _, name := range []string{"ak", "sk", "token"} {
		b, err := os.ReadFile(f.path(name))
		if err != nil {
			t.Fatal(err)
		}
		f.write(name, strings.ReplaceAll(string(b), "1", "2"))
		if err := os.Chtimes(f.path(name), written, written); err != nil {
			t.Fatal(err)
		}
	}
	f.want("changed without a trace", "111")
	f.files.Refused(credentials.Keys{AccessKey: "another"})
	f.want("another's keys were refused", "111")
	k, _ := f.files.Keys()
	f.files.Refused(k)
	f.want("refused by the provider", "222")
}

// TestFreshFilesAreReadAgain writes twice within one tick of a file's time.
func TestFreshFilesAreReadAgain(t *testing.T) {
	f := newFolder(t)
	f.writeAll("1")
	f.want("at first", "111")
	f.writeAll("2")
	f.want("written again at the same time", "222")
}

// TestHalfChangedFiles shows that a pair of which only one half is new is not
// used while its other half may still come.
func TestHalfChangedFiles(t *testing.T) {
	f := newFolder(t)
	f.writeAll("1")
	f.move(10 * time.Second)
	f.want("at first", "111")
	f.write("ak", "access-2-hidden")
	f.want("access key written", "111")
	f.move(500 * time.Millisecond)
	f.write("sk", "secret-2-hidden")
	f.want("secret written", "111")
	f.write("token", "")
	f.want("token emptied", "111")
	f.write("token", "token-2-hidden")
	f.want("token written", "222")

	f.write("sk", "secret-3-hidden")
	f.want("only the secret", "222")
	f.move(1900 * time.Millisecond)
	f.want("only the secret, still", "222")
	f.move(200 * time.Millisecond)
	f.want("only the secret, and nothing more came", "232")

	f.write("sk", "secret-4-hidden")
	f.want("the secret again", "232")
	k, _ := f.files.Keys()
	f.files.Refused(k)
	f.want("the old secret is refused", "242")
}

// TestUnreadableFiles shows that what was read once stays, and that nothing of
// what is in a file is told.
func TestUnreadableFiles(t *testing.T) {
	f := newFolder(t)
	f.write("ak", "access-1-hidden\nanother-hidden")
	f.write("sk", "\n")
	_, err := f.files.Keys()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{f.path("ak") + " has more than one line", f.path("sk") + " is empty", "stat " + f.path("token")} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hidden") {
		t.Errorf("the error holds a secret: %v", err)
	}
	f.writeAll("1")
	f.want("put right", "111")
	f.move(time.Hour)
	f.write("sk", strings.Repeat("hidden", 20_000))
	for range 3 {
		f.want("one is too large", "111")
		f.move(time.Minute)
	}
	said := f.logs.String()
	if strings.Count(said, "cannot be read") != 1 || strings.Contains(said, "hidden") {
		t.Errorf("want one line without a secret, the log says: %.2000s", said)
	}
}

func TestEnv(t *testing.T) {
	t.Setenv("DRWATCH_TEST_AK", " access-1-hidden\n")
	t.Setenv("DRWATCH_TEST_SK", "")
	e := credentials.Env{AccessKey: "DRWATCH_TEST_AK", SecretKey: "DRWATCH_TEST_SK"}
	if _, err := e.Keys(); err == nil || err.Error() != "the environment variable DRWATCH_TEST_SK is not set" {
		t.Errorf("error %v", err)
	}
	t.Setenv("DRWATCH_TEST_SK", "secret-1-hidden")
	k, err := e.Keys()
	if err != nil || k.AccessKey != "access-1-hidden" || k.SecretKey != "secret-1-hidden" || k.SecurityToken != "" {
		t.Errorf("read wrongly, error %v", err)
	}
}
