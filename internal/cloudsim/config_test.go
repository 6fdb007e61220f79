package cloudsim_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

var update = flag.Bool("update", false, "write the golden files anew")

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

var ports = regexp.MustCompile(`127\.0\.0\.1:\d+`)

func TestWriteConfig(t *testing.T) {
	l := demoLab(t, nil)
	dir := t.TempDir()
	path, err := l.cloud.WriteConfig(dir, cloudsim.ConfigOptions{
		PollInterval: 2 * time.Second, EvaluationInterval: 500 * time.Millisecond, ProbeInterval: time.Second, ProbeTimeout: 900 * time.Millisecond,
		Mode: "auto", RuleFiles: []string{"rules/*.yml"}, Observer: "obs-w", ObserverSite: "witness", AcceptSingleObserver: "a demonstration",
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got = ports.ReplaceAll(got, []byte("127.0.0.1:PORT"))
	golden := filepath.Join("testdata", "drwatch.yml")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{"access-key": cloudsim.AccessKey, "secret-key": cloudsim.SecretKey} {
		file := filepath.Join(dir, "secrets", name)
		text, err := os.ReadFile(file)
		if err != nil || string(text) != want+"\n" {
			t.Errorf("%s holds %q, %v", file, text, err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", file, info.Mode(), err)
		}
	}
	if _, err := l.cloud.WriteConfig(path, cloudsim.ConfigOptions{}); err == nil {
		t.Error("a file was taken for a directory")
	}
}
