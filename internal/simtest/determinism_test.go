package simtest_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

var fingerprints = flag.Bool("fingerprints", false, "print the story of each seed and nothing else; for the process that TestStoriesAgree starts")

// TestStoriesAgree plays a twentieth of the seeds twice in this process and once in
// another one: the same seed is the same story, word for word. Under the race
// detector, which shuffles on purpose, one in five may differ.
func TestStoriesAgree(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var here bytes.Buffer
	differ, may, n := uint64(0), uint64(0), max(*seeds/20, 1)
	if shuffled {
		n = min(n, 10)
		may = n / 5
	}
	for seed := *first; seed < *first+n; seed++ {
		w := play(t, draw(seed))
		fmt.Fprintf(&here, "seed %d\n%s\n", seed, w.text())
		if *fingerprints {
			continue
		}
		if again := play(t, draw(seed)); again.text() != w.text() {
			differ++
			t.Logf("seed %d: the story differs when it is played again:\n%s", seed, firstDifference(w.text(), again.text()))
		}
	}
	if *fingerprints {
		_, _ = os.Stdout.Write(here.Bytes())
		return
	}
	t.Logf("%d of %d stories differ when they are played again", differ, n)
	if differ > may {
		t.Fail()
	}
	if shuffled {
		return
	}
	there, err := storiesElsewhere(t)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(there, here.String()) {
		t.Errorf("another process tells other stories:\n%s", firstDifference(here.String(), there))
	}
}

// storiesElsewhere are those that another process tells of the same seeds.
func storiesElsewhere(t *testing.T) (string, error) {
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(program, "-test.run=^"+t.Name()+"$", "-fingerprints", fmt.Sprint("-seed=", *first), fmt.Sprint("-seeds=", *seeds))
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// firstDifference is the first line in which two stories differ, with the one before.
func firstDifference(a, b string) string {
	at := func(s []string, i int) string {
		if i < 0 || i >= len(s) {
			return "(nothing)"
		}
		return s[i]
	}
	as, bs, i := strings.Split(a, "\n"), strings.Split(b, "\n"), 0
	for i < min(len(as), len(bs)) && as[i] == bs[i] {
		i++
	}
	return strings.Join([]string{"  " + at(as, i-1), "- " + at(as, i), "+ " + at(bs, i)}, "\n")
}
