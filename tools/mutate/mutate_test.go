package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const tiny = "tools/mutate/testdata/tiny"

// measured runs the tool on the tiny package, with the explanations.
func measured(t *testing.T, explained string, flags ...string) (out string, left map[string]string, err error) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	why, results := filepath.Join(dir, "why.txt"), filepath.Join(dir, "results.tsv")
	if err := os.WriteFile(why, []byte(explained), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	err = run(t.Context(), root, []suite{{pkg: "./" + tiny}}, append(flags, "-survivors", why, "-out", results, tiny+"/tiny.go"), &stdout, &stderr)
	text, readErr := os.ReadFile(results)
	if readErr != nil {
		t.Fatalf("%v, after %v\n%s", readErr, err, &stderr)
	}
	left = map[string]string{}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(line, "\t")
		left[f[2]+": "+f[3]+" -> "+f[4]] = f[0]
	}
	return stdout.String(), left, err
}

// The tests of the tiny package see what they look at and nothing else.
func TestWhatTheTestsOfATinyPackageSee(t *testing.T) {
	const entries = `
tools/mutate/testdata/tiny/tiny.go Room.Take
was  r.Taken += n
is   (nothing)
why  No test looks at what was taken, so that this
     one survives.
`
	out, got, err := measured(t, entries)
	for change, want := range map[string]string{
		"Room.Take: n <= 0 || n > r.Left -> n <= 0 && n > r.Left":  "killed",
		"Room.Take: n <= 0 || n > r.Left -> n <= 0":                "killed",
		"Room.Take: n <= 0 || n > r.Left -> n > r.Left":            "killed",
		"Room.Take: n <= 0 || n > r.Left -> n < 0 || n > r.Left":   "killed",
		"Room.Take: n <= 0 || n > r.Left -> n <= 0 || n >= r.Left": "survived",
		"Room.Take: n <= 0 || n > r.Left -> true":                  "killed",
		"Room.Take: r.Left -= n -> (nothing)":                      "killed",
		"Room.Take: r.Taken += n -> (nothing)":                     "survived",
		"Room.Take: return nil -> return mutantErr":                "killed",
		`Kinds: "b" -> (not in the list)`:                          "killed",
		"Spin: n-- -> (nothing)":                                   "timed out",
		"Spin: n > 0 -> n >= 0":                                    "killed",
		"Name: case 1: … -> case 1: (nothing)":                     "not compiled",
		"Unasked: return n == 3 -> return n != 3":                  "not reached",
	} {
		if got[change] != want {
			t.Errorf("%s is %q, want %q", change, got[change], want)
		}
	}
	if err == nil || !strings.Contains(err.Error(), "survived that nobody has explained") {
		t.Errorf("ended with %v, want that survivors are not explained", err)
	}
	if !strings.Contains(out, "was  n <= 0 || n > r.Left\nis   n <= 0 || n >= r.Left\n") {
		t.Errorf("the survivor is not told:\n%s", out)
	}
	if strings.Contains(out, "was  r.Taken += n") {
		t.Errorf("the survivor that is explained is told:\n%s", out)
	}
}

func TestExplanationsFitASurvivor(t *testing.T) {
	const stale = "tools/mutate/testdata/tiny/tiny.go Spin\nwas  turns++\nis   (nothing)\nwhy  It is noticed.\n"
	out, _, err := measured(t, stale, "-only", "Spin", "-at-least", "0")
	if err == nil || !strings.Contains(err.Error(), "fit no survivor") || !strings.Contains(out, "is noticed now") {
		t.Errorf("%v\n%s", err, out)
	}
	out, got, err := measured(t, "", "-only", "Kinds")
	if err != nil || len(got) != 4 || !strings.Contains(out, "100.0 %") {
		t.Errorf("%v, %d mutants\n%s", err, len(got), out)
	}
}

func TestExplanationsThatAreNoneAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no why":   "a.go F\nwas  x\nis   y\n",
		"no was":   "a.go F\nis   y\nwhy  z\n",
		"no entry": "a.go F\nwas  x\nis   y\nbecause  z\n",
		"twice":    "a.go F\nwas  x\nis   y\nwhy  z\n\na.go F\nwas  x\nis   y\nwhy  z\n",
		"nth":      "a.go F\nwas  x\nis   y\nnth  second\nwhy  z\n",
	} {
		if all, err := readExplained("why.txt", strings.NewReader(text)); err == nil {
			t.Errorf("%s: taken as %v", name, all)
		}
	}
}
