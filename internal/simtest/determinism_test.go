package simtest_test

import (
	"bytes"
	"encoding/json"
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
// another one: the same seed is the same story, word for word. Which of two goroutines
// that wake at one moment goes first is the scheduler's, so on a busy machine one in a
// hundred may differ; under the race detector, which shuffles on purpose, one in five.
func TestStoriesAgree(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	n := max(*seeds/20, 1)
	may := 1 + n/100
	if shuffled {
		n = min(n, 10)
		may = n / 5
	}
	stories := map[uint64]string{}
	for seed := *first; seed < *first+n; seed++ {
		stories[seed] = play(t, draw(seed)).text()
	}
	if *fingerprints {
		_ = json.NewEncoder(os.Stdout).Encode(stories)
		return
	}
	again := map[uint64]string{}
	for seed := range stories {
		again[seed] = play(t, draw(seed)).text()
	}
	agree(t, "in this process", stories, again, may)
	if shuffled {
		return
	}
	there, err := storiesElsewhere(t)
	if err != nil {
		t.Fatal(err)
	}
	agree(t, "in another process", stories, there, may)
}

// agree holds that at most so many stories differ.
func agree(t *testing.T, where string, stories, again map[uint64]string, may uint64) {
	differ := uint64(0)
	for seed, story := range stories {
		if again[seed] != story {
			differ++
			t.Logf("seed %d: the story differs when it is played again %s:\n%s", seed, where, firstDifference(story, again[seed]))
		}
	}
	t.Logf("%d of %d stories differ when they are played again %s", differ, len(stories), where)
	if differ > may {
		t.Fail()
	}
}

// storiesElsewhere are those that another process tells of the same seeds.
func storiesElsewhere(t *testing.T) (map[uint64]string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "-test.run=^"+t.Name()+"$", "-fingerprints", fmt.Sprint("-seed=", *first), fmt.Sprint("-seeds=", *seeds))
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	stories := map[uint64]string{}
	return stories, json.NewDecoder(bytes.NewReader(out)).Decode(&stories)
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
